/*
** Convolutions of 3×3 kernels by Winograd's F(2×2, 3×3) or F(4×4, 3×3), on the pool: a half or a quarter of the products.
** Chosen by conv2d's plans where there are enough channels; the contract is theirs (conv2d.h).
*/
#ifndef PL_TENSOR_WINOGRAD_H
#define PL_TENSOR_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/conv2d.h"
#include "kernels/winograd.h"
#include "tensor/tensor.h"
#include "tensor/window.h"

typedef enum pl_conv2d_pass {
  PL_CONV2D_FORWARD,
  PL_CONV2D_POOLED, /* forward, and then the largest of each 2×2 pixels */
  PL_CONV2D_BACKWARD,
  PL_CONV2D_KERNEL
} pl_conv2d_pass;

typedef struct pl_winograd_plan {
  const pl_conv2d *g;
  pl_dtype dtype;
  pl_conv2d_pass pass;
  pl_winograd_tile tile;
  int64_t made, seen, points; /* of a tile: pixels to a side, and of what they see; products */
  int64_t from[2], before[2], to[2]; /* pixels that are read, their padding, and those made */
  int64_t from_channels, to_channels, from_wide, to_wide; /* wide: whole vectors */
  int64_t from_step, to_step;                             /* from tile to tile */
  int64_t down, across, tiles;                            /* of an image; of all */
  int64_t tasks, task_tiles;                              /* of tiles; task_tiles: at most */
  int64_t channel_parts; /* of those made, when the kernel's matrices are large */
  int64_t from_apart, to_apart, kernel_apart; /* numbers from point to point */
  int64_t parts;                              /* partial sums of the gradient by the kernel */
  bool whole;                                 /* all tiles go to the points before any are summed */
  int64_t runs;
  pl_slots slots;
  size_t zeros_at, matrices_at, bytes;
} pl_winograd_plan;

/* Whether a pass is better done this way. */
bool pl_winograd_suits(const pl_conv2d *g);

/* False when the workspace would not fit memory. */
bool pl_winograd_plan_make(pl_winograd_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                           pl_conv2d_pass pass);
/* Forward, pooled, or backwards by data */
void pl_winograd_pass(const pl_winograd_plan *plan, const void *from, const void *kernel,
                      const void *bias, bool relu, bool add, void *to, uint8_t *which,
                      void *workspace);
void pl_winograd_backward_kernel(const pl_winograd_plan *plan, const void *x, const void *dy,
                                 bool add, void *dkernel, void *workspace);

#endif
