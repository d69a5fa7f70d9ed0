/*
** The gradient of a convolution by a kernel of few input channels, on the pool, by pairs of pixels: see
** kernels/simd/outer_pairs.inc. Chosen by conv2d's plans; the contract is theirs (conv2d.h).
*/
#ifndef PL_TENSOR_KERNEL_PAIRS_H
#define PL_TENSOR_KERNEL_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/conv2d.h"
#include "tensor/tensor.h"
#include "tensor/window.h"

typedef struct pl_kernel_pairs_plan {
  const pl_conv2d *g;
  pl_dtype dtype;
  bool direct;
  int64_t parts, rows; /* partial sums; rows of an image at a time */
  int64_t width, window_room, room, sums;
  pl_slots slots;
  size_t bytes;
} pl_kernel_pairs_plan;

/* Whether the gradient, of a convolution that suits pairs, is better made this way. */
bool pl_kernel_pairs_suit(const pl_conv2d *g, pl_dtype dtype);
/* False when the workspace would not fit memory. */
bool pl_kernel_pairs_plan_make(pl_kernel_pairs_plan *plan, const pl_conv2d *g, pl_dtype dtype);
void pl_kernel_pairs(const pl_kernel_pairs_plan *plan, const void *x, const void *dy, bool add,
                     void *dkernel, void *workspace);

#endif
