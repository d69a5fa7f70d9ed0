/*
** The Mersenne Twister MT19937 (Matsumoto, Nishimura 1998) and on it NumPy's legacy RandomState,
** bit for bit: what numpy.random.RandomState(seed) draws, this draws. The normals take the C
** library's logarithm, as NumPy's do.
*/
#ifndef PL_MT19937_H
#define PL_MT19937_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_MT19937_WORDS = 624 };

typedef struct pl_mt19937 {
  uint32_t key[PL_MT19937_WORDS];
  int pos;        /* words used, 0 .. 624 */
  bool has_gauss; /* the polar method makes two normals at a time: the second one waits here */
  double gauss;
} pl_mt19937;

/* RandomState(seed), and RandomState([seed, ...]) of n >= 1 words. */
void pl_mt19937_seed(pl_mt19937 *g, uint32_t seed);
void pl_mt19937_seed_array(pl_mt19937 *g, const uint32_t *seed, int64_t n);
/* False for what no seed leads to and no draw survives: all zeros, a position outside. */
bool pl_mt19937_is_valid(const pl_mt19937 *g);

uint32_t pl_mt19937_word(pl_mt19937 *g);
double pl_mt19937_uniform(pl_mt19937 *g); /* random_sample: 53 bits in [0, 1) */
double pl_mt19937_normal(pl_mt19937 *g);  /* legacy_gauss */
/* An integer in 0 .. max by masked rejection (random_interval, and randint of int64). */
uint64_t pl_mt19937_integer(pl_mt19937 *g, uint64_t max);

#endif
