/*
** Chunks of an optimizer's step. See optimizer.h for the contract.
*/
#include "tensor/optimizer.h"

#include <math.h>

#include "runtime/pool.h"

enum { GRAIN = 16384 }; /* elements a chunk, as in map.c */

typedef struct {
  pl_optimizer_fn *step;
  int operands;
  const pl_tensor *const *operand;
  const double *scalar;
} step_job;

static void step_chunk(void *context, int64_t chunk) {
  const step_job *job = context;
  const int64_t first = chunk * GRAIN, left = job->operand[0]->numel - first;
  const int64_t bytes = first * (int64_t)pl_dtype_size(job->operand[0]->dtype);
  void *at[2 + PL_OPTIMIZER_STATES] = {NULL};
  for (int k = 0; k < job->operands; k++) at[k] = (char *)job->operand[k]->data + bytes;
  job->step(left < GRAIN ? left : GRAIN, at, job->scalar);
}

void pl_optimizer_step(pl_optimizer_rule rule, int operands, const pl_tensor *const *operand,
                       const double *scalar) {
  step_job job = {pl_kernels_get()->optimizer.step[rule][operand[0]->dtype], operands, operand,
                  scalar};
  pl_parallel_for((operand[0]->numel + GRAIN - 1) / GRAIN, step_chunk, &job);
}

enum { SUMS = 64 }; /* chunks of a norm at most */

typedef struct {
  const pl_tensor *t;
  int64_t length; /* of a chunk */
  double sum[SUMS];
} norm_job;

/* Rows of PL_REDUCE_WIDTH numbers are added up side by side, then across. */
static void norm_chunk(void *context, int64_t chunk) {
  norm_job *job = context;
  const pl_tensor *t = job->t;
  pl_reduce_fn *squares = pl_kernels_get()->reduce[PL_REDUCE_squares][t->dtype];
  const int64_t size = (int64_t)pl_dtype_size(t->dtype), first = chunk * job->length;
  const int64_t left = t->numel - first, n = left < job->length ? left : job->length;
  const int64_t rows = n / PL_REDUCE_WIDTH, rest = n % PL_REDUCE_WIDTH;
  const char *x = (const char *)t->data + first * size;
  pl_acc acc[PL_REDUCE_WIDTH] = {{0}};
  if (rows > 0) squares(rows, PL_REDUCE_WIDTH, x, PL_REDUCE_WIDTH, 1, 0, acc);
  if (rest > 0) squares(1, rest, x + rows * PL_REDUCE_WIDTH * size, PL_REDUCE_WIDTH, 1, 0, acc);
  for (int i = 0; i < PL_REDUCE_WIDTH; i++) job->sum[chunk] += acc[i].f;
}

double pl_norm(const pl_tensor *t) {
  norm_job job = {.t = t, .length = (t->numel + SUMS - 1) / SUMS};
  if (job.length < GRAIN) job.length = GRAIN;
  const int64_t chunks = (t->numel + job.length - 1) / job.length;
  pl_parallel_for(chunks, norm_chunk, &job);
  double sum = 0;
  for (int64_t i = 0; i < chunks; i++) sum += job.sum[i];
  return sqrt(sum);
}
