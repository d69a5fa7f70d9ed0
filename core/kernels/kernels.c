/*
** All kernel bodies for one instruction set. The build compiles this file once for each, with
** its flags and with ISA naming the table: pl_kernels_<ISA>.
*/
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels/accumulate.h"

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)

/* for bodies that become fast once a stride is known to be 1 */
#define INLINE inline __attribute__((always_inline))

/* The operands of a unit-stride loop are the same memory or do not overlap. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* a loop it cannot vectorise is no fault */
#define EACH(n) _Pragma("clang loop vectorize(assume_safety)") for (int64_t i = 0; i < (n); i++)
#else
#define EACH(n) _Pragma("GCC ivdep") for (int64_t i = 0; i < (n); i++)
#endif

/* a b + c, rounded once where the processor does so at no cost. Left to itself the compiler contracts
** one loop and not another, and the same numbers in another layout give other bits. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define MULTIPLY_ADD(a, b, c) M(fma)(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#define PARAMETER(i) ((REAL)p[i]) /* in formulas */

#define IS_FLOAT 1
#define ISNAN(x) ((x) != (x))

#define REAL float
#define INTEGER int32_t
#define WIDE float
#define BITS 32
#define FN(name) name##_f32
#define M(function) function##f
#include "kernels/vector.inc"

#include "kernels/functions.inc"

#include "kernels/activation.inc"
#include "kernels/elementwise.inc"
#include "kernels/index.inc"
#include "kernels/optimizer.inc"
#include "kernels/reduce.inc"
#include "kernels/sort.inc"

#include "kernels/simd/tile.inc"

#include "kernels/simd/dots.inc"

#include "kernels/simd/pairs.inc"

#include "kernels/simd/dots_pairs.inc"

#include "kernels/simd/outer_pairs.inc"

#include "kernels/conv2d.inc"
#include "kernels/conv2d_pool.inc"
#include "kernels/dense.inc"
#include "kernels/dropout.inc"
#include "kernels/loss.inc"
#include "kernels/matmul.inc"
#include "kernels/norm.inc"
#include "kernels/pack.inc"
#include "kernels/pool.inc"
#include "kernels/winograd.inc"
#include "kernels/winograd_few.inc"
#undef INTEGER
#undef LANES
#undef SPREAD
#undef REAL
#undef WIDE
#undef BITS
#undef FN
#undef M

#define REAL double
#define INTEGER int64_t
#define WIDE double
#define BITS 64
#define FN(name) name##_f64
#define M(function) function
#include "kernels/vector.inc"

#include "kernels/functions.inc"

#include "kernels/activation.inc"
#include "kernels/elementwise.inc"
#include "kernels/index.inc"
#include "kernels/optimizer.inc"
#include "kernels/reduce.inc"
#include "kernels/sort.inc"

#include "kernels/simd/tile.inc"

#include "kernels/simd/dots.inc"

#include "kernels/simd/pairs.inc"

#include "kernels/simd/dots_pairs.inc"

#include "kernels/simd/outer_pairs.inc"

#include "kernels/conv2d.inc"
#include "kernels/conv2d_pool.inc"
#include "kernels/dense.inc"
#include "kernels/dropout.inc"
#include "kernels/loss.inc"
#include "kernels/matmul.inc"
#include "kernels/norm.inc"
#include "kernels/pack.inc"
#include "kernels/pool.inc"
#include "kernels/winograd.inc"
#include "kernels/winograd_few.inc"
#undef INTEGER
#undef LANES
#undef SPREAD
#undef REAL
#undef WIDE
#undef BITS
#undef FN
#undef M

#undef IS_FLOAT
#undef ISNAN
#define IS_FLOAT 0
#define ISNAN(x) 0

#define REAL uint8_t
#define WIDE int32_t
#define BITS 8
#define FN(name) name##_u8
#include "kernels/elementwise.inc"
#include "kernels/index.inc"
#include "kernels/reduce.inc"
#include "kernels/sort.inc"
#undef REAL
#undef WIDE
#undef BITS
#undef FN

#define REAL int32_t
#define WIDE int64_t
#define BITS 32
#define FN(name) name##_i32
#include "kernels/elementwise.inc"
#include "kernels/index.inc"
#include "kernels/reduce.inc"
#include "kernels/sort.inc"
#undef REAL
#undef WIDE
#undef BITS
#undef FN

#include "kernels/peak.inc"

#define LOGICAL(name, formula)                                                                     \
  static void name(int64_t n, void *const *operand, const int64_t *stride, const double *p) {      \
    uint8_t *out = operand[0];                                                                     \
    const uint8_t *left = operand[1], *right = operand[2];                                         \
    (void)p;                                                                                       \
    for (int64_t i = 0; i < n; i++) {                                                              \
      const uint8_t a = left[i * stride[1]], b = right[i * stride[2]];                             \
      out[i * stride[0]] = formula;                                                                \
    }                                                                                              \
  }
PL_LOGICAL(LOGICAL)

static void logical_not(int64_t n, void *const *operand, const int64_t *stride, const double *p) {
  uint8_t *out = operand[0];
  const uint8_t *in = operand[1];
  (void)p;
  for (int64_t i = 0; i < n; i++) out[i * stride[0]] = in[i * stride[1]] == 0;
}

#define ANY(name, formula) [PL_##name] = {name##_f32, name##_f64, name##_u8, name##_i32},
#define FLOAT(name, formula, ...) [PL_##name] = {name##_f32, name##_f64, 0, 0},
#define MASK(name, formula) [PL_##name] = {0, 0, name, 0},
#define ALL(name)                                                                                  \
  { name##_f32, name##_f64, name##_u8, name##_i32 }
#define SLOPE(name, ...) [PL_SLOPE_##name] = {name##_slope_map_f32, name##_slope_map_f64},
#define REDUCE(name, slots) [PL_REDUCE_##name] = ALL(reduce_##name),
#define OPTIMIZER(name, ...)                                                                       \
  [PL_OPTIMIZER_##name] = {optimizer_##name##_f32, optimizer_##name##_f64},
#define CASTS(from)                                                                                \
  { to_float32_##from, to_float64_##from, to_uint8_##from, to_int32_##from }

#define CONV2D(of)                                                                                 \
  {                                                                                                \
    conv2d_lanes_##of, TILE_VECTORS, conv2d_gather_##of, conv2d_outer_##of, conv2d_pack_##of,      \
        conv2d_pack_few_##of, conv2d_pack_pairs_##of, conv2d_dots_pairs_##of,                      \
        conv2d_pack_dots_pairs_##of, conv2d_pack_bias_##of, conv2d_mask_##of, conv2d_join_##of,    \
        depthwise_##of, depthwise_data_##of, depthwise_kernel_##of                                 \
  }

const pl_kernels PASTE(pl_kernels, ISA) = {
    .map = {PL_UNARY_ANY(ANY) PL_UNARY_FLOAT(FLOAT) PL_UNARY_VECTOR(FLOAT)
                PL_ACTIVATION_PLAIN(FLOAT) PL_ACTIVATION_NN(FLOAT) PL_UNARY_TEST(FLOAT)
                    PL_BINARY_ANY(ANY) PL_BINARY_FLOAT(FLOAT) PL_BINARY_SCALED(FLOAT)
                        PL_COMPARE(ANY) PL_LOGICAL(MASK) MASK(logical_not, ) ANY(where, )},
    .cast = {CASTS(f32), CASTS(f64), CASTS(u8), CASTS(i32)},
    .slope = {PL_ACTIVATION(SLOPE)},
    .reduce = {PL_REDUCE(REDUCE)},
    .cumsum = ALL(cumsum),
    .softmax = {softmax_f32, softmax_f64, 0, 0},
    .log_softmax = {log_softmax_f32, log_softmax_f64, 0, 0},
    .take = ALL(take),
    .index_add = ALL(index_add),
    .gather = ALL(gather),
    .find = ALL(find),
    .equal = ALL(equal),
    .close = ALL(close),
    .sort = ALL(sort),
    .conv2d = {CONV2D(f32), CONV2D(f64)},
    .outer_pairs = {&outer_pairs_f32, &outer_pairs_f64},
    .conv2d_pool = {&conv2d_pool_f32, &conv2d_pool_f64},
    .optimizer = {.step = {PL_OPTIMIZER(OPTIMIZER)}},
    .peak = peak,
    .dense = {&dense_f32, &dense_f64},
    .matmul = {&matmul_kernels_f32, &matmul_kernels_f64},
    .dropout = {&dropout_f32, &dropout_f64},
    .loss = {&loss_f32, &loss_f64},
    .norm = {&norm_f32, &norm_f64},
    .pack = {&pack_f32, &pack_f64},
    .pool = {&pool_f32, &pool_f64},
    .winograd = {{&winograd_tile_2_f32, &winograd_tile_4_f32},
                 {&winograd_tile_2_f64, &winograd_tile_4_f64}},
    .winograd_few = {&winograd_few_f32, &winograd_few_f64},
};
