/*
** Every kernel, its formula on one line, and the table through which it is reached.
** A kernel is a plain function on pointers and sizes: no allocation, no Lua, no error paths;
** workspace is passed in. Bodies live in the .inc files, written in REAL and FN(name), and are
** compiled once per dtype and once per instruction set (kernels.c).
*/
#ifndef PL_KERNELS_H
#define PL_KERNELS_H

#include <stdint.h>

#include "kernels/activation.h"
#include "kernels/conv2d.h"
#include "kernels/conv2d_pool.h"
#include "kernels/dense.h"
#include "kernels/dropout.h"
#include "kernels/loss.h"
#include "kernels/matmul.h"
#include "kernels/norm.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/pool.h"
#include "kernels/winograd.h"
#include "kernels/winograd_few.h"
#include "tensor/tensor.h"

#define PL_MAX_OPERANDS 4

/*
** An elementwise kernel: for i in 0..n-1, operand 0 at i := formula of operands 1.. at i.
** Strides count elements. Operand 0 may be one of the inputs itself. `param` holds scalars.
*/
typedef void pl_map_fn(int64_t n, void *const *operand, const int64_t *stride, const double *param);

/* Formulas: x, a, b are the inputs, p the scalars, WIDE a type in which integers cannot
** overflow, M(f) the math function f of the dtype, ISNAN(x) false for integers,
** MULTIPLY_ADD(a, b, c) = a b + c with the same bits in every loop. */

/* clang-format off */
/*      name         formula */
#define PL_UNARY_ANY(X)                                   \
  X(neg,         -x)                                      \
  X(abs,         x > 0 ? x : 0 - x)                       \
  X(sign,        x > 0 ? 1 : x < 0 ? -1 : x)              \
  X(square,      x * x)                                   \
  X(relu,        x < 0 ? 0 : x)                           \
  X(clamp,       x < (WIDE)p[0] ? (WIDE)p[0] : x > (WIDE)p[1] ? (WIDE)p[1] : x)

#define PL_UNARY_FLOAT(X)                                 \
  X(floor,       M(floor)(x))                             \
  X(ceil,        M(ceil)(x))                              \
  X(round,       M(rint)(x)) /* halves to even */         \
  X(trunc,       M(trunc)(x))                             \
  X(sqrt,        M(sqrt)(x))                              \
  X(rsqrt,       1 / M(sqrt)(x))                          \
  X(reciprocal,  1 / x)                                   \
  X(sin,         M(sin)(x))                               \
  X(cos,         M(cos)(x))

/* x is a register of numbers: functions.inc */
#define PL_UNARY_VECTOR(X)                                \
  X(exp,         FN(exp_of)(x))                           \
  X(expm1,       FN(expm1_of)(x))    /* e^x - 1 */        \
  X(log,         FN(log_of)(x))                           \
  X(log1p,       FN(log1p_of)(x))    /* log(1 + x) */     \
  X(erf,         FN(erf_of)(x))

/* to uint8 */
#define PL_UNARY_TEST(X)                                  \
  X(isnan,       x != x)                                  \
  X(isinf,       x - x != 0 && x == x)                    \
  X(isfinite,    x - x == 0)

#define PL_BINARY_ANY(X)                                  \
  X(add,         a + b)                                   \
  X(sub,         a - b)                                   \
  X(mul,         a * b)                                   \
  X(maximum,     a >= b || ISNAN(a) ? a : b)              \
  X(minimum,     a <= b || ISNAN(a) ? a : b)              \
  X(floor_divide, FN(floor_divide_of)(a, b)) /* an integer by 0 gives 0 */ \
  X(mod,         FN(mod_of)(a, b)) /* Lua's: the sign of b; an integer by 0 gives 0 */

#define PL_BINARY_FLOAT(X)                                \
  X(div,         a / b)                                   \
  X(pow,         M(pow)(a, b))

/* what add(other, scale) runs; no method of its own */
#define PL_BINARY_SCALED(X)                               \
  X(add_scaled,  MULTIPLY_ADD((REAL)p[0], b, a)) /* a + p b */

/* to uint8 */
#define PL_COMPARE(X)                                     \
  X(eq,          a == b)                                  \
  X(ne,          a != b)                                  \
  X(lt,          a < b)                                   \
  X(le,          a <= b)                                  \
  X(gt,          a > b)                                   \
  X(ge,          a >= b)

/* uint8 only: anything but 0 is true */
#define PL_LOGICAL(X)                                     \
  X(logical_and, a != 0 && b != 0)                        \
  X(logical_or,  a != 0 || b != 0)                        \
  X(logical_xor, (a != 0) != (b != 0))

/* not listed above: logical_not (uint8) x == 0; where (c, a, b) c != 0 ? a : b; cast (REAL)x */

#define PL_NAME(name, ...) PL_##name,
typedef enum {
  PL_UNARY_ANY(PL_NAME) PL_UNARY_FLOAT(PL_NAME) PL_UNARY_VECTOR(PL_NAME)
  PL_ACTIVATION_PLAIN(PL_NAME) PL_ACTIVATION_NN(PL_NAME)
  PL_UNARY_TEST(PL_NAME) PL_logical_not,
  PL_BINARY_ANY(PL_NAME) PL_BINARY_FLOAT(PL_NAME) PL_BINARY_SCALED(PL_NAME)
  PL_COMPARE(PL_NAME) PL_LOGICAL(PL_NAME) PL_where, PL_MAP_COUNT
} pl_map_op;
#undef PL_NAME
/* clang-format on */

/*
** A reduction kernel folds a tile, x[i*sn + j*sm] for i < n and j < m, into m accumulators: slot s
** of accumulator j is acc[s * PL_REDUCE_WIDTH + j]. n >= 1, 1 <= m <= PL_REDUCE_WIDTH. Floats
** accumulate in double; `first` is the tile's position in the whole reduced range.
*/
#define PL_REDUCE_WIDTH 256
typedef union pl_acc {
  double f;
  int64_t i;
} pl_acc;
typedef void pl_reduce_fn(int64_t n, int64_t m, const void *x, int64_t sn, int64_t sm,
                          int64_t first, pl_acc *acc);

/*      name        slots */
#define PL_REDUCE(X)                                                                               \
  X(sum, 1)     /* a += x; integers in int64 */                                                    \
  X(prod, 1)    /* a *= x; integers in int64, overflow leaves INT64_MIN */                         \
  X(squares, 1) /* a += x * x, in double */                                                        \
  X(count, 1)   /* a += x != 0, in int64 */                                                        \
  X(moments, 3) /* count, mean, sum of (x - mean)^2 */                                             \
  X(min, 1)     /* in double, NaN if there is one */                                               \
  X(max, 1)                                                                                        \
  X(argmin, 2) /* min, position of the first (int64, -1: none yet) */                              \
  X(argmax, 2)                                                                                     \
  X(logsumexp, 2) /* top, sum of e^(x - top) */

#define PL_NAME(name, slots) PL_REDUCE_##name,
typedef enum { PL_REDUCE(PL_NAME) PL_REDUCE_COUNT } pl_reduce_op;
#undef PL_NAME

/* Along n, for each of m: out[i, j] := sum x[0..i, j] | e^x / sum e^x | x - log sum e^x. Strides
** are {along n, along m}. False when an int32 sum does not fit. m <= PL_REDUCE_WIDTH. */
typedef bool pl_scan_fn(int64_t n, int64_t m, const void *x, const int64_t *sx, void *out,
                        const int64_t *so);
enum { PL_TAKE_ROWS = 4 }; /* long ones are taken so many at a time */
/* out[r, i] := x[index[r], i] for r < k, i < n; index is 1-based */
typedef void pl_take_fn(int64_t k, int64_t n, const int32_t *index, const void *x,
                        const int64_t *sx, void *out, const int64_t *so);
/* out[index[r], i] += scale * x[r, i], r ascending */
typedef void pl_index_add_fn(int64_t k, int64_t n, const int32_t *index, void *out,
                             const int64_t *so, const void *x, const int64_t *sx, double scale);
/* where[0..] := the 1-based positions of x[i*stride] != 0; returns how many; room for n */
typedef int64_t pl_find_fn(int64_t n, const void *x, int64_t stride, int32_t *where);
/* all a == b | all |a - b| <= atol + rtol * |b| or a == b; p: rtol, atol, NaN equals NaN */
typedef bool pl_compare_fn(int64_t n, const void *a, int64_t sa, const void *b, int64_t sb,
                           const double *p);
/* The first k of n elements in stable order, NaN last, and their 1-based positions; values may be
** NULL. Workspace for 2 * n * PL_SORT_RECORD(dtype) bytes; n < 2^31. */
typedef void pl_sort_fn(int64_t n, int64_t k, const void *x, int64_t sx, void *values, int64_t sv,
                        int32_t *indices, int64_t si, bool descending, void *workspace);
#define PL_SORT_RECORD(dtype) ((dtype) == PL_FLOAT64 ? 16 : 8)

typedef struct pl_kernels {
  pl_map_fn *map[PL_MAP_COUNT][PL_DTYPE_COUNT];    /* NULL: not for that dtype (of operand 1;
                                                     of operand 2 for where) */
  pl_map_fn *cast[PL_DTYPE_COUNT][PL_DTYPE_COUNT]; /* [from][to]; to uint8 and int32 truncates
                                                      towards 0 and saturates, NaN gives 0 */
  /* dx := (p[2] ? dx : 0) + dy * slope; operands dx, dy, x, y */
  pl_map_fn *slope[PL_SLOPE_COUNT][2];
  pl_reduce_fn *reduce[PL_REDUCE_COUNT][PL_DTYPE_COUNT];
  pl_scan_fn *cumsum[PL_DTYPE_COUNT], *softmax[PL_DTYPE_COUNT], *log_softmax[PL_DTYPE_COUNT];
  pl_take_fn *take[PL_DTYPE_COUNT];
  pl_index_add_fn *index_add[PL_DTYPE_COUNT];
  pl_map_fn *gather[PL_DTYPE_COUNT]; /* out := x[(index - 1) * p[0]]; operands out, index, x */
  pl_find_fn *find[PL_DTYPE_COUNT];
  pl_compare_fn *equal[PL_DTYPE_COUNT], *close[PL_DTYPE_COUNT];
  pl_sort_fn *sort[PL_DTYPE_COUNT];
  pl_conv2d_kernels conv2d[2]; /* float32, float64 */
  pl_optimizer_kernels optimizer;
  /* x := a * x + b on registers; returns the operations done, adds the result to *sum */
  double (*peak)(int64_t rounds, float *sum);
  /* float32 and float64 */
  const pl_conv2d_outer_pairs_kernels *outer_pairs[2];
  const pl_conv2d_pool_kernels *conv2d_pool[2];
  const pl_dense_kernels *dense[2];
  const pl_matmul_kernels *matmul[2];
  const pl_dropout_kernels *dropout[2];
  const pl_loss_kernels *loss[2];
  const pl_norm_kernels *norm[2];
  const pl_pack_kernels *pack[2];
  const pl_pool_kernels *pool[2];
  const pl_winograd_kernels *winograd[2][PL_WINOGRAD_TILES];
  const pl_winograd_few_kernels *winograd_few[2];
} pl_kernels;

/* The table for this processor. */
const pl_kernels *pl_kernels_get(void);

extern const pl_kernels pl_kernels_baseline, pl_kernels_avx2, pl_kernels_avx512;

#endif
