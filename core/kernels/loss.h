/*
** Cross-entropy of the softmax of logits, and gradients of softmaxes along an axis.
*/
#ifndef PL_KERNELS_LOSS_H
#define PL_KERNELS_LOSS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_cross_entropy {
  int64_t classes;
  const int32_t *label; /* 1-based; NULL: */
  const void *target;   /* rows of `classes` numbers */
  const void *weight;   /* one a row, or NULL */
  double smoothing;     /* target := target * (1 - smoothing) + smoothing / classes */
} pl_cross_entropy;

/* Strides {along n, along m} for n summed and m kept elements; m <= PL_REDUCE_WIDTH. */
typedef struct pl_loss_kernels {
  /* For rows first .. first+rows-1 (every pointer at row 0): p := softmax of x; returns
  ** sum weight * sum_j target_j * (log sum e^x - x_j) */
  double (*cross_entropy)(const pl_cross_entropy *e, int64_t first, int64_t rows, const void *x,
                          void *p);
  /* dx := (add ? dx : 0) + scale * weight * (p * sum_j target_j - target) */
  void (*cross_entropy_backward)(const pl_cross_entropy *e, int64_t first, int64_t rows,
                                 const void *p, void *dx, double scale, bool add);
  /* dx := (add ? dx : 0) + y * (dy - sum dy * y) */
  void (*softmax_backward)(int64_t n, int64_t m, const int64_t *stride, const void *dy,
                           const void *y, void *dx, bool add);
  /* dx := (add ? dx : 0) + dy - e^y * sum dy */
  void (*log_softmax_backward)(int64_t n, int64_t m, const int64_t *stride, const void *dy,
                               const void *y, void *dx, bool add);
} pl_loss_kernels;

#endif
