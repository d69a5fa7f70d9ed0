/*
** Dense layers on matrices: x {n, d}, kernel w {d, u}, bias {u}, y {n, u}, all contiguous and of
** one float dtype. The product and its gradients are pl_matmul_with's.
*/
#ifndef PL_DENSE_H
#define PL_DENSE_H

#include "tensor/tensor.h"

/* Of pl_dense_bias_backward, in bytes. */
size_t pl_dense_workspace(const pl_tensor *dy);
/* With y (the output of a ReLU): dz := y > 0 ? dy : 0. db := (add ? db : 0) + the sum over the rows
** of dz, or of dy without y. db may be NULL; without y, dz is not used. */
void pl_dense_bias_backward(const pl_tensor *dy, const pl_tensor *y, const pl_tensor *dz,
                            const pl_tensor *db, bool add, void *workspace);

#endif
