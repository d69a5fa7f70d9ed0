/*
** Loops over some axes of several tensors: axes of size 1 go, axes that lie evenly in memory for
** every operand merge. What is left is counted by one number, row-major.
*/
#ifndef PL_WALK_H
#define PL_WALK_H

#include "tensor/tensor.h"

#define PL_WALK_OPERANDS 3

typedef struct pl_walk {
  int operands, rank; /* rank >= 1 */
  int64_t count;      /* product of shape */
  int64_t shape[PL_MAX_RANK];
  int64_t stride[PL_WALK_OPERANDS][PL_MAX_RANK]; /* in elements */
} pl_walk;

typedef enum {
  PL_IN_ORDER, /* axes stay in order */
  PL_BY_STRIDE /* operand 0's largest stride first */
} pl_walk_order;

/* Walks the axes whose bits are set; all operands have operand 0's shape. */
void pl_walk_make(pl_walk *walk, int operands, const pl_tensor *const *operand, unsigned axes,
                  pl_walk_order order);
/* The element offset of position `at` in an operand, counting only the first `axes` axes. */
int64_t pl_walk_offset(const pl_walk *walk, int operand, int axes, int64_t at);
/* Exchanges two axes of the walk. */
void pl_walk_swap(pl_walk *walk, int a, int b);

#endif
