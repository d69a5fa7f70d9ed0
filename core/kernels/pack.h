/*
** Normalising rows of numbers as they are gathered into a batch.
*/
#ifndef PL_KERNELS_PACK_H
#define PL_KERNELS_PACK_H

#include <stdint.h>

typedef struct pl_pack_kernels {
  /* out[i] := (x[i] - mean[i]) / divisor[i]; mean or divisor NULL: left out. x is uint8 | REAL */
  void (*bytes)(int64_t n, const void *x, const void *mean, const void *divisor, void *out);
  void (*reals)(int64_t n, const void *x, const void *mean, const void *divisor, void *out);
} pl_pack_kernels;

#endif
