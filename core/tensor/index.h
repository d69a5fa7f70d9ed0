/*
** Selecting, scattering and finding elements, and sorting along an axis, for any layout.
** Indices are contiguous 1-based int32 that the caller has checked.
*/
#ifndef PL_INDEX_H
#define PL_INDEX_H

#include "kernels/kernels.h"
#include "tensor/walk.h"

/* The first position whose index is not in 1 .. size, or -1. */
int64_t pl_index_outside(const int32_t *index, int64_t n, int64_t size);
/* out := x's slices along an axis at the k indices; out is contiguous. */
void pl_take(const pl_tensor *x, int axis, const int32_t *index, int64_t k, const pl_tensor *out);
/* x's slices along an axis at the k indices += scale * source's slices 1 .. k, in that order. */
void pl_index_add(const pl_tensor *x, int axis, const int32_t *index, int64_t k,
                  const pl_tensor *source, double scale);
/* out at i.. := x at i.., but for the axis, where it is the index's element there; out has the
** index's shape, which differs from x's along the axis alone. */
void pl_gather(const pl_tensor *x, int axis, const pl_tensor *index, const pl_tensor *out);

/* Elements that are not 0, in row-major order. pl_find counts them into workspace, and returns
** their number; the others write the contiguous out from it. */
size_t pl_find_workspace(const pl_tensor *mask); /* in bytes */
int64_t pl_find(const pl_tensor *mask, int64_t *workspace);
/* out := x's elements there; x has the mask's shape. */
void pl_masked_select(const pl_tensor *x, const pl_tensor *mask, const int64_t *workspace,
                      const pl_tensor *out);
/* out {count, rank} := their 1-based positions. */
void pl_nonzero(const pl_tensor *x, const int64_t *workspace, const pl_tensor *out);

/* The first k along an axis, sorted, and their positions; values (may be NULL) and indices are
** contiguous and of one shape. */
size_t pl_sort_workspace(const pl_tensor *x, int axis); /* in bytes */
void pl_sort(const pl_tensor *x, int axis, int64_t k, bool descending, const pl_tensor *values,
             const pl_tensor *indices, void *workspace);

#endif
