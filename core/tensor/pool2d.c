/*
** See pool2d.h for the contract.
*/
#include "tensor/pool2d.h"

#include "kernels/kernels.h"
#include "runtime/pool.h"

enum { GRAIN = 16384 }; /* numbers written a task */

typedef struct {
  const pl_pool2d *p;
  const pl_pool_kernels *kernels;
  const pl_tensor *x, *y, *which; /* or their gradients */
  int64_t rows, total, per_task;  /* rows of an image, of all, of a task */
  int64_t in, out;                /* numbers of an image */
  enum { LARGEST, LARGEST_BACKWARD, MEAN, MEAN_BACKWARD } what;
  bool add;
} pool_job;

static char *image(const pl_tensor *t, int64_t n, int64_t size) {
  return t == NULL ? NULL : (char *)t->data + n * size * (int64_t)pl_dtype_size(t->dtype);
}

static void pool_rows(void *context, int64_t task) {
  const pool_job *job = context;
  const int64_t first = task * job->per_task, last = first + job->per_task;
  for (int64_t i = first; i < last && i < job->total; i++) {
    const int64_t n = i / job->rows, row = i % job->rows;
    char *x = image(job->x, n, job->in), *y = image(job->y, n, job->out);
    char *which = image(job->which, n, job->out);
    switch (job->what) {
      case LARGEST: job->kernels->max_row(job->p, row, x, y, which); break;
      case LARGEST_BACKWARD:
        job->kernels->max_backward_row(job->p, row, y, which, x, job->add);
        break;
      case MEAN: job->kernels->mean_row(job->p, row, x, y); break;
      default: job->kernels->mean_backward_row(job->p, row, y, x, job->add);
    }
  }
}

static void run(pool_job job) {
  const pl_pool2d *p = job.p;
  const bool backward = job.what == LARGEST_BACKWARD || job.what == MEAN_BACKWARD;
  const int64_t *size = backward ? p->in : p->out;
  const int64_t batch = job.x->shape[0], row = size[1] * p->channels;
  if ((backward ? job.x : job.y)->numel == 0) return; /* nothing to write */
  job.kernels = pl_kernels_get()->pool[job.x->dtype];
  job.rows = size[0];
  job.total = batch * size[0];
  job.per_task = row < GRAIN ? GRAIN / row : 1;
  job.in = p->in[0] * p->in[1] * p->channels;
  job.out = p->out[0] * p->out[1] * p->channels;
  pl_parallel_for((job.total + job.per_task - 1) / job.per_task, pool_rows, &job);
}

void pl_max_pool2d(const pl_pool2d *p, const pl_tensor *x, const pl_tensor *y,
                   const pl_tensor *which) {
  run((pool_job){.p = p, .x = x, .y = y, .which = which, .what = LARGEST});
}

void pl_max_pool2d_backward(const pl_pool2d *p, const pl_tensor *dy, const pl_tensor *which,
                            const pl_tensor *dx, bool add) {
  run((pool_job){.p = p, .x = dx, .y = dy, .which = which, .what = LARGEST_BACKWARD, .add = add});
}

void pl_avg_pool2d(const pl_pool2d *p, const pl_tensor *x, const pl_tensor *y) {
  run((pool_job){.p = p, .x = x, .y = y, .what = MEAN});
}

void pl_avg_pool2d_backward(const pl_pool2d *p, const pl_tensor *dy, const pl_tensor *dx,
                            bool add) {
  run((pool_job){.p = p, .x = dx, .y = dy, .what = MEAN_BACKWARD, .add = add});
}
