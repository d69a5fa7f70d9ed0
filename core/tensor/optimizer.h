/*
** One step of an optimizer on one parameter, and the norm that clipping needs.
*/
#ifndef PL_OPTIMIZER_H
#define PL_OPTIMIZER_H

#include "kernels/kernels.h"

/* operand: parameter, gradient and the rule's states, contiguous, of one float dtype and shape.
** scalar: scale, limit, decay, then the rule's own; see kernels/optimizer.h. */
void pl_optimizer_step(pl_optimizer_rule rule, int operands, const pl_tensor *const *operand,
                       const double *scalar);

/* The Euclidean norm of a contiguous float tensor, summed in double. Needs no workspace, which the
** general reduction does: a training step allocates nothing. */
double pl_norm(const pl_tensor *t);

#endif
