/*
** Tensors without Lua: shape, strides, dtype, views and broadcasting rules.
** A pl_tensor describes memory that somebody else owns; nothing here allocates.
** Strides count elements, may be negative (reversed slices) or zero (expanded axes).
*/
#ifndef PL_TENSOR_H
#define PL_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_MAX_RANK 6

typedef enum { PL_FLOAT32, PL_FLOAT64, PL_UINT8, PL_INT32, PL_DTYPE_COUNT } pl_dtype;

typedef struct pl_tensor {
  pl_dtype dtype;
  int rank;
  int64_t numel;
  int64_t shape[PL_MAX_RANK];
  int64_t stride[PL_MAX_RANK];
  void *data;
} pl_tensor;

size_t pl_dtype_size(pl_dtype dtype);
const char *pl_dtype_name(pl_dtype dtype);
/* Looks a name up; false when no dtype has it. */
bool pl_dtype_parse(const char *name, pl_dtype *dtype);
static inline bool pl_dtype_is_float(pl_dtype dtype) { return dtype <= PL_FLOAT64; }

/* *out = a * b for sizes; false when the product leaves 0 .. 2^62. */
bool pl_size_mul(int64_t a, int64_t b, int64_t *out);

/* Describes row-major memory of that shape; false when its size overflows. */
bool pl_init_contiguous(pl_tensor *t, pl_dtype dtype, int rank, const int64_t *shape);
bool pl_is_contiguous(const pl_tensor *t);
bool pl_same_shape(const pl_tensor *a, const pl_tensor *b);
/* The bytes between the first and the last element: [*low, *high). Empty: low == high. */
void pl_extent(const pl_tensor *t, const char **low, const char **high);
/* Two elements of t share memory (an expanded view): it cannot be written. */
bool pl_is_expanded(const pl_tensor *t);

/* Views. Axes are 0-based and already checked by the caller. */
pl_tensor pl_view_select(const pl_tensor *t, int axis, int64_t index);
pl_tensor pl_view_slice(const pl_tensor *t, int axis, int64_t start, int64_t length, int64_t step);
pl_tensor pl_view_permute(const pl_tensor *t, const int *axes);
pl_tensor pl_view_unsqueeze(const pl_tensor *t, int axis);
pl_tensor pl_view_squeeze(const pl_tensor *t, int axis);
/* False when no strides express the new shape without a copy (numel must agree). */
bool pl_view_reshape(const pl_tensor *t, int rank, const int64_t *shape, pl_tensor *out);
/* NumPy's rule: aligned at the last axis, size 1 stretches. False when shapes do not fit. */
bool pl_view_expand(const pl_tensor *t, int rank, const int64_t *shape, pl_tensor *out);
/* shape := the broadcast of shape and t's shape; false when they do not fit. */
bool pl_broadcast(int *rank, int64_t *shape, const pl_tensor *t);

#endif
