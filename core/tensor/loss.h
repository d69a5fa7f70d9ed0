/*
** Cross-entropy over a batch, and gradients of softmaxes along an axis. Tensors are contiguous and
** of one float dtype.
*/
#ifndef PL_LOSS_H
#define PL_LOSS_H

#include "kernels/loss.h"
#include "tensor/tensor.h"

/* For rows of logits {n, classes}. */
size_t pl_cross_entropy_workspace(const pl_tensor *logits);
/* p := softmax of the logits; returns sum weight * loss over the rows */
double pl_cross_entropy_sum(const pl_cross_entropy *e, const pl_tensor *logits, const pl_tensor *p,
                            void *workspace);
/* dx := (add ? dx : 0) + scale * weight * d loss / d logits */
void pl_cross_entropy_backward(const pl_cross_entropy *e, const pl_tensor *p, const pl_tensor *dx,
                               double scale, bool add);
/* dx := (add ? dx : 0) + the gradient of y := softmax(x) or log_softmax(x) along an axis */
void pl_softmax_backward(const pl_tensor *dy, const pl_tensor *y, int axis, const pl_tensor *dx,
                         bool add, bool logarithm);

#endif
