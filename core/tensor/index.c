/*
** See index.h for the contract.
*/
#include "tensor/index.h"

#include "runtime/pool.h"
#include "tensor/map.h"

enum {
  GRAIN = 16384,  /* elements a task: enough to hide the price of handing it out */
  RUN = 2048,     /* elements searched at a time */
  SORT_TASKS = 8, /* each has a workspace of its own */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t parts(int64_t n, int64_t size) { return (n + size - 1) / size; }

static char *element(const pl_tensor *t, int64_t offset) {
  return (char *)t->data + offset * (int64_t)pl_dtype_size(t->dtype);
}

int64_t pl_index_outside(const int32_t *index, int64_t n, int64_t size) {
  for (int64_t i = 0; i < n; i++) {
    if (index[i] < 1 || index[i] > size) return i;
  }
  return -1;
}

/* {==== Slices at indices ==== */

/* A task is a run of pieces; a piece is some of the indices at some of the inner elements. */
typedef struct {
  const pl_tensor *x, *other; /* indexed; out or source */
  const int32_t *index;
  int64_t k;
  double scale;
  bool add;
  pl_walk rows;                  /* the other axes. operand 0: other, 1: x */
  int64_t along_x, along_other;  /* strides along the axis */
  int64_t n, step_x, step_other; /* the inner elements */
  int64_t outer;                 /* rows of them */
  int64_t k_piece, k_pieces, n_piece, n_pieces, group;
} slice_job;

static void slice_pieces(void *context, int64_t task) {
  const slice_job *job = context;
  const pl_kernels *kernels = pl_kernels_get();
  const int axes = job->n > 1 ? job->rows.rank - 1 : job->rows.rank;
  const int64_t total = job->outer * job->k_pieces * job->n_pieces, first = task * job->group;
  for (int64_t at = first; at < first + job->group && at < total; at++) {
    const int64_t column = at % job->n_pieces * job->n_piece, rest = at / job->n_pieces;
    const int64_t row = rest % job->k_pieces * job->k_piece, outer = rest / job->k_pieces;
    const int64_t n = least(job->n - column, job->n_piece), k = least(job->k - row, job->k_piece);
    void *x = element(job->x, pl_walk_offset(&job->rows, 1, axes, outer) + column * job->step_x);
    void *other = element(job->other, pl_walk_offset(&job->rows, 0, axes, outer) +
                                          row * job->along_other + column * job->step_other);
    const int64_t sx[] = {job->along_x, job->step_x}, so[] = {job->along_other, job->step_other};
    if (job->add)
      kernels->index_add[job->x->dtype](k, n, job->index + row, x, sx, other, so, job->scale);
    else
      kernels->take[job->x->dtype](k, n, job->index + row, x, sx, other, so);
  }
}

static void run_slices(slice_job *job, int axis) {
  if (job->other->numel == 0) return;
  const pl_tensor *operands[] = {job->other, job->x};
  pl_walk_make(&job->rows, 2, operands, ~(1u << axis), PL_BY_STRIDE);
  const int inner = job->rows.rank - 1;
  job->along_x = job->x->stride[axis];
  job->along_other = job->other->stride[axis];
  job->n = job->rows.shape[inner];
  job->step_other = job->rows.stride[0][inner];
  job->step_x = job->rows.stride[1][inner];
  /* where the axis itself is the innermost, its elements go one by one */
  const bool innermost = job->along_other >= 0 && job->step_other > job->along_other && job->k > 1;
  if (innermost) job->n = 1;
  job->outer = job->rows.count / job->n;
  /* repeated indices must add in order, so only copies are cut along the indices */
  const int64_t rows = parts(GRAIN, job->n), whole = rows - rows % PL_TAKE_ROWS;
  job->k_piece = job->add ? job->k : least(job->k, whole > 0 ? whole : PL_TAKE_ROWS);
  job->k_pieces = parts(job->k, job->k_piece);
  job->n_piece = least(job->n, parts(GRAIN, job->k_piece) < 64 ? 64 : parts(GRAIN, job->k_piece));
  job->n_pieces = parts(job->n, job->n_piece);
  job->group = parts(GRAIN, job->k_piece * job->n_piece);
  const int64_t total = job->outer * job->k_pieces * job->n_pieces;
  pl_parallel_for(parts(total, job->group), slice_pieces, job);
}

void pl_take(const pl_tensor *x, int axis, const int32_t *index, int64_t k, const pl_tensor *out) {
  slice_job job = {.x = x, .other = out, .index = index, .k = k};
  run_slices(&job, axis);
}

void pl_index_add(const pl_tensor *x, int axis, const int32_t *index, int64_t k,
                  const pl_tensor *source, double scale) {
  slice_job job = {.x = x, .other = source, .index = index, .k = k, .scale = scale, .add = true};
  run_slices(&job, axis);
}

void pl_gather(const pl_tensor *x, int axis, const pl_tensor *index, const pl_tensor *out) {
  pl_tensor base = *x;
  const double step = (double)x->stride[axis];
  base.shape[axis] = out->shape[axis];
  base.stride[axis] = 0;
  const pl_tensor *operands[] = {out, index, &base};
  pl_map(pl_kernels_get()->gather[x->dtype], 3, operands, &step);
}

/* }==== Elements that are not 0 ==== {*/

typedef struct {
  const pl_tensor *mask, *x, *out; /* nonzero has no x */
  pl_walk walk;                    /* operand 0: mask, 1: x */
  int64_t *found;                  /* before each chunk */
} find_job;

static void find_chunk(void *context, int64_t chunk) {
  const find_job *job = context;
  const pl_kernels *kernels = pl_kernels_get();
  const pl_walk *walk = &job->walk;
  const int inner = walk->rank - 1;
  const int64_t length = walk->shape[inner], step = walk->stride[0][inner];
  const int64_t end = least((chunk + 1) * GRAIN, walk->count);
  int32_t where[RUN];
  int64_t total = 0, room = 0;
  if (job->out != NULL) { /* no more than was counted, whatever has happened since */
    const bool is_last = end == walk->count;
    room = (is_last ? job->out->shape[0] : job->found[chunk + 1]) - job->found[chunk];
  }
  for (int64_t at = chunk * GRAIN; at < end;) {
    const int64_t row = at / length, column = at % length;
    const int64_t n = least(least(length - column, end - at), RUN);
    const int64_t offset = pl_walk_offset(walk, 0, inner, row) + column * step;
    int64_t count = kernels->find[job->mask->dtype](n, element(job->mask, offset), step, where);
    if (job->out != NULL) count = least(count, room - total);
    if (job->x != NULL) {
      const int64_t sx[] = {walk->stride[1][inner], 0}, so[] = {1, 0};
      const int64_t from = pl_walk_offset(walk, 1, inner, row) + column * sx[0];
      kernels->take[job->x->dtype](count, 1, where, element(job->x, from), sx,
                                   element(job->out, job->found[chunk] + total), so);
    } else if (job->out != NULL) {
      const int rank = job->mask->rank;
      int32_t *out = (int32_t *)job->out->data + (job->found[chunk] + total) * rank;
      for (int64_t i = 0; i < count; i++, out += rank) {
        int64_t position = at + where[i] - 1;
        for (int axis = rank - 1; axis >= 0; axis--) {
          out[axis] = (int32_t)(position % job->mask->shape[axis] + 1);
          position /= job->mask->shape[axis];
        }
      }
    }
    total += count;
    at += n;
  }
  if (job->out == NULL) job->found[chunk] = total;
}

size_t pl_find_workspace(const pl_tensor *mask) {
  return (size_t)parts(mask->numel, GRAIN) * sizeof(int64_t);
}

int64_t pl_find(const pl_tensor *mask, int64_t *workspace) {
  find_job job = {.mask = mask, .found = workspace};
  pl_walk_make(&job.walk, 1, &mask, ~0u, PL_IN_ORDER);
  const int64_t chunks = parts(mask->numel, GRAIN);
  pl_parallel_for(chunks, find_chunk, &job);
  int64_t total = 0;
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    const int64_t here = workspace[chunk];
    workspace[chunk] = total;
    total += here;
  }
  return total;
}

void pl_masked_select(const pl_tensor *x, const pl_tensor *mask, const int64_t *workspace,
                      const pl_tensor *out) {
  find_job job = {.mask = mask, .x = x, .out = out, .found = (int64_t *)(uintptr_t)workspace};
  const pl_tensor *operands[] = {mask, x};
  pl_walk_make(&job.walk, 2, operands, ~0u, PL_IN_ORDER);
  pl_parallel_for(parts(mask->numel, GRAIN), find_chunk, &job);
}

void pl_nonzero(const pl_tensor *x, const int64_t *workspace, const pl_tensor *out) {
  find_job job = {.mask = x, .out = out, .found = (int64_t *)(uintptr_t)workspace};
  pl_walk_make(&job.walk, 1, &x, ~0u, PL_IN_ORDER);
  pl_parallel_for(parts(x->numel, GRAIN), find_chunk, &job);
}

/* }==== Sorting ==== {*/

typedef struct {
  const pl_tensor *x, *values, *indices;
  pl_walk rows; /* operand 0: x, 1: indices */
  int axis;
  int64_t k, share; /* rows a task */
  bool descending;
  char *workspace;
  size_t each;
} sort_job;

static size_t sort_bytes(const pl_tensor *x, int axis) {
  return 2 * (size_t)x->shape[axis] * PL_SORT_RECORD(x->dtype);
}

/* Few enough that their workspaces stay modest beside the tensor itself. */
static int64_t sort_tasks(const pl_tensor *x, int axis) {
  const int64_t rows = x->numel / x->shape[axis];
  return least(least(rows, SORT_TASKS), parts(x->numel, GRAIN / 4));
}

size_t pl_sort_workspace(const pl_tensor *x, int axis) {
  return x->numel == 0 ? 0 : sort_bytes(x, axis) * (size_t)sort_tasks(x, axis);
}

static void sort_rows(void *context, int64_t task) {
  const sort_job *job = context;
  const pl_tensor *x = job->x;
  const int64_t end = least((task + 1) * job->share, job->rows.count);
  for (int64_t row = task * job->share; row < end; row++) {
    const int64_t from = pl_walk_offset(&job->rows, 0, job->rows.rank, row);
    const int64_t to = pl_walk_offset(&job->rows, 1, job->rows.rank, row);
    const int64_t step = job->indices->stride[job->axis];
    pl_kernels_get()->sort[x->dtype](x->shape[job->axis], job->k, element(x, from),
                                     x->stride[job->axis],
                                     job->values != NULL ? element(job->values, to) : NULL, step,
                                     (int32_t *)job->indices->data + to, step, job->descending,
                                     job->workspace + (size_t)task * job->each);
  }
}

void pl_sort(const pl_tensor *x, int axis, int64_t k, bool descending, const pl_tensor *values,
             const pl_tensor *indices, void *workspace) {
  if (indices->numel == 0) return;
  sort_job job = {.x = x, .values = values, .indices = indices, .axis = axis, .k = k};
  job.descending = descending;
  job.workspace = workspace;
  job.each = sort_bytes(x, axis);
  const pl_tensor *operands[] = {x, indices};
  pl_walk_make(&job.rows, 2, operands, ~(1u << axis), PL_IN_ORDER);
  const int64_t tasks = sort_tasks(x, axis);
  job.share = parts(job.rows.count, tasks);
  pl_parallel_for(tasks, sort_rows, &job);
}
/* }==== */
