/*
** Runs elementwise kernels over tensors of any layout, in parallel.
** A plan merges axes that lie evenly in memory and orders the rest so that the inner loop is long
** and runs through the output with its smallest stride.
*/
#ifndef PL_MAP_H
#define PL_MAP_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

typedef struct pl_plan {
  int operands, rank; /* rank >= 1; axis rank-1 is the inner loop */
  int64_t numel;
  int64_t shape[PL_MAX_RANK];
  int64_t stride[PL_MAX_OPERANDS][PL_MAX_RANK]; /* in elements */
  size_t size[PL_MAX_OPERANDS];                 /* of an element, in bytes */
  char *base[PL_MAX_OPERANDS];
} pl_plan;

/* All operands have operand 0's shape (see pl_view_expand). */
void pl_plan_make(pl_plan *plan, int operands, const pl_tensor *const *operand);
void pl_map(pl_map_fn *kernel, int operands, const pl_tensor *const *operand, const double *param);
/* t[i] := first + i * step, computed in float64 and then cast. t is contiguous and of rank 1. */
void pl_ramp(const pl_tensor *t, double first, double step);

#endif
