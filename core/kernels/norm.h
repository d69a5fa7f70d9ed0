/*
** Normalisation of matrices {rows, columns}: each column over its rows (a batch's channels), or each
** row by itself. h is the normalised x, (x - mean) * inverse; gamma and beta, one number a column,
** may be NULL: 1 and 0. Statistics of columns are moments, kernels.h.
*/
#ifndef PL_KERNELS_NORM_H
#define PL_KERNELS_NORM_H

#include <stdbool.h>
#include <stdint.h>

union pl_acc;

typedef struct pl_normalisation {
  int64_t columns;
  const void *mean, *inverse, *gamma, *beta;
} pl_normalisation;

typedef struct pl_norm_kernels {
  /* mean[i], variance[i] := those of accumulator i < n */
  void (*statistics)(int64_t n, const union pl_acc *moments, void *mean, void *variance);
  /* inverse[i] := 1 / sqrt(variance[i] + epsilon) */
  void (*inverse)(int64_t n, const void *variance, double epsilon, void *inverse);
  /* y := h * gamma + beta */
  void (*columns)(const pl_normalisation *norm, int64_t rows, const void *x, void *y);
  /* sum[c] += dy, sum[columns + c] += dy * h */
  void (*columns_sums)(const pl_normalisation *norm, int64_t rows, const void *dy, const void *x,
                       double *sum);
  /* share[i] := sum[i] / count */
  void (*shares)(int64_t n, const double *sum, double count, void *share);
  /* dx := (add ? dx : 0) + gamma * inverse * (dy - share[c] - h * share[columns + c]); share NULL: 0,
  ** for statistics that are constants */
  void (*columns_backward)(const pl_normalisation *norm, int64_t rows, const void *dy,
                           const void *x, const void *share, void *dx, bool add);
  /* y := h * gamma + beta, with each row's own mean and inverse, which are kept */
  void (*rows)(const pl_normalisation *norm, int64_t rows, const void *x, double epsilon,
               void *mean, void *inverse, void *y);
  /* With d = dy * gamma: dx := (add ? dx : 0) + inverse * (d - mean of d - h * mean of d * h), and
  ** the sums of columns_sums. norm's mean and inverse are one a row; dx or sum may be NULL. */
  void (*rows_backward)(const pl_normalisation *norm, int64_t rows, const void *dy, const void *x,
                        void *dx, bool add, double *sum);
} pl_norm_kernels;

#endif
