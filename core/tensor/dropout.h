/*
** Dropout of whole tensors, in parallel. Tensors are contiguous and of one float dtype; dy and dx
** take the places of x and y for the gradient.
*/
#ifndef PL_DROPOUT_H
#define PL_DROPOUT_H

#include "kernels/dropout.h"
#include "tensor/tensor.h"

/* rate in [0, 1) */
pl_dropout pl_dropout_make(uint64_t seed, uint64_t stream, uint64_t position, double rate);
/* y := (add ? y : 0) + (kept ? x / (1 - rate) : 0), one decision an element */
void pl_dropout_elements(const pl_dropout *d, const pl_tensor *x, const pl_tensor *y, bool add);
/* The same with one decision for each of x {n, h, w, c}'s n * c planes; workspace for n * c
** numbers of x's dtype. */
void pl_dropout_channels(const pl_dropout *d, const pl_tensor *x, const pl_tensor *y, bool add,
                         void *workspace);

#endif
