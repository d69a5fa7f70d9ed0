/*
** What surrounds the matrix products of a dense layer.
*/
#ifndef PL_KERNELS_DENSE_H
#define PL_KERNELS_DENSE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_dense_kernels {
  /* y[r, c] := beta * x[r, c]; rows lie x_row and y_row apart */
  void (*scale)(int64_t rows, int64_t columns, double beta, const void *x, int64_t x_row, void *y,
                int64_t y_row);
  /* y[r, c] := y + bias[c], then max(0, …) with relu; rows lie `leading` apart; bias may be NULL */
  void (*bias_relu)(int64_t rows, int64_t columns, void *y, int64_t leading, const void *bias,
                    bool relu);
  /* dz := y > 0 ? dy : 0 and sum[c] += sum_r dz, or of dy when y is NULL; dz or sum may be NULL */
  void (*bias_relu_backward)(int64_t rows, int64_t columns, const void *dy, const void *y, void *dz,
                             double *sum);
  /* out[c] := (add ? out[c] : 0) + sum of partial[k * columns + c] over k, in order */
  void (*gather)(int64_t count, int64_t columns, const double *partial, void *out, bool add);
} pl_dense_kernels;

#endif
