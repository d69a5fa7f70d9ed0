/*
** See pack.h for the contract.
*/
#include "tensor/pack.h"

#include "kernels/kernels.h"
#include "runtime/pool.h"

enum { GRAIN = 16384 };

typedef struct {
  const pl_tensor *out, *source;
  const int32_t *index;
  const void *mean, *divisor;
  int64_t rows, row, per_task;
} pack_job;

static void pack_rows(void *context, int64_t task) {
  const pack_job *job = context;
  const pl_pack_kernels *kernels = pl_kernels_get()->pack[job->out->dtype];
  const int64_t first = task * job->per_task, last = first + job->per_task;
  const int64_t to_size = (int64_t)pl_dtype_size(job->out->dtype);
  const int64_t from_size = (int64_t)pl_dtype_size(job->source->dtype);
  for (int64_t b = first; b < last && b < job->rows; b++) {
    const int64_t from = job->index != NULL ? job->index[b] - 1 : b;
    (job->source->dtype == PL_UINT8 ? kernels->bytes : kernels->reals)(
        job->row, (const char *)job->source->data + from * job->row * from_size, job->mean,
        job->divisor, (char *)job->out->data + b * job->row * to_size);
  }
}

void pl_pack(const pl_tensor *out, const pl_tensor *source, const int32_t *index, const void *mean,
             const void *divisor) {
  if (out->numel == 0) return;
  pack_job job = {out, source, index, mean, divisor, .rows = out->shape[0]};
  job.row = out->numel / job.rows;
  job.per_task = job.row < GRAIN ? GRAIN / job.row : 1;
  pl_parallel_for((job.rows + job.per_task - 1) / job.per_task, pack_rows, &job);
}
