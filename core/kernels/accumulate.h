/*
** How accumulators of a reduction grow and join; the kernels and the driver that merges partial
** results share these formulas. Slot s of an accumulator lies PL_REDUCE_WIDTH entries further.
*/
#ifndef PL_ACCUMULATE_H
#define PL_ACCUMULATE_H

#include <math.h>

#include "kernels/kernels.h"

/* a * b, or INT64_MIN when int64 cannot hold it: only a factor 0 brings that back. */
static inline int64_t pl_product(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MIN : product;
}

/* Chan's formula: adds n values of that mean and sum of squared deviations. */
static inline void pl_merge_moments(pl_acc *acc, double n, double mean, double squares) {
  enum { W = PL_REDUCE_WIDTH };
  if (acc[0].f == 0) {
    acc[0].f = n;
    acc[W].f = mean;
    acc[2 * W].f = squares;
    return;
  }
  const double count = acc[0].f + n, delta = mean - acc[W].f;
  acc[2 * W].f += squares + delta * delta * (acc[0].f * n / count);
  acc[W].f += delta * (n / count);
  acc[0].f = count;
}

/* Adds a sum of e^(x - top) over some x to an accumulator of offset and sum. */
static inline void pl_merge_exponentials(pl_acc *acc, double top, double sum) {
  enum { W = PL_REDUCE_WIDTH };
  if (sum == 0) return;
  if (acc[W].f == 0) {
    acc[0].f = top;
    acc[W].f = sum;
    return;
  }
  const double offset = acc[0].f > top ? acc[0].f : top, old = acc[W].f;
  /* an infinite sum stays: its product with a vanishing power would be NaN */
  acc[W].f = (old - old != 0 ? old : old * exp(acc[0].f - offset)) +
             (sum - sum != 0 ? sum : sum * exp(top - offset));
  acc[0].f = offset;
}

#endif
