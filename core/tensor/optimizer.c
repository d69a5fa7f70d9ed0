/*
** Chunks of an optimizer's step. See optimizer.h for the contract.
*/
#include "tensor/optimizer.h"

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
