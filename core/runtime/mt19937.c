/* MT19937 and NumPy's legacy draws; see mt19937.h. */
#include "runtime/no_contract.h"

#include "runtime/mt19937.h"

#include <math.h>

enum { N = PL_MT19937_WORDS, M = 397 };

void pl_mt19937_seed(pl_mt19937 *g, uint32_t seed) {
  for (uint32_t i = 0; i < N; i++) {
    g->key[i] = seed;
    seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
  }
  g->pos = N;
  g->has_gauss = false;
  g->gauss = 0;
}

void pl_mt19937_seed_array(pl_mt19937 *g, const uint32_t *seed, int64_t n) {
  uint32_t *key = g->key;
  uint32_t i = 1;
  int64_t j = 0;
  pl_mt19937_seed(g, 19650218u);
  for (int64_t k = n > N ? n : N; k > 0; k--) {
    key[i] = (key[i] ^ ((key[i - 1] ^ (key[i - 1] >> 30)) * 1664525u)) + seed[j] + (uint32_t)j;
    if (++i == N) {
      key[0] = key[N - 1];
      i = 1;
    }
    if (++j == n) j = 0;
  }
  for (int k = N - 1; k > 0; k--) {
    key[i] = (key[i] ^ ((key[i - 1] ^ (key[i - 1] >> 30)) * 1566083941u)) - i;
    if (++i == N) {
      key[0] = key[N - 1];
      i = 1;
    }
  }
  key[0] = 0x80000000u; /* never all zeros */
}

bool pl_mt19937_is_valid(const pl_mt19937 *g) {
  if (g->pos < 0 || g->pos > N || !isfinite(g->gauss)) return false;
  uint32_t any = g->key[0] & 0x80000000u; /* the recurrence sees no more of the first word */
  for (int i = 1; i < N; i++) any |= g->key[i];
  return any != 0;
}

static inline uint32_t twist(uint32_t high, uint32_t low) {
  uint32_t y = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
  return (y >> 1) ^ ((0u - (y & 1)) & 0x9908B0DFu);
}

static void refill(pl_mt19937 *g) {
  uint32_t *key = g->key;
  for (int i = 0; i < N - M; i++) key[i] = key[i + M] ^ twist(key[i], key[i + 1]);
  for (int i = N - M; i < N - 1; i++) key[i] = key[i + M - N] ^ twist(key[i], key[i + 1]);
  key[N - 1] = key[M - 1] ^ twist(key[N - 1], key[0]);
  g->pos = 0;
}

uint32_t pl_mt19937_word(pl_mt19937 *g) {
  if (g->pos == N) refill(g);
  uint32_t y = g->key[g->pos++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680u;
  y ^= (y << 15) & 0xEFC60000u;
  return y ^ (y >> 18);
}

double pl_mt19937_uniform(pl_mt19937 *g) {
  uint32_t a = pl_mt19937_word(g) >> 5; /* 27 bits, then 26 */
  uint32_t b = pl_mt19937_word(g) >> 6;
  return (a * 67108864.0 + b) / 9007199254740992.0;
}

double pl_mt19937_normal(pl_mt19937 *g) {
  if (g->has_gauss) {
    double kept = g->gauss;
    g->has_gauss = false;
    g->gauss = 0;
    return kept;
  }
  double x1, x2, r2;
  do {
    x1 = 2.0 * pl_mt19937_uniform(g) - 1.0;
    x2 = 2.0 * pl_mt19937_uniform(g) - 1.0;
    r2 = x1 * x1 + x2 * x2;
  } while (r2 >= 1.0 || r2 == 0.0);
  double f = sqrt(-2.0 * log(r2) / r2);
  g->gauss = f * x1;
  g->has_gauss = true;
  return f * x2;
}

uint64_t pl_mt19937_integer(pl_mt19937 *g, uint64_t max) {
  if (max == 0) return 0;
  uint64_t mask = max, value;
  for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
  if (max <= UINT32_MAX) {
    do value = pl_mt19937_word(g) & mask;
    while (value > max);
  } else {
    do {
      value = (uint64_t)pl_mt19937_word(g) << 32;
      value = (value | pl_mt19937_word(g)) & mask;
    } while (value > max);
  }
  return value;
}
