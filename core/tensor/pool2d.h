/*
** Pooling of whole batches, NHWC, in parallel over rows. Tensors are contiguous and of one float
** dtype; places are uint8, or int32 when p->wide.
*/
#ifndef PL_POOL2D_H
#define PL_POOL2D_H

#include "kernels/pool.h"
#include "tensor/tensor.h"

/* which NULL: no places are kept */
void pl_max_pool2d(const pl_pool2d *p, const pl_tensor *x, const pl_tensor *y,
                   const pl_tensor *which);
void pl_max_pool2d_backward(const pl_pool2d *p, const pl_tensor *dy, const pl_tensor *which,
                            const pl_tensor *dx, bool add);
void pl_avg_pool2d(const pl_pool2d *p, const pl_tensor *x, const pl_tensor *y);
void pl_avg_pool2d_backward(const pl_pool2d *p, const pl_tensor *dy, const pl_tensor *dx, bool add);

#endif
