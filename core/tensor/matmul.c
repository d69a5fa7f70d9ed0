/*
** Matrix products: kernels of our own, which keep more of a modern processor busy than OpenBLAS does
** with the shapes of layers, or OpenBLAS. See matmul.h for the contract.
*/
#include "tensor/matmul.h"

#include <cblas.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"

enum { TILE = 256, FEWEST_TILES = 8, TILES_A_THREAD = 2, SMALLEST_TILE = 32 };
static const int64_t SMALL = 1 << 16; /* multiply-adds that are not worth a second thread */

typedef struct {
  CBLAS_TRANSPOSE transpose;
  int64_t leading;
} layout;

/* BLAS takes a matrix by rows (unit column stride) or by columns (unit row stride). */
static bool find_layout(const pl_tensor *t, layout *found) {
  int64_t rows = t->shape[t->rank - 2], columns = t->shape[t->rank - 1];
  int64_t row_stride = t->stride[t->rank - 2], column_stride = t->stride[t->rank - 1];
  if (rows <= 1) row_stride = columns > 1 ? columns * column_stride : 1;
  if (columns <= 1) column_stride = 1;
  int64_t by_rows = columns > 1 ? columns : 1, by_columns = rows > 1 ? rows : 1;
  if (column_stride == 1 && row_stride >= by_rows && row_stride <= INT_MAX) {
    *found = (layout){CblasNoTrans, row_stride};
    return true;
  }
  if ((row_stride == 1 || rows <= 1) && column_stride >= by_columns && column_stride <= INT_MAX) {
    *found = (layout){CblasTrans, column_stride};
    return true;
  }
  return false;
}

bool pl_matmul_ready(const pl_tensor *t) {
  layout unused;
  return t->numel == 0 || find_layout(t, &unused);
}

typedef struct {
  const pl_tensor *out, *a, *b;
  layout a_layout, b_layout;
  int64_t m, n, k;
  int64_t tile_rows, tile_columns, row_tiles, column_tiles;
  pl_matmul_extra extra;
  const pl_matmul_kernels *own; /* NULL: OpenBLAS */
  bool row;                     /* a single one, of few columns */
  int64_t left;                 /* columns that it makes apart; a tile has all of them or none */
} matmul_job;

static char *at(const pl_tensor *t, const int64_t *batch, int64_t row, int64_t column) {
  int64_t offset = row * t->stride[t->rank - 2] + column * t->stride[t->rank - 1];
  for (int i = 0; i + 2 < t->rank; i++) offset += batch[i] * t->stride[i];
  return (char *)t->data + offset * (int64_t)pl_dtype_size(t->dtype);
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void start_tile(const matmul_job *job, int64_t m, int64_t n, int64_t row, int64_t column,
                       void *c) {
  const pl_tensor *input = job->extra.input;
  if (input->data == job->out->data && job->extra.beta == 1) return; /* it is there */
  pl_kernels_get()->dense[job->out->dtype]->scale(
      m, n, job->extra.beta, at(input, NULL, row, column), input->stride[0], c, job->n);
}

static void finish_tile(const matmul_job *job, int64_t m, int64_t n, int64_t column, void *c) {
  const pl_matmul_extra *extra = &job->extra;
  const char *bias = extra->bias;
  if (bias != NULL) bias += column * (int64_t)pl_dtype_size(job->out->dtype);
  pl_kernels_get()->dense[job->out->dtype]->bias_relu(m, n, c, job->n, bias, extra->relu);
}

static void own_tile(const matmul_job *job, int64_t m, int64_t n, int64_t left, const void *a,
                     const void *b, void *c) {
  const bool a_turned = job->a_layout.transpose == CblasTrans;
  const bool b_turned = job->b_layout.transpose == CblasTrans;
  pl_matmul_job product = {.m = m, .n = n, .k = job->k, .a = a, .b = b, .c = c, .c_row = job->n};
  product.a_row = a_turned ? 1 : job->a_layout.leading;
  product.a_step = a_turned ? job->a_layout.leading : 1;
  product.b_step = b_turned ? 1 : job->b_layout.leading;
  product.b_column = b_turned ? job->b_layout.leading : 1;
  product.add = job->extra.input != NULL;
  product.left = left;
  (job->row ? job->own->row : job->own->product)(&product);
}

static void matmul_tile(void *context, int64_t chunk) {
  const matmul_job *job = context;
  int64_t tiles = job->row_tiles * job->column_tiles, tile = chunk % tiles, rest = chunk / tiles;
  int64_t batch[PL_MAX_RANK];
  for (int i = job->out->rank - 3; i >= 0; i--) {
    batch[i] = rest % job->out->shape[i];
    rest /= job->out->shape[i];
  }
  int64_t row = tile / job->column_tiles * job->tile_rows;
  int64_t column = tile % job->column_tiles * job->tile_columns;
  int m = (int)smaller(job->tile_rows, job->m - row);
  int n = (int)smaller(job->tile_columns, job->n - column);
  void *c = at(job->out, batch, row, column);
  const void *a = at(job->a, batch, row, 0), *b = at(job->b, batch, 0, column);
  int k = (int)job->k, lda = (int)job->a_layout.leading, ldb = (int)job->b_layout.leading;
  int ldc = (int)job->n;
  const pl_matmul_extra *extra = &job->extra;
  const bool add = extra->input != NULL;
  if (add) start_tile(job, m, n, row, column, c);
  if (job->own != NULL)
    own_tile(job, m, n, column + n == job->n ? job->left : 0, a, b, c);
  else if (job->out->dtype == PL_FLOAT32)
    cblas_sgemm(CblasRowMajor, job->a_layout.transpose, job->b_layout.transpose, m, n, k, 1.0f, a,
                lda, b, ldb, add ? 1.0f : 0.0f, c, ldc);
  else
    cblas_dgemm(CblasRowMajor, job->a_layout.transpose, job->b_layout.transpose, m, n, k, 1.0, a,
                lda, b, ldb, add ? 1.0 : 0.0, c, ldc);
  if (extra->bias != NULL || extra->relu) finish_tile(job, m, n, column, c);
}

/* Tiles for a kernel of our own, which copies its rows for all columns of a tile and packs its columns
** for all rows: nearly square, and some for each thread, but no more, for each packs anew. What they are
** changes no bit of a sum. */
static void own_tiles(int64_t rows, int64_t columns, int64_t *tile_rows, int64_t *tile_columns) {
  const int64_t fewest = TILES_A_THREAD * pl_threads();
  int64_t down = 1, across = 1;
  for (;;) {
    *tile_rows = (rows + down - 1) / down;
    *tile_columns = ((columns + across - 1) / across + 15) / 16 * 16;
    if (*tile_rows > TILE)
      down++;
    else if (*tile_columns > 2 * TILE)
      across++;
    else if (down * across >= fewest)
      return;
    else if (*tile_columns >= *tile_rows && columns / (across + 1) >= SMALLEST_TILE)
      across++;
    else if (*tile_rows > SMALLEST_TILE)
      down++;
    else
      return;
  }
}

/* Tiles of one axis for OpenBLAS: at most TILE long, and more of them, down to SMALLEST_TILE, where an axis is
** short, so that a small batch keeps several threads busy. */
static int64_t tile_length(int64_t size) {
  int64_t tiles = (size + TILE - 1) / TILE, most = (size + SMALLEST_TILE - 1) / SMALLEST_TILE;
  if (tiles < FEWEST_TILES) tiles = smaller(FEWEST_TILES, most);
  int64_t length = (size + tiles - 1) / tiles;
  return smaller((length + 15) / 16 * 16, TILE);
}

static void use_one_blas_thread(void) { openblas_set_num_threads(1); }

void pl_matmul(const pl_tensor *out, const pl_tensor *a, const pl_tensor *b) {
  pl_matmul_with(out, a, b, (pl_matmul_extra){0});
}

void pl_matmul_with(const pl_tensor *out, const pl_tensor *a, const pl_tensor *b,
                    pl_matmul_extra extra) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, use_one_blas_thread);
  if (out->numel == 0) return;
  matmul_job job = {.out = out, .a = a, .b = b, .extra = extra};
  job.m = out->shape[out->rank - 2];
  job.n = out->shape[out->rank - 1];
  job.k = a->shape[a->rank - 1];
  if (job.k == 0) {
    if (extra.input != NULL)
      start_tile(&job, job.m, job.n, 0, 0, out->data);
    else
      memset(out->data, 0, (size_t)out->numel * pl_dtype_size(out->dtype));
    if (extra.bias != NULL || extra.relu)
      finish_tile(&job, out->numel / job.n, job.n, 0, out->data);
    return;
  }
  find_layout(a, &job.a_layout);
  find_layout(b, &job.b_layout);
  job.own = pl_kernels_get()->matmul[out->dtype];
  const bool turned = job.b_layout.transpose == CblasTrans;
  job.row = job.own->row != NULL && job.m == 1 && job.n <= job.own->lanes && !turned;
  if (job.own->product == NULL || (!job.row && (turned ? job.m : job.n) <= job.own->lanes))
    job.own = NULL;
  if (job.own != NULL && !turned && !job.row) job.left = pl_matmul_left(job.n, job.own->lanes);
  job.tile_rows = job.m;
  job.tile_columns = job.n;
  if (job.m * job.n > SMALL / job.k) {
    if (job.own != NULL && turned) /* rows of b, turned */
      own_tiles(job.n, job.m, &job.tile_columns, &job.tile_rows);
    else if (job.own != NULL)
      own_tiles(job.m, job.n, &job.tile_rows, &job.tile_columns);
    else if (job.m >= job.n)
      job.tile_rows = tile_length(job.m);
    else
      job.tile_columns = tile_length(job.n);
  }
  job.row_tiles = (job.m + job.tile_rows - 1) / job.tile_rows;
  job.column_tiles = (job.n + job.tile_columns - 1) / job.tile_columns;
  int64_t batches = out->numel / (job.m * job.n);
  pl_parallel_for(batches * job.row_tiles * job.column_tiles, matmul_tile, &job);
}
