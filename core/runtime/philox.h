/*
** Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): a block
** cipher of a counter. Element i of a stream is a pure function of (seed, stream, kind, i), so a
** fill may be cut anywhere and its parts taken by any thread. Each kind of draw counts in its own
** corner of the counter space: kinds never share random bits.
** Only + - * / sqrt are used, each correctly rounded: the same bits on every machine.
*/
#ifndef PL_PHILOX_H
#define PL_PHILOX_H

#include <stdint.h>

/* Elements are numbered 0 .. PL_PHILOX_ELEMENTS-1. */
#define PL_PHILOX_ELEMENTS (INT64_C(1) << 56)

typedef struct pl_philox {
  uint64_t seed, stream;
  uint64_t position; /* the next element to draw */
} pl_philox;

void pl_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Elements first .. first+n-1 of g's stream; g's own position plays no part. */
void pl_philox_uniform32(const pl_philox *g, uint64_t first, int64_t n, float *out);  /* [0, 1) */
void pl_philox_uniform64(const pl_philox *g, uint64_t first, int64_t n, double *out); /* [0, 1) */
void pl_philox_normal32(const pl_philox *g, uint64_t first, int64_t n, float *out);
void pl_philox_normal64(const pl_philox *g, uint64_t first, int64_t n, double *out);
/* Integers in 0 .. max; a value's chance is off by less than 2^-32 of itself. */
void pl_philox_integer32(const pl_philox *g, uint64_t first, int64_t n, uint32_t max,
                         uint32_t *out);
/* One integer in 0 .. max; off by less than 2^-64 of itself. */
uint64_t pl_philox_integer64(const pl_philox *g, uint64_t index, uint64_t max);

#endif
