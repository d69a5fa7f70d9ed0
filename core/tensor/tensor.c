/*
** Shapes, strides and views. See tensor.h for the contract.
*/
#include "tensor/tensor.h"

#include <string.h>

static const struct {
  const char *name;
  size_t size;
} dtypes[PL_DTYPE_COUNT] = {
    [PL_FLOAT32] = {"float32", 4},
    [PL_FLOAT64] = {"float64", 8},
    [PL_UINT8] = {"uint8", 1},
    [PL_INT32] = {"int32", 4},
};

size_t pl_dtype_size(pl_dtype dtype) { return dtypes[dtype].size; }

const char *pl_dtype_name(pl_dtype dtype) { return dtypes[dtype].name; }

bool pl_dtype_parse(const char *name, pl_dtype *dtype) {
  for (int i = 0; i < PL_DTYPE_COUNT; i++) {
    if (strcmp(name, dtypes[i].name) == 0) {
      *dtype = (pl_dtype)i;
      return true;
    }
  }
  return false;
}

bool pl_size_mul(int64_t a, int64_t b, int64_t *out) {
  return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out) && *out <= (INT64_C(1) << 62);
}

bool pl_init_contiguous(pl_tensor *t, pl_dtype dtype, int rank, const int64_t *shape) {
  t->dtype = dtype;
  t->rank = rank;
  t->numel = 1;
  t->data = NULL;
  int64_t stride = 1, bytes;
  for (int i = rank - 1; i >= 0; i--) {
    t->shape[i] = shape[i];
    t->stride[i] = stride;
    /* An empty axis must not hide an overflow elsewhere: strides count it as 1. */
    if (!pl_size_mul(stride, shape[i] > 0 ? shape[i] : 1, &stride)) return false;
    if (!pl_size_mul(t->numel, shape[i], &t->numel)) return false;
  }
  return pl_size_mul(stride, (int64_t)pl_dtype_size(dtype), &bytes);
}

bool pl_is_contiguous(const pl_tensor *t) {
  int64_t expected = 1;
  if (t->numel == 0) return true;
  for (int i = t->rank - 1; i >= 0; i--) {
    if (t->shape[i] != 1 && t->stride[i] != expected) return false;
    expected *= t->shape[i];
  }
  return true;
}

bool pl_same_shape(const pl_tensor *a, const pl_tensor *b) {
  return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof(int64_t) * (size_t)a->rank) == 0;
}

void pl_extent(const pl_tensor *t, const char **low, const char **high) {
  int64_t first = 0, last = 0, size = (int64_t)pl_dtype_size(t->dtype);
  *low = *high = t->data;
  if (t->numel == 0) return;
  for (int i = 0; i < t->rank; i++) {
    int64_t reach = (t->shape[i] - 1) * t->stride[i];
    if (reach < 0)
      first += reach;
    else
      last += reach;
  }
  *low += first * size;
  *high += (last + 1) * size;
}

bool pl_is_expanded(const pl_tensor *t) {
  for (int i = 0; i < t->rank; i++) {
    if (t->stride[i] == 0 && t->shape[i] > 1) return true;
  }
  return false;
}

static void remove_axis(pl_tensor *t, int axis) {
  for (int i = axis; i + 1 < t->rank; i++) {
    t->shape[i] = t->shape[i + 1];
    t->stride[i] = t->stride[i + 1];
  }
  t->rank--;
}

static void offset(pl_tensor *t, int64_t elements) {
  t->data = (char *)t->data + elements * (int64_t)pl_dtype_size(t->dtype);
}

static void count(pl_tensor *t) {
  t->numel = 1;
  for (int i = 0; i < t->rank; i++) t->numel *= t->shape[i];
}

pl_tensor pl_view_select(const pl_tensor *t, int axis, int64_t index) {
  pl_tensor v = *t;
  offset(&v, index * t->stride[axis]);
  remove_axis(&v, axis);
  count(&v);
  return v;
}

pl_tensor pl_view_slice(const pl_tensor *t, int axis, int64_t start, int64_t length, int64_t step) {
  pl_tensor v = *t;
  if (length > 0) offset(&v, start * t->stride[axis]);
  v.shape[axis] = length;
  if (length > 1) v.stride[axis] *= step; /* a step over one element could overflow, unused */
  count(&v);
  return v;
}

pl_tensor pl_view_permute(const pl_tensor *t, const int *axes) {
  pl_tensor v = *t;
  for (int i = 0; i < t->rank; i++) {
    v.shape[i] = t->shape[axes[i]];
    v.stride[i] = t->stride[axes[i]];
  }
  return v;
}

pl_tensor pl_view_unsqueeze(const pl_tensor *t, int axis) {
  pl_tensor v = *t;
  for (int i = t->rank; i > axis; i--) {
    v.shape[i] = t->shape[i - 1];
    v.stride[i] = t->stride[i - 1];
  }
  v.shape[axis] = 1;
  v.stride[axis] = axis < t->rank ? t->stride[axis] * t->shape[axis] : 1;
  v.rank++;
  return v;
}

pl_tensor pl_view_squeeze(const pl_tensor *t, int axis) {
  pl_tensor v = *t;
  remove_axis(&v, axis);
  return v;
}

/*
** Matches runs of old axes with runs of new ones that hold as many elements; within
** a run the old axes must lie evenly in memory, and the new strides follow from the last.
*/
bool pl_view_reshape(const pl_tensor *t, int rank, const int64_t *shape, pl_tensor *out) {
  pl_tensor v;
  pl_init_contiguous(&v, t->dtype, rank, shape);
  v.data = t->data;
  *out = v;
  if (t->numel == 0 || pl_is_contiguous(t)) return true;
  int64_t old_shape[PL_MAX_RANK], old_stride[PL_MAX_RANK];
  int old_rank = 0;
  for (int i = 0; i < t->rank; i++) {
    if (t->shape[i] == 1) continue;
    old_shape[old_rank] = t->shape[i];
    old_stride[old_rank++] = t->stride[i];
  }
  int i = 0, j = 0;
  while (i < old_rank && j < rank) {
    int64_t have = old_shape[i], want = shape[j];
    int old_end = i + 1, new_end = j + 1;
    while (have != want) {
      if (have < want)
        have *= old_shape[old_end++];
      else
        want *= shape[new_end++];
    }
    for (int k = i; k + 1 < old_end; k++) {
      if (old_stride[k] != old_stride[k + 1] * old_shape[k + 1]) return false;
    }
    v.stride[new_end - 1] = old_stride[old_end - 1];
    for (int k = new_end - 1; k > j; k--) v.stride[k - 1] = v.stride[k] * shape[k];
    i = old_end;
    j = new_end;
  }
  *out = v; /* trailing axes of size 1 keep their contiguous strides */
  return true;
}

bool pl_view_expand(const pl_tensor *t, int rank, const int64_t *shape, pl_tensor *out) {
  if (rank < t->rank) return false;
  pl_tensor v;
  v.dtype = t->dtype;
  v.rank = rank;
  v.data = t->data;
  int lead = rank - t->rank;
  for (int i = 0; i < rank; i++) {
    v.shape[i] = shape[i];
    if (i < lead)
      v.stride[i] = 0;
    else if (t->shape[i - lead] == shape[i])
      v.stride[i] = t->stride[i - lead];
    else if (t->shape[i - lead] == 1)
      v.stride[i] = 0;
    else
      return false;
  }
  count(&v);
  *out = v;
  return true;
}

bool pl_broadcast(int *rank, int64_t *shape, const pl_tensor *t) {
  int result = *rank > t->rank ? *rank : t->rank;
  int64_t merged[PL_MAX_RANK];
  for (int i = 0; i < result; i++) {
    int a = i - (result - *rank), b = i - (result - t->rank);
    int64_t size_a = a >= 0 ? shape[a] : 1, size_b = b >= 0 ? t->shape[b] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1) return false;
    merged[i] = size_a == 1 ? size_b : size_a;
  }
  memcpy(shape, merged, sizeof(int64_t) * (size_t)result);
  *rank = result;
  return true;
}
