/*
** Dropout. Whether an element is kept is a pure function of the seed, the stream, the place of the
** draw in the stream and the element's number in the draw: nothing needs to be stored for the
** gradient, and a draw may be cut anywhere.
*/
#ifndef PL_KERNELS_DROPOUT_H
#define PL_KERNELS_DROPOUT_H

#include <stdbool.h>
#include <stdint.h>

/* Elements that share counter blocks: a draw is cut at multiples of it. */
#define PL_DROPOUT_GROUP 128

typedef struct pl_dropout {
  uint64_t seed, stream, position;
  uint32_t threshold; /* dropped when 16 random bits are below */
  double scale;
} pl_dropout;

typedef struct pl_dropout_kernels {
  /* y := (add ? y : 0) + (kept ? x * scale : 0) for elements first .. first+n-1 of the draw; first
  ** is a multiple of PL_DROPOUT_GROUP; x and y point at element `first` */
  void (*apply)(const pl_dropout *d, int64_t first, int64_t n, const void *x, void *y, bool add);
  /* y[i] := (add ? y[i] : 0) + (factor[i] != 0 ? x[i] * factor[i] : 0) */
  void (*scale)(int64_t n, const void *x, const void *factor, void *y, bool add);
} pl_dropout_kernels;

#endif
