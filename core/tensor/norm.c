/*
** See norm.h for the contract.
*/
#include "tensor/norm.h"

#include <string.h>

#include "kernels/accumulate.h"
#include "kernels/kernels.h"
#include "runtime/pool.h"

/* Chunks of FEWEST_ROWS at least: their sums must not outgrow x. */
enum { GRAIN = 16384, MOST_CHUNKS = 64, FEWEST_ROWS = 8, WIDTH = PL_REDUCE_WIDTH };

typedef struct {
  const pl_norm_tensors *t;
  const pl_norm_kernels *kernels;
  pl_normalisation norm;
  int64_t rows, columns, per_chunk, chunks;
  int64_t blocks; /* of WIDTH columns */
  pl_acc *moments;
  double *sums, epsilon;
  const void *shares;
  const pl_norm_gradients *to;
} norm_job;

static const void *data_of(const pl_tensor *t) { return t != NULL ? t->data : NULL; }

static norm_job plan(const pl_norm_tensors *t) {
  norm_job job = {.t = t, .kernels = pl_kernels_get()->norm[t->x->dtype]};
  job.columns = t->columns;
  job.norm = (pl_normalisation){.columns = t->columns,
                                .mean = data_of(t->mean),
                                .inverse = data_of(t->inverse),
                                .gamma = data_of(t->gamma),
                                .beta = data_of(t->beta)};
  job.rows = t->columns > 0 ? t->x->numel / t->columns : 0;
  job.chunks = (t->x->numel + GRAIN - 1) / GRAIN;
  if (job.chunks > MOST_CHUNKS) job.chunks = MOST_CHUNKS;
  job.per_chunk = job.chunks > 0 ? (job.rows + job.chunks - 1) / job.chunks : 1;
  if (job.per_chunk < FEWEST_ROWS) job.per_chunk = FEWEST_ROWS;
  job.chunks = (job.rows + job.per_chunk - 1) / job.per_chunk;
  job.blocks = (job.columns + WIDTH - 1) / WIDTH;
  return job;
}

/* Moments of chunks, or their sums, the total and its shares */
size_t pl_norm_workspace(const pl_tensor *x, int64_t columns) {
  const norm_job job = plan(&(pl_norm_tensors){.x = x, .columns = columns});
  const size_t moments = (size_t)(job.chunks * job.blocks * 3 * WIDTH) * sizeof(pl_acc);
  const size_t sums = (size_t)((job.chunks + 2) * 2 * columns) * sizeof(double);
  return moments > sums ? moments : sums;
}

/* {==== Chunks of rows ==== */

static int64_t rows_of(const norm_job *job, int64_t chunk) {
  const int64_t left = job->rows - chunk * job->per_chunk;
  return left < job->per_chunk ? left : job->per_chunk;
}

/* t at the first number of a chunk whose rows have `columns` of them */
static char *at(const norm_job *job, const pl_tensor *t, int64_t chunk, int64_t columns) {
  if (t == NULL) return NULL;
  return (char *)t->data + chunk * job->per_chunk * columns * (int64_t)pl_dtype_size(t->dtype);
}

static double *zeroed_sums(const norm_job *job, int64_t chunk) {
  double *sums = job->sums + chunk * 2 * job->columns;
  memset(sums, 0, (size_t)(2 * job->columns) * sizeof *sums);
  return sums;
}

static void moments_chunk(void *context, int64_t chunk) {
  const norm_job *job = context;
  const pl_tensor *x = job->t->x;
  pl_acc *acc = job->moments + chunk * job->blocks * 3 * WIDTH;
  memset(acc, 0, (size_t)(job->blocks * 3 * WIDTH) * sizeof *acc);
  for (int64_t block = 0; block < job->blocks; block++) {
    const int64_t first = block * WIDTH, left = job->columns - first;
    pl_kernels_get()->reduce[PL_REDUCE_moments][x->dtype](
        rows_of(job, chunk), left < WIDTH ? left : WIDTH,
        at(job, x, chunk, job->columns) + first * (int64_t)pl_dtype_size(x->dtype), job->columns, 1,
        0, acc + block * 3 * WIDTH);
  }
}

static void columns_chunk(void *context, int64_t chunk) {
  const norm_job *job = context;
  job->kernels->columns(&job->norm, rows_of(job, chunk), at(job, job->t->x, chunk, job->columns),
                        at(job, job->t->y, chunk, job->columns));
}

static void columns_sums_chunk(void *context, int64_t chunk) {
  const norm_job *job = context;
  job->kernels->columns_sums(&job->norm, rows_of(job, chunk),
                             at(job, job->t->y, chunk, job->columns),
                             at(job, job->t->x, chunk, job->columns), zeroed_sums(job, chunk));
}

static void columns_backward_chunk(void *context, int64_t chunk) {
  const norm_job *job = context;
  job->kernels->columns_backward(&job->norm, rows_of(job, chunk),
                                 at(job, job->t->y, chunk, job->columns),
                                 at(job, job->t->x, chunk, job->columns), job->shares,
                                 at(job, job->to->x, chunk, job->columns), job->to->add_x);
}

static void rows_chunk(void *context, int64_t chunk) {
  const norm_job *job = context;
  job->kernels->rows(&job->norm, rows_of(job, chunk), at(job, job->t->x, chunk, job->columns),
                     job->epsilon, at(job, job->t->mean, chunk, 1),
                     at(job, job->t->inverse, chunk, 1), at(job, job->t->y, chunk, job->columns));
}

static void rows_backward_chunk(void *context, int64_t chunk) {
  const norm_job *job = context;
  pl_normalisation norm = job->norm;
  norm.mean = at(job, job->t->mean, chunk, 1);
  norm.inverse = at(job, job->t->inverse, chunk, 1);
  job->kernels->rows_backward(&norm, rows_of(job, chunk), at(job, job->t->y, chunk, job->columns),
                              at(job, job->t->x, chunk, job->columns),
                              at(job, job->to->x, chunk, job->columns), job->to->add_x,
                              job->sums != NULL ? zeroed_sums(job, chunk) : NULL);
}

/* The chunks' sums, added in order into the place after the last of them; gamma's and beta's
** gradients are what they come to. */
static double *join_sums(const norm_job *job) {
  const int64_t n = 2 * job->columns;
  double *total = job->sums + job->chunks * n;
  memset(total, 0, (size_t)n * sizeof *total);
  for (int64_t k = 0; k < job->chunks; k++) {
    for (int64_t i = 0; i < n; i++) total[i] += job->sums[k * n + i];
  }
  const pl_dense_kernels *dense = pl_kernels_get()->dense[job->t->x->dtype];
  const pl_norm_gradients *to = job->to;
  if (to->beta != NULL) dense->gather(1, job->columns, total, to->beta->data, to->add_beta);
  if (to->gamma != NULL)
    dense->gather(1, job->columns, total + job->columns, to->gamma->data, to->add_gamma);
  return total;
}

/* }==== Batches ==== {*/

void pl_batch_norm_statistics(const pl_norm_tensors *t, const pl_tensor *variance,
                              void *workspace) {
  norm_job job = plan(t);
  job.moments = workspace;
  pl_parallel_for(job.chunks, moments_chunk, &job);
  for (int64_t block = 0; block < job.blocks; block++) {
    const int64_t first = block * WIDTH, left = job.columns - first;
    const int64_t n = left < WIDTH ? left : WIDTH;
    pl_acc *total = job.moments + block * 3 * WIDTH;
    for (int64_t k = 1; k < job.chunks; k++) {
      const pl_acc *part = total + k * job.blocks * 3 * WIDTH;
      for (int64_t i = 0; i < n; i++)
        pl_merge_moments(total + i, part[i].f, part[WIDTH + i].f, part[2 * WIDTH + i].f);
    }
    const int64_t offset = first * (int64_t)pl_dtype_size(variance->dtype);
    job.kernels->statistics(n, total, (char *)t->mean->data + offset,
                            (char *)variance->data + offset);
  }
}

void pl_batch_norm(const pl_norm_tensors *t, const pl_tensor *variance, double epsilon) {
  norm_job job = plan(t);
  job.kernels->inverse(t->columns, variance->data, epsilon, t->inverse->data);
  pl_parallel_for(job.chunks, columns_chunk, &job);
}

void pl_batch_norm_backward(const pl_norm_tensors *t, bool constant, const pl_norm_gradients *to,
                            void *workspace) {
  norm_job job = plan(t);
  job.to = to;
  if (to->gamma != NULL || to->beta != NULL || !constant) {
    job.sums = workspace;
    pl_parallel_for(job.chunks, columns_sums_chunk, &job);
    double *total = join_sums(&job), *shares = total + 2 * t->columns;
    if (!constant) {
      job.kernels->shares(2 * t->columns, total, (double)job.rows, shares);
      job.shares = shares;
    }
  }
  if (to->x != NULL) pl_parallel_for(job.chunks, columns_backward_chunk, &job);
}

/* }==== Rows ==== {*/

void pl_layer_norm(const pl_norm_tensors *t, double epsilon) {
  norm_job job = plan(t);
  job.epsilon = epsilon;
  pl_parallel_for(job.chunks, rows_chunk, &job);
}

void pl_layer_norm_backward(const pl_norm_tensors *t, const pl_norm_gradients *to,
                            void *workspace) {
  norm_job job = plan(t);
  job.to = to;
  const bool sums = to->gamma != NULL || to->beta != NULL;
  if (sums) job.sums = workspace;
  pl_parallel_for(job.chunks, rows_backward_chunk, &job);
  if (sums) join_sums(&job);
}
/* }==== */
