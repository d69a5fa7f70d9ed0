/*
** See dense.h for the contract. Rows are cut into chunks, each with sums of its own, which are
** then added in order.
*/
#include "tensor/dense.h"

#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"

enum { GRAIN = 16384, MOST_CHUNKS = 64 };

typedef struct {
  const pl_tensor *dy, *y, *dz;
  double *partial;
  int64_t columns, rows, per_chunk, chunks;
} bias_job;

static bias_job plan(const pl_tensor *dy) {
  bias_job job = {.dy = dy};
  job.columns = dy->shape[dy->rank - 1];
  job.rows = job.columns > 0 ? dy->numel / job.columns : 0;
  job.chunks = (dy->numel + GRAIN - 1) / GRAIN;
  if (job.chunks > MOST_CHUNKS) job.chunks = MOST_CHUNKS;
  if (job.chunks > job.rows) job.chunks = job.rows;
  job.per_chunk = job.chunks > 0 ? (job.rows + job.chunks - 1) / job.chunks : 1;
  job.chunks = (job.rows + job.per_chunk - 1) / job.per_chunk;
  return job;
}

size_t pl_dense_workspace(const pl_tensor *dy) {
  const bias_job job = plan(dy);
  return (size_t)(job.chunks * job.columns) * sizeof(double);
}

static void bias_chunk(void *context, int64_t chunk) {
  const bias_job *job = context;
  const int64_t first = chunk * job->per_chunk, left = job->rows - first;
  const int64_t rows = left < job->per_chunk ? left : job->per_chunk;
  const int64_t offset = first * job->columns * (int64_t)pl_dtype_size(job->dy->dtype);
  double *sum = NULL;
  if (job->partial != NULL) {
    sum = job->partial + chunk * job->columns;
    memset(sum, 0, (size_t)job->columns * sizeof *sum);
  }
  pl_kernels_get()->dense[job->dy->dtype]->bias_relu_backward(
      rows, job->columns, (const char *)job->dy->data + offset,
      job->y != NULL ? (const char *)job->y->data + offset : NULL,
      job->y != NULL ? (char *)job->dz->data + offset : NULL, sum);
}

void pl_dense_bias_backward(const pl_tensor *dy, const pl_tensor *y, const pl_tensor *dz,
                            const pl_tensor *db, bool add, void *workspace) {
  bias_job job = plan(dy);
  job.y = y;
  job.dz = dz;
  job.partial = db != NULL ? workspace : NULL;
  if (y == NULL && db == NULL) return;
  pl_parallel_for(job.chunks, bias_chunk, &job);
  if (db != NULL)
    pl_kernels_get()->dense[dy->dtype]->gather(job.chunks, job.columns, workspace, db->data, add);
}
