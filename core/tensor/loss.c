/*
** See loss.h for the contract.
*/
#include "tensor/loss.h"

#include "kernels/kernels.h"
#include "runtime/pool.h"

enum { GRAIN = 8192, WIDTH = PL_REDUCE_WIDTH };

/* {==== Cross-entropy ==== */

typedef struct {
  const pl_cross_entropy *e;
  const pl_loss_kernels *kernels;
  const pl_tensor *from, *to;
  double *partial, scale;
  int64_t rows, per_task;
  bool add;
} entropy_job;

static int64_t rows_a_task(const pl_tensor *logits) {
  const int64_t classes = logits->shape[1];
  return classes < GRAIN ? GRAIN / (classes > 0 ? classes : 1) : 1;
}

static int64_t tasks_of(const pl_tensor *logits) {
  const int64_t each = rows_a_task(logits);
  return (logits->shape[0] + each - 1) / each;
}

size_t pl_cross_entropy_workspace(const pl_tensor *logits) {
  return (size_t)tasks_of(logits) * sizeof(double);
}

static void sum_rows(void *context, int64_t task) {
  const entropy_job *job = context;
  const int64_t first = task * job->per_task, left = job->rows - first;
  job->partial[task] = job->kernels->cross_entropy(
      job->e, first, left < job->per_task ? left : job->per_task, job->from->data, job->to->data);
}

double pl_cross_entropy_sum(const pl_cross_entropy *e, const pl_tensor *logits, const pl_tensor *p,
                            void *workspace) {
  entropy_job job = {.e = e, .from = logits, .to = p, .partial = workspace};
  job.kernels = pl_kernels_get()->loss[logits->dtype];
  job.rows = logits->shape[0];
  job.per_task = rows_a_task(logits);
  const int64_t tasks = tasks_of(logits);
  pl_parallel_for(tasks, sum_rows, &job);
  double total = 0;
  for (int64_t i = 0; i < tasks; i++) total += job.partial[i];
  return total;
}

static void backward_rows(void *context, int64_t task) {
  const entropy_job *job = context;
  const int64_t first = task * job->per_task, left = job->rows - first;
  job->kernels->cross_entropy_backward(job->e, first, left < job->per_task ? left : job->per_task,
                                       job->from->data, job->to->data, job->scale, job->add);
}

void pl_cross_entropy_backward(const pl_cross_entropy *e, const pl_tensor *p, const pl_tensor *dx,
                               double scale, bool add) {
  entropy_job job = {.e = e, .from = p, .to = dx, .scale = scale, .add = add};
  job.kernels = pl_kernels_get()->loss[p->dtype];
  job.rows = p->shape[0];
  job.per_task = rows_a_task(p);
  pl_parallel_for(tasks_of(p), backward_rows, &job);
}

/* }==== Softmax ==== {*/

typedef struct {
  void (*kernel)(int64_t, int64_t, const int64_t *, const void *, const void *, void *, bool);
  const pl_tensor *dy, *y, *dx;
  int64_t length, inner, per_row, width, blocks, group;
  bool add;
} softmax_job;

static void softmax_blocks(void *context, int64_t task) {
  const softmax_job *job = context;
  const int64_t size = (int64_t)pl_dtype_size(job->dy->dtype), first = task * job->group;
  const int64_t stride[] = {job->inner, job->inner == 1 ? job->length : 1};
  for (int64_t block = first; block < first + job->group && block < job->blocks; block++) {
    const int64_t row = block / job->per_row, column = block % job->per_row * job->width;
    const int64_t all = job->inner == 1 ? job->dy->numel / job->length : job->inner;
    const int64_t left = all - column, m = left < job->width ? left : job->width;
    const int64_t offset =
        (row * job->length * job->inner + column * stride[1]) * size; /* row 0 when inner is 1 */
    job->kernel(job->length, m, stride, (const char *)job->dy->data + offset,
                (const char *)job->y->data + offset, (char *)job->dx->data + offset, job->add);
  }
}

void pl_softmax_backward(const pl_tensor *dy, const pl_tensor *y, int axis, const pl_tensor *dx,
                         bool add, bool logarithm) {
  if (dy->numel == 0) return;
  const pl_loss_kernels *kernels = pl_kernels_get()->loss[dy->dtype];
  softmax_job job = {.dy = dy, .y = y, .dx = dx, .add = add, .length = dy->shape[axis]};
  job.kernel = logarithm ? kernels->log_softmax_backward : kernels->softmax_backward;
  job.inner = 1;
  for (int i = axis + 1; i < dy->rank; i++) job.inner *= dy->shape[i];
  const int64_t lines = dy->numel / job.length;
  const int64_t row = job.inner == 1 ? lines : job.inner; /* lines side by side */
  job.width = row < WIDTH ? row : WIDTH;
  job.per_row = (row + job.width - 1) / job.width;
  job.blocks = lines / row * job.per_row;
  const int64_t elements = job.width * job.length;
  job.group = elements < GRAIN ? GRAIN / elements : 1;
  pl_parallel_for((job.blocks + job.group - 1) / job.group, softmax_blocks, &job);
}
/* }==== */
