/*
** Philox4x32-10 and the draws made of it, in batches whose loops the compiler turns into vectors.
** Counter words 0 and 1 hold the block and, in the top byte, the kind; 2 and 3 hold the stream.
*/
#include "runtime/no_contract.h"

#include "runtime/philox.h"

#include <math.h>
#include <string.h>

enum { UNIFORM32 = 1, UNIFORM64, NORMAL32, NORMAL64, INTEGER32, INTEGER64 };
enum { BATCH = 64, ROUNDS = 10 }; /* blocks at a time */

#define INLINE static inline __attribute__((always_inline))

/* The output words of up to BATCH blocks, word by word. */
typedef struct words {
  uint32_t w[4][BATCH];
} words;

/* One block; the key schedule adds the golden ratio and sqrt(3) - 1 in every round. */
INLINE void encrypt(uint32_t c[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t product0 = (uint64_t)0xD2511F53u * c[0];
    uint64_t product1 = (uint64_t)0xCD9E8D57u * c[2];
    c[0] = (uint32_t)(product1 >> 32) ^ c[1] ^ key0;
    c[1] = (uint32_t)product1;
    c[2] = (uint32_t)(product0 >> 32) ^ c[3] ^ key1;
    c[3] = (uint32_t)product0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

void pl_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c[4];
  memcpy(c, counter, sizeof c);
  encrypt(c, key[0], key[1]);
  memcpy(out, c, sizeof c);
}

INLINE void draw_words(const pl_philox *g, uint32_t kind, uint64_t first, int blocks, words *out) {
  const uint32_t stream0 = (uint32_t)g->stream, stream1 = (uint32_t)(g->stream >> 32);
  const uint32_t key0 = (uint32_t)g->seed, key1 = (uint32_t)(g->seed >> 32);
  for (int i = 0; i < blocks; i++) {
    uint64_t block = first + (uint64_t)i;
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32) | kind << 24, stream0, stream1};
    encrypt(c, key0, key1);
    out->w[0][i] = c[0];
    out->w[1][i] = c[1];
    out->w[2][i] = c[2];
    out->w[3][i] = c[3];
  }
}

INLINE uint64_t join(uint32_t high, uint32_t low) { return (uint64_t)high << 32 | low; }

/* ==== Two standard normals of two uniform words: sqrt(-2 ln u) times the cosine and the sine of a
** uniform angle (Box, Muller 1958). The logarithm is the series of 2 artanh((m-1)/(m+1)), sine and
** cosine those of an angle within 1/8 turn; both are carried past the last bit. ==== */

INLINE void normal_pair32(uint32_t radius_word, uint32_t angle_word, float *cosine, float *sine) {
  float u = ((float)(int32_t)(radius_word >> 1) + 0.5f) * 0x1p-31f; /* 2^-32 .. 1 */
  int32_t bits;
  memcpy(&bits, &u, sizeof bits);
  int32_t exponent = (bits - 0x3F3504F3) >> 23; /* u = 2^exponent m, m in sqrt(1/2) .. sqrt(2) */
  bits -= exponent * (1 << 23);
  float m;
  memcpy(&m, &bits, sizeof m);
  float s = (m - 1) / (m + 1), z = s * s;
  float series = 1 + z * (1.f / 3 + z * (1.f / 5 + z * (1.f / 7 + z * (1.f / 9))));
  float r = sqrtf(-2 * ((float)exponent * 0.693147180559945309417f + 2 * s * series));

  uint32_t quarter = (angle_word + (1u << 29)) >> 30; /* the nearest quarter turn, 4 being 0 */
  float t = (float)(int32_t)(angle_word - (quarter << 30)) * (float)(0x1p-31 * 3.14159265358979324);
  float q = t * t;
  float sin_t = t * (1 + q * (-1.f / 6 + q * (1.f / 120 + q * (-1.f / 5040 + q / 362880))));
  float cos_t =
      1 + q * (-0.5f + q * (1.f / 24 + q * (-1.f / 720 + q * (1.f / 40320 - q / 3628800))));
  float x = quarter & 1 ? sin_t : cos_t, y = quarter & 1 ? cos_t : sin_t;
  *cosine = (quarter + 1) & 2 ? r * -x : r * x;
  *sine = quarter & 2 ? r * -y : r * y;
}

INLINE void normal_pair64(uint64_t radius_word, uint64_t angle_word, double *cosine, double *sine) {
  double u = ((double)(int64_t)(radius_word >> 11) + 0.5) * 0x1p-53; /* 2^-54 .. 1 */
  int64_t bits;
  memcpy(&bits, &u, sizeof bits);
  int64_t exponent = (bits - INT64_C(0x3FE6A09E667F3BCD)) >> 52;
  bits -= exponent * (INT64_C(1) << 52);
  double m;
  memcpy(&m, &bits, sizeof m);
  double s = (m - 1) / (m + 1), z = s * s;
  double high = 1. / 13 + z * (1. / 15 + z * (1. / 17 + z * (1. / 19 + z * (1. / 21 + z / 23))));
  double low = 1. / 3 + z * (1. / 5 + z * (1. / 7 + z * (1. / 9 + z * (1. / 11 + z * high))));
  double series = 1 + z * low;
  double r = sqrt(-2 * ((double)exponent * 0.693147180559945309417 + 2 * s * series));

  uint64_t quarter = (angle_word + (UINT64_C(1) << 61)) >> 62;
  double t = (double)(int64_t)(angle_word - (quarter << 62)) * (0x1p-63 * 3.14159265358979324);
  double q = t * t;
  double sin_high =
      -1. / 39916800 + q * (1. / 6227020800 + q * (-1. / 1307674368000 + q / 355687428096000));
  double sin_low = -1. / 6 + q * (1. / 120 + q * (-1. / 5040 + q * (1. / 362880 + q * sin_high)));
  double sin_t = t * (1 + q * sin_low);
  double cos_high = 1. / 479001600 + q * (-1. / 87178291200 + q / 20922789888000);
  double cos_low = -1. / 720 + q * (1. / 40320 + q * (-1. / 3628800 + q * cos_high));
  double cos_t = 1 + q * (-0.5 + q * (1. / 24 + q * cos_low));
  double x = quarter & 1 ? sin_t : cos_t, y = quarter & 1 ? cos_t : sin_t;
  *cosine = (quarter + 1) & 2 ? r * -x : r * x;
  *sine = quarter & 2 ? r * -y : r * y;
}

/* ==== Batches of each kind: block b of the batch gives the elements from b * PER_BLOCK on. ==== */

INLINE void batch_uniform32(const words *in, int blocks, uint32_t max, float *out) {
  (void)max;
  for (int lane = 0; lane < 4; lane++) {
    for (int i = 0; i < blocks; i++)
      out[4 * i + lane] = (float)(int32_t)(in->w[lane][i] >> 8) * 0x1p-24f;
  }
}

INLINE void batch_uniform64(const words *in, int blocks, uint32_t max, double *out) {
  (void)max;
  for (int i = 0; i < blocks; i++) {
    out[2 * i] = (double)(int64_t)(join(in->w[0][i], in->w[1][i]) >> 11) * 0x1p-53;
    out[2 * i + 1] = (double)(int64_t)(join(in->w[2][i], in->w[3][i]) >> 11) * 0x1p-53;
  }
}

INLINE void batch_normal32(const words *in, int blocks, uint32_t max, float *out) {
  (void)max;
  float cosine[BATCH], sine[BATCH];
  for (int pair = 0; pair < 4; pair += 2) {
    for (int i = 0; i < blocks; i++)
      normal_pair32(in->w[pair][i], in->w[pair + 1][i], &cosine[i], &sine[i]);
    for (int i = 0; i < blocks; i++) {
      out[4 * i + pair] = cosine[i];
      out[4 * i + pair + 1] = sine[i];
    }
  }
}

INLINE void batch_normal64(const words *in, int blocks, uint32_t max, double *out) {
  (void)max;
  for (int i = 0; i < blocks; i++)
    normal_pair64(join(in->w[0][i], in->w[1][i]), join(in->w[2][i], in->w[3][i]), &out[2 * i],
                  &out[2 * i + 1]);
}

/* floor(word * (max + 1) / 2^64) in 64-bit arithmetic */
INLINE uint32_t scale_word(uint32_t high, uint32_t low, uint32_t max) {
  uint64_t count = (uint64_t)max + 1;
  return (uint32_t)((high * count + (low * count >> 32)) >> 32);
}

INLINE void batch_integer32(const words *in, int blocks, uint32_t max, uint32_t *out) {
  for (int i = 0; i < blocks; i++) {
    out[2 * i] = scale_word(in->w[0][i], in->w[1][i], max);
    out[2 * i + 1] = scale_word(in->w[2][i], in->w[3][i], max);
  }
}

/* A fill: whole batches straight into out, with a number of blocks that the compiler knows; the
** ends, which may begin or stop inside a block, through a buffer. */
#define DEFINE_FILL(NAME, TYPE, KIND, BATCH_FN, PER_BLOCK)                                         \
  static void NAME(const pl_philox *g, uint64_t first, int64_t n, uint32_t max, TYPE *out) {       \
    words in;                                                                                      \
    while (n > 0) {                                                                                \
      uint64_t block = first / PER_BLOCK;                                                          \
      int64_t skip = (int64_t)(first % PER_BLOCK);                                                 \
      int64_t taken;                                                                               \
      if (skip == 0 && n >= BATCH * PER_BLOCK) {                                                   \
        taken = BATCH * PER_BLOCK;                                                                 \
        draw_words(g, KIND, block, BATCH, &in);                                                    \
        BATCH_FN(&in, BATCH, max, out);                                                            \
      } else {                                                                                     \
        TYPE buffer[BATCH * PER_BLOCK];                                                            \
        int64_t wanted = skip + n;                                                                 \
        int blocks =                                                                               \
            wanted >= BATCH * PER_BLOCK ? BATCH : (int)((wanted + PER_BLOCK - 1) / PER_BLOCK);     \
        if (skip > 0 && blocks > 1) blocks = 1; /* then the rest is aligned */                     \
        draw_words(g, KIND, block, blocks, &in);                                                   \
        BATCH_FN(&in, blocks, max, buffer);                                                        \
        taken = blocks * PER_BLOCK - skip;                                                         \
        if (taken > n) taken = n;                                                                  \
        memcpy(out, buffer + skip, (size_t)taken * sizeof *out);                                   \
      }                                                                                            \
      first += (uint64_t)taken;                                                                    \
      out += taken;                                                                                \
      n -= taken;                                                                                  \
    }                                                                                              \
  }

DEFINE_FILL(fill_uniform32, float, UNIFORM32, batch_uniform32, 4)
DEFINE_FILL(fill_uniform64, double, UNIFORM64, batch_uniform64, 2)
DEFINE_FILL(fill_normal32, float, NORMAL32, batch_normal32, 4)
DEFINE_FILL(fill_normal64, double, NORMAL64, batch_normal64, 2)
DEFINE_FILL(fill_integer32, uint32_t, INTEGER32, batch_integer32, 2)

void pl_philox_uniform32(const pl_philox *g, uint64_t first, int64_t n, float *out) {
  fill_uniform32(g, first, n, 0, out);
}

void pl_philox_uniform64(const pl_philox *g, uint64_t first, int64_t n, double *out) {
  fill_uniform64(g, first, n, 0, out);
}

void pl_philox_normal32(const pl_philox *g, uint64_t first, int64_t n, float *out) {
  fill_normal32(g, first, n, 0, out);
}

void pl_philox_normal64(const pl_philox *g, uint64_t first, int64_t n, double *out) {
  fill_normal64(g, first, n, 0, out);
}

void pl_philox_integer32(const pl_philox *g, uint64_t first, int64_t n, uint32_t max,
                         uint32_t *out) {
  fill_integer32(g, first, n, max, out);
}

/* The high 64 bits of a * b. */
static uint64_t multiply_high(uint64_t a, uint64_t b) {
  uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
  uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
  uint64_t carry = a0 * b1 + (uint32_t)middle;
  return a1 * b1 + (middle >> 32) + (carry >> 32);
}

uint64_t pl_philox_integer64(const pl_philox *g, uint64_t index, uint64_t max) {
  words in;
  draw_words(g, INTEGER64, index, 1, &in);
  uint64_t high = join(in.w[0][0], in.w[1][0]), low = join(in.w[2][0], in.w[3][0]);
  uint64_t count = max + 1;
  if (count == 0) return high;
  /* floor((high 2^64 + low) * count / 2^128) */
  uint64_t middle = high * count, carry = multiply_high(low, count);
  return multiply_high(high, count) + (middle + carry < middle);
}
