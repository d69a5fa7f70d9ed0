/*
** Winograd's F(4×4, 3×3) of few input channels, on the pool: see kernels/winograd_few.inc. Chosen by conv2d's
** plans; the contract is theirs (conv2d.h).
*/
#ifndef PL_TENSOR_WINOGRAD_FEW_H
#define PL_TENSOR_WINOGRAD_FEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/conv2d.h"
#include "tensor/tensor.h"
#include "tensor/window.h"

typedef struct pl_winograd_few_plan {
  const pl_conv2d *g;
  pl_dtype dtype;
  int64_t down, tasks; /* rows of tiles of an image; how many tasks share all of them */
  pl_slots slots;      /* forward: for the points of each thread */
  size_t apart, bytes; /* apart: from one part's sums to the next's */
} pl_winograd_few_plan;

/* Whether a pass forward, or by the kernel, is better done this way. */
bool pl_winograd_few_suits(const pl_conv2d *g);
/* False when the workspace would not fit memory. */
bool pl_winograd_few_plan_make(pl_winograd_few_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                               bool by_kernel);
void pl_winograd_few_forward(const pl_winograd_few_plan *plan, const void *x, const void *kernel,
                             const void *bias, bool relu, void *y, void *workspace);
void pl_winograd_few_backward_kernel(const pl_winograd_few_plan *plan, const void *x,
                                     const void *dy, bool add, void *dkernel, void *workspace);

#endif
