/*
** Elementwise iteration. See map.h for the contract.
*/
#include "tensor/map.h"

#include "runtime/pool.h"

enum { GRAIN = 16384 }; /* elements a chunk: enough to hide the price of handing it out */

static void swap_axes(pl_plan *plan, int a, int b) {
  int64_t shape = plan->shape[a];
  plan->shape[a] = plan->shape[b];
  plan->shape[b] = shape;
  for (int k = 0; k < plan->operands; k++) {
    int64_t stride = plan->stride[k][a];
    plan->stride[k][a] = plan->stride[k][b];
    plan->stride[k][b] = stride;
  }
}

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

static bool can_merge(const pl_plan *plan, int outer, int inner) {
  for (int k = 0; k < plan->operands; k++) {
    if (plan->stride[k][outer] != plan->stride[k][inner] * plan->shape[inner]) return false;
  }
  return true;
}

void pl_plan_make(pl_plan *plan, int operands, const pl_tensor *const *operand) {
  plan->operands = operands;
  plan->rank = 0;
  plan->numel = operand[0]->numel;
  for (int k = 0; k < operands; k++) {
    plan->base[k] = operand[k]->data;
    plan->size[k] = pl_dtype_size(operand[k]->dtype);
  }
  for (int i = 0; i < operand[0]->rank; i++) {
    if (operand[0]->shape[i] == 1) continue;
    plan->shape[plan->rank] = operand[0]->shape[i];
    for (int k = 0; k < operands; k++) plan->stride[k][plan->rank] = operand[k]->stride[i];
    plan->rank++;
  }
  for (int i = 1; i < plan->rank; i++) { /* the output's largest stride first */
    for (int j = i; j > 0; j--) {
      if (magnitude(plan->stride[0][j - 1]) >= magnitude(plan->stride[0][j])) break;
      swap_axes(plan, j - 1, j);
    }
  }
  int last = 0;
  for (int i = 1; i < plan->rank; i++) {
    if (can_merge(plan, last, i)) {
      plan->shape[last] *= plan->shape[i];
      for (int k = 0; k < operands; k++) plan->stride[k][last] = plan->stride[k][i];
    } else {
      last++;
      if (last != i) swap_axes(plan, last, i);
    }
  }
  if (plan->rank > 0) plan->rank = last + 1;
  if (plan->rank == 0) {
    plan->rank = 1;
    plan->shape[0] = plan->numel; /* 1 */
    for (int k = 0; k < operands; k++) plan->stride[k][0] = 1;
  }
  /* A very short inner loop costs a call each: take a long axis in instead. */
  if (plan->shape[plan->rank - 1] < 8) {
    int longest = plan->rank - 1;
    for (int i = 0; i < plan->rank; i++) {
      if (plan->shape[i] > plan->shape[longest]) longest = i;
    }
    if (longest != plan->rank - 1 && plan->shape[longest] >= 64)
      swap_axes(plan, longest, plan->rank - 1);
  }
}

typedef struct {
  const pl_plan *plan;
  pl_map_fn *kernel;
  const double *param;
  int64_t rows, pieces, piece; /* rows of the inner axis, cut into pieces of that length */
  int64_t per_chunk;           /* pieces a chunk */
} map_job;

static void map_chunk(void *context, int64_t chunk) {
  const map_job *job = context;
  const pl_plan *plan = job->plan;
  int inner = plan->rank - 1;
  int64_t first = chunk * job->per_chunk, end = first + job->per_chunk;
  int64_t total = job->rows * job->pieces;
  if (end > total) end = total;
  int64_t index[PL_MAX_RANK], row = first / job->pieces, at = first % job->pieces;
  for (int i = inner - 1; i >= 0; i--) {
    index[i] = row % plan->shape[i];
    row /= plan->shape[i];
  }
  int64_t stride[PL_MAX_OPERANDS];
  for (int k = 0; k < plan->operands; k++) stride[k] = plan->stride[k][inner];
  for (int64_t unit = first; unit < end; unit++) {
    void *operand[PL_MAX_OPERANDS];
    int64_t start = at * job->piece, n = plan->shape[inner] - start;
    for (int k = 0; k < plan->operands; k++) {
      int64_t offset = start * stride[k];
      for (int i = 0; i < inner; i++) offset += index[i] * plan->stride[k][i];
      operand[k] = plan->base[k] + offset * (int64_t)plan->size[k];
    }
    job->kernel(n < job->piece ? n : job->piece, operand, stride, job->param);
    if (++at < job->pieces) continue;
    at = 0;
    for (int i = inner - 1; i >= 0 && ++index[i] == plan->shape[i]; i--) index[i] = 0;
  }
}

void pl_map(pl_map_fn *kernel, int operands, const pl_tensor *const *operand, const double *param) {
  if (operand[0]->numel == 0) return;
  pl_plan plan;
  pl_plan_make(&plan, operands, operand);
  int64_t length = plan.shape[plan.rank - 1];
  map_job job = {.plan = &plan, .kernel = kernel, .param = param};
  job.rows = plan.numel / length;
  job.piece = length < GRAIN ? length : GRAIN;
  job.pieces = (length + job.piece - 1) / job.piece;
  job.per_chunk = GRAIN / job.piece;
  int64_t total = job.rows * job.pieces;
  pl_parallel_for((total + job.per_chunk - 1) / job.per_chunk, map_chunk, &job);
}

typedef struct {
  const pl_tensor *t;
  double first, step;
} ramp_job;

static void ramp_chunk(void *context, int64_t chunk) {
  const ramp_job *job = context;
  double values[512];
  int64_t at = chunk * 512, n = job->t->numel - at;
  if (n > 512) n = 512;
  for (int64_t i = 0; i < n; i++) values[i] = job->first + (double)(at + i) * job->step;
  void *operand[] = {(char *)job->t->data + at * (int64_t)pl_dtype_size(job->t->dtype), values};
  pl_kernels_get()->cast[PL_FLOAT64][job->t->dtype](n, operand, (int64_t[]){1, 1}, NULL);
}

void pl_ramp(const pl_tensor *t, double first, double step) {
  ramp_job job = {t, first, step};
  pl_parallel_for((t->numel + 511) / 512, ramp_chunk, &job);
}
