/*
** See dropout.h for the contract.
*/
#include "tensor/dropout.h"

#include <math.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"

enum { GRAIN = 16384 };
_Static_assert(GRAIN % PL_DROPOUT_GROUP == 0, "a task holds whole groups");

pl_dropout pl_dropout_make(uint64_t seed, uint64_t stream, uint64_t position, double rate) {
  pl_dropout d = {.seed = seed, .stream = stream, .position = position, .scale = 1 / (1 - rate)};
  const double threshold = rint(rate * 0x1p16);
  d.threshold = (uint32_t)(threshold < 0xffff ? threshold : 0xffff);
  return d;
}

typedef struct {
  const pl_dropout *d;
  const pl_dropout_kernels *kernels;
  const pl_tensor *x, *y;
  const char *factors; /* of the planes */
  int64_t pixels, per_task;
  bool add;
} dropout_job;

static void drop_elements(void *context, int64_t task) {
  const dropout_job *job = context;
  const int64_t first = task * GRAIN, left = job->x->numel - first;
  const int64_t offset = first * (int64_t)pl_dtype_size(job->x->dtype);
  job->kernels->apply(job->d, first, left < GRAIN ? left : GRAIN,
                      (const char *)job->x->data + offset, (char *)job->y->data + offset, job->add);
}

void pl_dropout_elements(const pl_dropout *d, const pl_tensor *x, const pl_tensor *y, bool add) {
  dropout_job job = {.d = d, .x = x, .y = y, .add = add};
  job.kernels = pl_kernels_get()->dropout[x->dtype];
  pl_parallel_for((x->numel + GRAIN - 1) / GRAIN, drop_elements, &job);
}

static void drop_channels(void *context, int64_t task) {
  const dropout_job *job = context;
  const int64_t channels = job->x->shape[3], size = (int64_t)pl_dtype_size(job->x->dtype);
  const int64_t first = task * job->per_task, total = job->x->shape[0] * job->pixels;
  for (int64_t i = first; i < first + job->per_task && i < total; i++) {
    const int64_t offset = i * channels * size;
    job->kernels->scale(channels, (const char *)job->x->data + offset,
                        job->factors + i / job->pixels * channels * size,
                        (char *)job->y->data + offset, job->add);
  }
}

void pl_dropout_channels(const pl_dropout *d, const pl_tensor *x, const pl_tensor *y, bool add,
                         void *workspace) {
  if (x->numel == 0) return;
  const int64_t channels = x->shape[3], planes[] = {x->shape[0] * channels};
  pl_tensor factors;
  pl_init_contiguous(&factors, x->dtype, 1, planes);
  factors.data = workspace;
  for (int64_t i = 0; i < factors.numel; i++) {
    if (x->dtype == PL_FLOAT32)
      ((float *)workspace)[i] = 1;
    else
      ((double *)workspace)[i] = 1;
  }
  pl_dropout_elements(d, &factors, &factors, false);
  dropout_job job = {.x = x, .y = y, .factors = workspace, .add = add};
  job.kernels = pl_kernels_get()->dropout[x->dtype];
  job.pixels = x->shape[1] * x->shape[2];
  job.per_task = channels < GRAIN ? GRAIN / channels : 1;
  const int64_t total = x->shape[0] * job.pixels;
  pl_parallel_for((total + job.per_task - 1) / job.per_task, drop_channels, &job);
}
