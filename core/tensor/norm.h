/*
** Normalisation of tensors that are seen as matrices {rows, columns}: batch normalisation over the
** rows, layer normalisation of each row. All are contiguous and of one float dtype; gamma and beta
** {columns} may be NULL. Rows are cut into chunks whose sums are joined in order.
*/
#ifndef PL_NORM_H
#define PL_NORM_H

#include "tensor/tensor.h"

typedef struct pl_norm_tensors {
  const pl_tensor *x, *y, *mean, *inverse; /* y the result, or its gradient */
  const pl_tensor *gamma, *beta;
  int64_t columns;
} pl_norm_tensors;

/* Where gradients go; NULL: not wanted. */
typedef struct pl_norm_gradients {
  const pl_tensor *x, *gamma, *beta;
  bool add_x, add_gamma, add_beta;
} pl_norm_gradients;

/* Bytes that every function here may use. */
size_t pl_norm_workspace(const pl_tensor *x, int64_t columns);

/* mean, variance := those of each column */
void pl_batch_norm_statistics(const pl_norm_tensors *t, const pl_tensor *variance, void *workspace);
/* inverse := 1 / sqrt(variance + epsilon), y := (x - mean) * inverse * gamma + beta */
void pl_batch_norm(const pl_norm_tensors *t, const pl_tensor *variance, double epsilon);
/* constant: mean and inverse do not depend on x */
void pl_batch_norm_backward(const pl_norm_tensors *t, bool constant, const pl_norm_gradients *to,
                            void *workspace);
/* The same of each row, whose mean and inverse are results */
void pl_layer_norm(const pl_norm_tensors *t, double epsilon);
void pl_layer_norm_backward(const pl_norm_tensors *t, const pl_norm_gradients *to, void *workspace);

#endif
