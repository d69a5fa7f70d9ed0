/*
** A random generator of either kind, and the draws that are built alike on both: scaled floats,
** integers, permutations, choices. Plain memory: copy it, and you have a clone.
** Bulk draws of a Philox run on the pool; their bits do not depend on the number of threads.
*/
#ifndef PL_GENERATOR_H
#define PL_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/mt19937.h"
#include "runtime/philox.h"

typedef enum { PL_PHILOX, PL_MT19937 } pl_generator_kind;

typedef struct pl_generator {
  pl_generator_kind kind;
  union {
    pl_philox philox;
    pl_mt19937 mt19937;
  } as;
} pl_generator;

/* One draw in double precision. */
double pl_generator_uniform(pl_generator *g);                 /* [0, 1) */
uint64_t pl_generator_integer(pl_generator *g, uint64_t max); /* 0 .. max */

/* offset + scale * a draw from [0, 1) or from the standard normal distribution. A Mersenne Twister
** draws doubles and rounds them; a Philox draws float32 and float64 from bits of their own. */
void pl_generator_fill32(pl_generator *g, bool normal, double offset, double scale, int64_t n,
                         float *out);
void pl_generator_fill64(pl_generator *g, bool normal, double offset, double scale, int64_t n,
                         double *out);
/* low + integers in 0 .. max; the sum fits. */
void pl_generator_integers(pl_generator *g, int64_t low, uint32_t max, int64_t n, int32_t *out);

/* Fisher and Yates, from the last row down, as NumPy's shuffle. Draws nothing for empty rows. */
void pl_generator_shuffle(pl_generator *g, int64_t rows, size_t row_bytes, void *data);
void pl_generator_permutation(pl_generator *g, int32_t n, int32_t *out); /* of 1 .. n */

/* Choices from 1 .. n with probabilities p, which sum to about 1; cdf is workspace of n numbers.
** Without replacement p is used up, and at least `count` of its numbers must be above zero. */
void pl_generator_choose(pl_generator *g, int32_t n, const double *p, double *cdf, int64_t count,
                         int32_t *out);
void pl_generator_choose_distinct(pl_generator *g, int32_t n, double *p, double *cdf, int64_t count,
                                  int32_t *out);

/* The whole state as text. Load changes nothing and returns false unless the text is a state of
** the same kind of generator that saving could have written. */
enum { PL_GENERATOR_TEXT = 8 + 5 + 2 + 17 + 8 * PL_MT19937_WORDS + 1 };
size_t pl_generator_save(const pl_generator *g, char text[PL_GENERATOR_TEXT]); /* its length */
bool pl_generator_load(pl_generator *g, const char *text, size_t length);

#endif
