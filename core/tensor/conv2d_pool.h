/*
** The way back through a convolution and the 2×2 max pooling that follows it (strides, dilation and
** groups 1), float32 and float64. Of the gradients between the two, at most one in four differs
** from 0: these alone are looked at. Sums are taken in an order that the sizes alone decide. The way
** forward is a plan of conv2d.h.
*/
#ifndef PL_TENSOR_CONV2D_POOL_H
#define PL_TENSOR_CONV2D_POOL_H

#include <stddef.h>

#include "kernels/conv2d.h"
#include "tensor/tensor.h"
#include "tensor/window.h"

typedef struct pl_conv2d_pool_plan {
  const pl_conv2d *g;
  pl_dtype dtype;
  bool by_data, direct;      /* direct: no patch leaves the image */
  int64_t out[2], window[2]; /* after the pooling; pixels of a padded strip */
  int64_t bands, groups;     /* kernel rows that a sum takes at a time; how many times */
  int64_t vectors, pieces;   /* of a kernel row; pieces of it that a sum takes at a time */
  int64_t rows, images;      /* of a strip, after the pooling */
  int64_t batch_parts;       /* by kernel: partial sums */
  int64_t window_room, entries, lists, sums;
  pl_slots slots;
  size_t shared_at, bytes;
} pl_conv2d_pool_plan;

/* False when the workspace would not fit memory. */
bool pl_conv2d_pool_plan_make(pl_conv2d_pool_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                              bool by_data);
/* dkernel, dx := (or += with add) the gradients, given that by the pooled result and its places */
void pl_conv2d_pool_backward_kernel(const pl_conv2d_pool_plan *plan, const void *x, const void *dy,
                                    const uint8_t *which, bool add, void *dkernel, void *workspace);
void pl_conv2d_pool_backward_data(const pl_conv2d_pool_plan *plan, const void *dy,
                                  const uint8_t *which, const void *kernel, bool add, void *dx,
                                  void *workspace);

#endif
