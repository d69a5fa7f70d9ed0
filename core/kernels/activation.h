/*
** Activation functions: what each computes and its slope, side by side. Formulas are in registers x,
** y of numbers, PARAMETER(i) the scalars in the dtype; a loop over elements and its gradient are made
** of each row (elementwise.inc, activation.inc).
*/
#ifndef PL_KERNELS_ACTIVATION_H
#define PL_KERNELS_ACTIVATION_H

/* clang-format off */
/*      name         y                                         dy / dx, from x and y */
/* methods of tensors */
#define PL_ACTIVATION_PLAIN(X)                                                                     \
  X(sigmoid,   FN(sigmoid_of)(x) /* 1 / (1 + e^-x) */,   y * (1 - y))                              \
  X(tanh,      FN(tanh_of)(x),                           FN(multiply_add)(-y, y, SPREAD(1)))       \
  X(softplus,  FN(softplus_of)(x) /* log(1 + e^x) */,    FN(sigmoid_of)(x))

/* reached through core.nn */
#define PL_ACTIVATION_NN(X)                                                                        \
  X(leaky_relu, FN(select)(x > 0, x, x * PARAMETER(0)),                                            \
                FN(select)(x > 0, SPREAD(1), SPREAD(PARAMETER(0))))                                \
  X(elu,        FN(select)(x > 0, x, FN(expm1_of)(x) * PARAMETER(0)) * PARAMETER(1),               \
                FN(select)(x > 0, SPREAD(1), FN(exp_of)(x) * PARAMETER(0)) * PARAMETER(1))         \
  X(silu,      x * FN(sigmoid_of)(x),                    FN(silu_slope)(x))                        \
  X(gelu,      FN(gelu_of)(x) /* x times the normal distribution's */, FN(gelu_slope)(x))          \
  X(gelu_tanh, FN(gelu_tanh_of)(x),                      FN(gelu_tanh_slope)(x))

/* y for every dtype, in kernels.h */
#define PL_ACTIVATION_ANY(X)                                                                       \
  X(relu, ,                                              FN(select)(y > 0, SPREAD(1), SPREAD(0)))

#define PL_ACTIVATION(X) PL_ACTIVATION_ANY(X) PL_ACTIVATION_PLAIN(X) PL_ACTIVATION_NN(X)
/* clang-format on */

#define PL_NAME(name, formula, slope) PL_SLOPE_##name,
typedef enum { PL_ACTIVATION(PL_NAME) PL_SLOPE_COUNT } pl_slope_op;
#undef PL_NAME

#endif
