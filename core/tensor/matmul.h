/*
** Matrix products, on kernels of our own or OpenBLAS, whichever is the faster. Either runs on tiles
** that depend on the shapes alone; the pool hands the tiles out, so the bits are the same at any
** thread count.
*/
#ifndef PL_MATMUL_H
#define PL_MATMUL_H

#include "tensor/tensor.h"

/* The last two axes of t can be given to BLAS as they lie (either may be the unit stride). */
bool pl_matmul_ready(const pl_tensor *t);
/* out (…, m, n) := a (…, m, k) · b (…, k, n). float32 or float64; out is contiguous; the leading
** axes of a and b are already expanded to out's; a and b are ready; sizes fit an int. */
void pl_matmul(const pl_tensor *out, const pl_tensor *a, const pl_tensor *b);

/* What else happens to a tile while it is in cache. */
typedef struct pl_matmul_extra {
  const pl_tensor
      *input;       /* NULL, or a matrix of out's shape, its rows contiguous, or out itself, */
  double beta;      /* of which so much is added */
  const void *bias; /* NULL, or n numbers added to every row */
  bool relu;        /* then max(0, …) */
} pl_matmul_extra;
void pl_matmul_with(const pl_tensor *out, const pl_tensor *a, const pl_tensor *b,
                    pl_matmul_extra extra);

#endif
