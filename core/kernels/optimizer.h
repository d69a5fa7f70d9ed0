/*
** Optimizers: every update rule as one pass over a parameter, its gradient and its states.
** All rules first do the same to an element:
**     g := clip(scale * gradient)    scale and the interval [-limit, limit] serve every clipping
**     w := w - decay * w             decay is learning rate times weight decay, 0 for none
** and then what their row says. A rate is 1 - beta: m += rate * (g - m) is an average of the g
** that keeps beta of its past. Names and order of states and scalars are those of the row.
*/
#ifndef PL_OPTIMIZER_KERNELS_H
#define PL_OPTIMIZER_KERNELS_H

#include <stdint.h>

#define PL_OPTIMIZER_STATES 3
#define PL_OPTIMIZER_SCALARS 6
#define PL_OPTIMIZER_COMMON 3 /* scale, limit, decay come before the scalars of the rule */

/* clang-format off */
/*  name, states (count, names), scalars (count, names), statements; M(f) is f of the dtype */
#define PL_OPTIMIZER(X)                                                                    \
  X(sgd, 0, (), 1, (lr),                                                                   \
    w -= lr * g)                                                                           \
  X(momentum, 1, (m), 2, (lr, mu),                                                         \
    m = mu * m - lr * g; w += m)                                                           \
  X(nesterov, 1, (m), 2, (lr, mu),                                                         \
    m = mu * m - lr * g; w += mu * m - lr * g)                                             \
  X(adam, 2, (m, v), 4, (alpha, rate_1, rate_2, epsilon),                                  \
    m += rate_1 * (g - m); v += rate_2 * (g * g - v);                                      \
    w -= alpha * m / (M(sqrt)(v) + epsilon))                                               \
  X(amsgrad, 3, (m, v, top), 4, (alpha, rate_1, rate_2, epsilon),                          \
    m += rate_1 * (g - m); v += rate_2 * (g * g - v); top = top > v ? top : v;             \
    w -= alpha * m / (M(sqrt)(top) + epsilon))                                             \
  X(nadam, 2, (m, v), 6, (alpha_m, alpha_g, rate_1, rate_2, correction, epsilon),          \
    m += rate_1 * (g - m); v += rate_2 * (g * g - v);                                      \
    w -= (alpha_m * m + alpha_g * g) / (M(sqrt)(v) * correction + epsilon))                \
  X(rmsprop, 1, (v), 3, (lr, rate, epsilon),                                               \
    v += rate * (g * g - v); w -= lr * g / M(sqrt)(v + epsilon))                           \
  X(rmsprop_momentum, 2, (v, m), 4, (lr, rate, epsilon, mu),                               \
    v += rate * (g * g - v); m = mu * m + lr * g / M(sqrt)(v + epsilon); w -= m)           \
  X(rmsprop_centered, 2, (v, mean), 3, (lr, rate, epsilon),                                \
    v += rate * (g * g - v); mean += rate * (g - mean);                                    \
    w -= lr * g / M(sqrt)(FN(not_negative)(v - mean * mean) + epsilon))                    \
  X(rmsprop_centered_momentum, 3, (v, mean, m), 4, (lr, rate, epsilon, mu),                \
    v += rate * (g * g - v); mean += rate * (g - mean);                                    \
    const REAL variance = FN(not_negative)(v - mean * mean);                               \
    m = MULTIPLY_ADD(mu, m, lr * g / M(sqrt)(variance + epsilon)); w -= m)                 \
  X(adagrad, 1, (sum), 2, (lr, epsilon),                                                   \
    sum += g * g; w -= lr * g / M(sqrt)(sum + epsilon))                                    \
  X(adadelta, 2, (v, u), 3, (lr, rate, epsilon),                                           \
    v += rate * (g * g - v);                                                               \
    const REAL delta = M(sqrt)(u + epsilon) / M(sqrt)(v + epsilon) * g;                    \
    u += rate * (delta * delta - u); w -= lr * delta)                                      \
  X(lion, 1, (m), 3, (lr, rate_1, rate_2),                                                 \
    const REAL c = m + rate_1 * (g - m);                                                   \
    w -= lr * (c > 0 ? 1 : c < 0 ? -1 : c); m += rate_2 * (g - m))                         \
  X(muon, 2, (m, d), 3, (mu, from_m, from_g), /* d: what is to be made orthogonal */       \
    m = mu * m + g; d = from_m * m + from_g * g)                                           \
  X(average, 0, (), 2, (keep, rate), /* w: an average of weights; g: the weights */        \
    w = keep * w + rate * g)
/* clang-format on */

/* for i < n; operands: parameter, gradient, states */
typedef void pl_optimizer_fn(int64_t n, void *const *operand, const double *scalar);

#define PL_NAME(name, ...) PL_OPTIMIZER_##name,
typedef enum { PL_OPTIMIZER(PL_NAME) PL_OPTIMIZER_COUNT } pl_optimizer_rule;
#undef PL_NAME

typedef struct pl_optimizer_kernels {
  pl_optimizer_fn *step[PL_OPTIMIZER_COUNT][2]; /* float32, float64 */
} pl_optimizer_kernels;

#endif
