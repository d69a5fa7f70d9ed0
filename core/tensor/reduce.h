/*
** Reductions over any set of axes of a tensor of any layout, and scans along one axis.
** Outputs are cut into blocks, long reduced ranges into chunks; both follow from shape and
** strides alone and partial results join in order, so the bits are the same at any thread count.
*/
#ifndef PL_REDUCTION_H
#define PL_REDUCTION_H

#include "kernels/kernels.h"
#include "tensor/walk.h"

typedef enum {
  PL_SUM,
  PL_MEAN,
  PL_PROD,
  PL_VAR,
  PL_STD,
  PL_MIN,
  PL_MAX,
  PL_ARGMIN, /* 1-based, row-major over the reduced axes; the first NaN wins, as for min */
  PL_ARGMAX,
  PL_ANY,
  PL_ALL,
  PL_NORM, /* Euclidean */
  PL_LOGSUMEXP,
  PL_REDUCTION_COUNT
} pl_reduction_op;

typedef struct pl_reduction {
  pl_reduction_op op;
  pl_dtype dtype; /* of the input */
  const char *data;
  double correction;                     /* of var and std */
  pl_walk kept, reduced;                 /* operand 0: input, 1: contiguous output */
  int64_t width, per_row, blocks, group; /* outputs a block, blocks a row, blocks a task */
  int64_t chunks, chunk;                 /* of the reduced range, and their length */
  int64_t fold;                          /* reduced rows laid side by side in a narrow block */
} pl_reduction;

/* The dtype of the output over some axes. */
pl_dtype pl_reduction_dtype(pl_reduction_op op, pl_dtype dtype);
/* Plans the reduction of x over the axes whose bits are set. */
void pl_reduction_make(pl_reduction *r, pl_reduction_op op, const pl_tensor *x, unsigned axes,
                       double correction);
size_t pl_reduction_workspace(const pl_reduction *r); /* in bytes */
/* Writes the contiguous tensor out; false when an integer result does not fit its dtype. */
bool pl_reduce(const pl_reduction *r, const pl_tensor *out, void *workspace);
/* The one result of a reduction over all axes; *integer says which field holds it. False when
** an integer product does not fit int64. */
bool pl_reduce_all(const pl_reduction *r, void *workspace, pl_acc *result, bool *integer);

/* out := scan of x along an axis; out is contiguous. False when an int32 sum does not fit. */
bool pl_scan(pl_scan_fn *scan, const pl_tensor *x, int axis, const pl_tensor *out);

/* Do all elements of a and b (of one shape and dtype) compare? param is NULL for equality. */
bool pl_compare(const pl_tensor *a, const pl_tensor *b, const double *param);

#endif
