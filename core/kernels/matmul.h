/*
** A matrix product on registers; see matmul.inc. Where it is absent (NULL), and where a vector is as
** long as the side of c that it would lie along, OpenBLAS is the faster.
*/
#ifndef PL_KERNELS_MATMUL_H
#define PL_KERNELS_MATMUL_H

#include <stdbool.h>
#include <stdint.h>

/* c[i*c_row + j] := (add ? c : 0) + sum_k a[i*a_row + k*a_step] * b[k*b_step + j*b_column] for i < m,
** j < n; k > 0. Of a's steps, and of b's, one is 1. */
typedef struct pl_matmul_job {
  int64_t m, n, k, a_row, a_step, b_step, b_column, c_row;
  int64_t left; /* of the n columns those at the end that are made apart; b_column is 1 then */
  const void *a, *b;
  void *c;
  bool add;
} pl_matmul_job;

enum { PL_MATMUL_LEFT = 4 }; /* at most the fourth part of a vector */

/* How many are made apart of all columns of a product, which decides so for each part of it. */
static inline int64_t pl_matmul_left(int64_t columns, int64_t lanes) {
  const int64_t left = columns % lanes;
  return columns > lanes && left <= lanes / PL_MATMUL_LEFT ? left : 0;
}

typedef struct pl_matmul_kernels {
  int lanes;
  void (*product)(const pl_matmul_job *job);
  void (*row)(const pl_matmul_job *job); /* of one row, of a vector's columns at most */
} pl_matmul_kernels;

#endif
