/*
** See reduce.h for the contract.
*/
#include "tensor/reduce.h"

#include <stdatomic.h>
#include <string.h>

#include "kernels/accumulate.h"
#include "runtime/pool.h"

enum {
  WIDTH = PL_REDUCE_WIDTH,
  SLOTS = 3,
  GRAIN = 32768, /* elements a task: enough to hide the price of handing it out */
  TILE = 16384,  /* elements a kernel call: kernels of two passes find them still in cache */
  TASKS = 64,    /* reduced ranges are cut only while there are fewer */
  NARROW = 64,   /* blocks up to this width lay several rows side by side */
};

static const struct {
  pl_reduce_op kernel;
  enum { SAME, SUMMED, REAL_NUMBER, INDEX, TRUTH } result;
} ops[PL_REDUCTION_COUNT] = {
    [PL_SUM] = {PL_REDUCE_sum, SUMMED},
    [PL_MEAN] = {PL_REDUCE_sum, REAL_NUMBER},
    [PL_PROD] = {PL_REDUCE_prod, SUMMED},
    [PL_VAR] = {PL_REDUCE_moments, REAL_NUMBER},
    [PL_STD] = {PL_REDUCE_moments, REAL_NUMBER},
    [PL_MIN] = {PL_REDUCE_min, SAME},
    [PL_MAX] = {PL_REDUCE_max, SAME},
    [PL_ARGMIN] = {PL_REDUCE_argmin, INDEX},
    [PL_ARGMAX] = {PL_REDUCE_argmax, INDEX},
    [PL_ANY] = {PL_REDUCE_count, TRUTH},
    [PL_ALL] = {PL_REDUCE_count, TRUTH},
    [PL_NORM] = {PL_REDUCE_squares, REAL_NUMBER},
    [PL_LOGSUMEXP] = {PL_REDUCE_logsumexp, REAL_NUMBER},
};

pl_dtype pl_reduction_dtype(pl_reduction_op op, pl_dtype dtype) {
  switch (ops[op].result) {
    case SAME: return dtype;
    case SUMMED: return pl_dtype_is_float(dtype) ? dtype : PL_INT32;
    case REAL_NUMBER: return pl_dtype_is_float(dtype) ? dtype : PL_FLOAT32;
    case INDEX: return PL_INT32;
    default: return PL_UINT8;
  }
}

/* {==== Accumulators ==== */

static void start(const pl_reduction *r, int64_t m, pl_acc *acc) {
  pl_acc zero = {.i = 0}, first = zero; /* all bits 0 are 0.0 as well */
  int slots = 1;
  switch (ops[r->op].kernel) {
    case PL_REDUCE_prod:
      if (pl_dtype_is_float(r->dtype))
        first.f = 1;
      else
        first.i = 1;
      break;
    case PL_REDUCE_min:
    case PL_REDUCE_argmin: first.f = INFINITY; break;
    case PL_REDUCE_max:
    case PL_REDUCE_argmax: first.f = -INFINITY; break;
    case PL_REDUCE_moments: slots = 3; break;
    case PL_REDUCE_logsumexp: slots = 2; break;
    default: break;
  }
  for (int64_t j = 0; j < m; j++) acc[j] = first;
  for (int s = 1; s < slots; s++) {
    for (int64_t j = 0; j < m; j++) acc[s * WIDTH + j] = zero;
  }
  if (ops[r->op].result == INDEX) {
    for (int64_t j = 0; j < m; j++) acc[WIDTH + j].i = -1;
  }
}

/* Folds m later accumulators into earlier ones. */
static void merge(const pl_reduction *r, int64_t m, pl_acc *into, const pl_acc *from) {
  const bool is_float = pl_dtype_is_float(r->dtype);
  for (int64_t j = 0; j < m; j++) {
    pl_acc *a = into + j;
    const pl_acc *b = from + j;
    switch (ops[r->op].kernel) {
      case PL_REDUCE_sum:
        if (is_float)
          a->f += b->f;
        else
          a->i += b->i;
        break;
      case PL_REDUCE_prod:
        if (is_float)
          a->f *= b->f;
        else
          a->i = pl_product(a->i, b->i);
        break;
      case PL_REDUCE_squares: a->f += b->f; break;
      case PL_REDUCE_count: a->i += b->i; break;
      case PL_REDUCE_min: a->f = b->f < a->f || b->f != b->f ? b->f : a->f; break;
      case PL_REDUCE_max: a->f = b->f > a->f || b->f != b->f ? b->f : a->f; break;
      case PL_REDUCE_moments:
        if (b->f != 0) pl_merge_moments(a, b[0].f, b[WIDTH].f, b[2 * WIDTH].f);
        break;
      case PL_REDUCE_logsumexp: pl_merge_exponentials(a, b[0].f, b[WIDTH].f); break;
      default: { /* argmin, argmax */
        const double x = a->f, y = b->f;
        const bool closer = ops[r->op].kernel == PL_REDUCE_argmin ? y < x : y > x;
        if (b[WIDTH].i >= 0 && (a[WIDTH].i < 0 || closer || (y != y && x == x))) {
          a[0] = b[0];
          a[WIDTH] = b[WIDTH];
        }
      }
    }
  }
}

/* Turns slot 0 into the result, an integer when the output's dtype is one. */
static void finish(const pl_reduction *r, int64_t m, pl_acc *acc) {
  const bool is_float = pl_dtype_is_float(r->dtype);
  const double count = (double)r->reduced.count;
  const double degrees = count > r->correction ? count - r->correction : 0;
  for (int64_t j = 0; j < m; j++) {
    pl_acc *a = acc + j;
    switch (r->op) {
      case PL_MEAN:
        if (r->reduced.count == 0)
          a->f = NAN;
        else
          a->f = (is_float ? a->f : (double)a->i) / count;
        break;
      case PL_VAR:
      case PL_STD: {
        double squares = a[2 * WIDTH].f < 0 ? 0 : a[2 * WIDTH].f; /* by rounding */
        double variance = squares / degrees;
        a->f = degrees == 0 && squares == 0 ? NAN : r->op == PL_STD ? sqrt(variance) : variance;
        break;
      }
      case PL_MIN:
      case PL_MAX:
        if (!is_float) a->i = (int64_t)a->f;
        break;
      case PL_ARGMIN:
      case PL_ARGMAX: a->i = a[WIDTH].i + 1; break;
      case PL_ANY: a->i = a->i > 0; break;
      case PL_ALL: a->i = a->i == r->reduced.count; break;
      case PL_NORM: a->f = sqrt(a->f); break;
      case PL_LOGSUMEXP: a->f += log(a[WIDTH].f); break;
      default: break;
    }
  }
}

/* False when an integer does not fit. */
static bool store(int64_t m, const pl_acc *acc, pl_dtype dtype, void *out, int64_t stride) {
  bool fits = true;
  for (int64_t j = 0; j < m; j++) {
    switch (dtype) {
      case PL_FLOAT32: ((float *)out)[j * stride] = (float)acc[j].f; break;
      case PL_FLOAT64: ((double *)out)[j * stride] = acc[j].f; break;
      case PL_UINT8: ((uint8_t *)out)[j * stride] = (uint8_t)acc[j].i; break;
      default:
        fits &= acc[j].i == (int32_t)acc[j].i;
        ((int32_t *)out)[j * stride] = (int32_t)acc[j].i;
    }
  }
  return fits;
}

/* }==== The plan ==== {*/

void pl_reduction_make(pl_reduction *r, pl_reduction_op op, const pl_tensor *x, unsigned axes,
                       double correction) {
  r->op = op;
  r->dtype = x->dtype;
  r->data = x->data;
  r->correction = correction;
  pl_tensor out = *x;
  int64_t stride = 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    if (axes >> i & 1) continue;
    out.stride[i] = stride;
    stride *= x->shape[i];
  }
  const pl_tensor *operands[] = {x, &out};
  const bool ordered = ops[op].result == INDEX;
  pl_walk_make(&r->kept, 2, operands, ~axes, PL_BY_STRIDE);
  pl_walk_make(&r->reduced, 1, operands, axes, ordered ? PL_IN_ORDER : PL_BY_STRIDE);
  r->blocks = r->chunks = r->fold = 1;
  if (r->kept.count == 0) return;

  pl_walk *reduced = &r->reduced;
  const int inner = reduced->rank - 1, across = r->kept.rank - 1;
  if (!ordered && reduced->shape[inner] < 8) { /* a very short inner loop costs a call each */
    int longest = inner;
    for (int i = 0; i < inner; i++) {
      if (reduced->shape[i] > reduced->shape[longest]) longest = i;
    }
    if (reduced->shape[longest] >= 64) pl_walk_swap(reduced, longest, inner);
  }
  const int64_t row = r->kept.shape[across], narrow = row < NARROW ? row : NARROW;
  r->width = row < WIDTH ? row : WIDTH;
  if (reduced->stride[0][inner] == 1 && r->width * reduced->count > TILE) {
    r->width = TILE / reduced->count; /* read along rows: few enough of them to be read whole */
    if (r->width < 1) r->width = 1;
  }
  r->per_row = (row + r->width - 1) / r->width;
  r->blocks = r->kept.count / row * r->per_row;
  const int64_t elements = r->width * reduced->count;
  int64_t cuts = (TASKS + r->blocks - 1) / r->blocks;
  if (cuts > elements / GRAIN) cuts = elements / GRAIN;
  r->chunk = cuts > 1 ? (reduced->count + cuts - 1) / cuts : reduced->count;
  r->chunks = cuts > 1 ? (reduced->count + r->chunk - 1) / r->chunk : 1;
  r->group = elements < GRAIN ? GRAIN / (elements > 0 ? elements : 1) : 1;
  /* rows that follow each other in memory make one wide row of several partial results */
  if (!ordered && row > 1 && row == narrow && r->kept.stride[0][across] == 1 &&
      reduced->stride[0][inner] == row && reduced->shape[inner] >= 2 * WIDTH / row)
    r->fold = WIDTH / row;
}

size_t pl_reduction_workspace(const pl_reduction *r) {
  if (r->chunks == 1) return 0;
  return (size_t)(r->blocks * r->chunks) * SLOTS * WIDTH * sizeof(pl_acc);
}

/* }==== Running ==== {*/

typedef struct {
  const pl_reduction *r;
  pl_reduce_fn *kernel;
  const pl_tensor *out; /* or NULL: the result goes to *result */
  pl_acc *partial, *result;
  atomic_bool *fits;
} reduce_job;

/* The block's first output: its width, and its row among the kept axes. */
static int64_t locate(const pl_reduction *r, int64_t block, int64_t *row, int64_t *column) {
  *row = block / r->per_row;
  *column = block % r->per_row * r->width;
  const int64_t left = r->kept.shape[r->kept.rank - 1] - *column;
  return left < r->width ? left : r->width;
}

static void fold_chunk(const reduce_job *job, int64_t block, int64_t chunk, pl_acc *acc) {
  const pl_reduction *r = job->r;
  const int across = r->kept.rank - 1, inner = r->reduced.rank - 1;
  const int64_t size = (int64_t)pl_dtype_size(r->dtype);
  int64_t row, column;
  const int64_t m = locate(r, block, &row, &column), sm = r->kept.stride[0][across];
  const char *base = r->data + (pl_walk_offset(&r->kept, 0, across, row) + column * sm) * size;
  const int64_t length = r->reduced.shape[inner], sn = r->reduced.stride[0][inner];
  const int64_t most = TILE / m > 0 ? TILE / m : 1;
  int64_t at = chunk * r->chunk, end = at + r->chunk;
  if (end > r->reduced.count) end = r->reduced.count;
  start(r, m * r->fold, acc);
  while (at < end) {
    const int64_t within = at % length;
    int64_t n = length - within;
    if (n > end - at) n = end - at;
    if (n > most) n = most;
    const int64_t offset = pl_walk_offset(&r->reduced, 0, inner, at / length) + within * sn;
    const char *x = base + offset * size;
    const int64_t wide = r->fold > 1 ? n / r->fold : 0, side = wide * r->fold;
    if (wide > 0) job->kernel(wide, m * r->fold, x, sn * r->fold, sm, at, acc);
    if (n > side) job->kernel(n - side, m, x + side * sn * size, sn, sm, at, acc);
    at += n;
  }
  for (int64_t k = 1; k < r->fold; k++) merge(r, m, acc, acc + k * m);
}

static void finish_block(const reduce_job *job, int64_t block, pl_acc *acc) {
  const pl_reduction *r = job->r;
  const int across = r->kept.rank - 1;
  int64_t row, column;
  const int64_t m = locate(r, block, &row, &column), stride = r->kept.stride[1][across];
  finish(r, m, acc);
  if (job->out == NULL) {
    *job->result = acc[0];
    return;
  }
  const int64_t offset = pl_walk_offset(&r->kept, 1, across, row) + column * stride;
  char *out = (char *)job->out->data + offset * (int64_t)pl_dtype_size(job->out->dtype);
  if (!store(m, acc, job->out->dtype, out, stride)) atomic_store(job->fits, false);
}

static void whole_blocks(void *context, int64_t task) {
  const reduce_job *job = context;
  pl_acc acc[SLOTS * WIDTH];
  const int64_t first = task * job->r->group;
  for (int64_t b = first; b < first + job->r->group && b < job->r->blocks; b++) {
    fold_chunk(job, b, 0, acc);
    finish_block(job, b, acc);
  }
}

static void one_chunk(void *context, int64_t task) {
  const reduce_job *job = context;
  fold_chunk(job, task / job->r->chunks, task % job->r->chunks,
             job->partial + task * SLOTS * WIDTH);
}

static void join_chunks(void *context, int64_t block) {
  const reduce_job *job = context;
  int64_t row, column;
  const int64_t m = locate(job->r, block, &row, &column);
  pl_acc *first = job->partial + block * job->r->chunks * SLOTS * WIDTH;
  for (int64_t c = 1; c < job->r->chunks; c++) merge(job->r, m, first, first + c * SLOTS * WIDTH);
  finish_block(job, block, first);
}

static bool run(const pl_reduction *r, const pl_tensor *out, void *workspace, pl_acc *result) {
  atomic_bool fits = true;
  reduce_job job = {.r = r, .out = out, .partial = workspace, .result = result, .fits = &fits};
  job.kernel = pl_kernels_get()->reduce[ops[r->op].kernel][r->dtype];
  if (r->kept.count == 0) return true;
  if (r->chunks == 1) {
    pl_parallel_for((r->blocks + r->group - 1) / r->group, whole_blocks, &job);
  } else {
    pl_parallel_for(r->blocks * r->chunks, one_chunk, &job);
    pl_parallel_for(r->blocks, join_chunks, &job);
  }
  return atomic_load(&fits);
}

bool pl_reduce(const pl_reduction *r, const pl_tensor *out, void *workspace) {
  return run(r, out, workspace, NULL);
}

bool pl_reduce_all(const pl_reduction *r, void *workspace, pl_acc *result, bool *integer) {
  run(r, NULL, workspace, result);
  *integer = !pl_dtype_is_float(pl_reduction_dtype(r->op, r->dtype));
  return !(*integer && r->op == PL_PROD && result->i == INT64_MIN);
}

/* }==== Scans ==== {*/

typedef struct {
  pl_scan_fn *scan;
  const pl_tensor *x, *out;
  pl_walk rows; /* operand 0: x, 1: out */
  int64_t length, along[2], per_row, width, blocks, group;
  atomic_bool *fits;
} scan_job;

static void scan_blocks(void *context, int64_t task) {
  const scan_job *job = context;
  const pl_walk *rows = &job->rows;
  const int across = rows->rank - 1;
  const int64_t first = task * job->group;
  const int64_t sx[] = {job->along[0], rows->stride[0][across]};
  const int64_t so[] = {job->along[1], rows->stride[1][across]};
  for (int64_t block = first; block < first + job->group && block < job->blocks; block++) {
    const int64_t row = block / job->per_row, column = block % job->per_row * job->width;
    const int64_t left = rows->shape[across] - column;
    const int64_t from = pl_walk_offset(rows, 0, across, row) + column * sx[1];
    const int64_t to = pl_walk_offset(rows, 1, across, row) + column * so[1];
    const char *x = (const char *)job->x->data + from * (int64_t)pl_dtype_size(job->x->dtype);
    char *out = (char *)job->out->data + to * (int64_t)pl_dtype_size(job->out->dtype);
    if (!job->scan(job->length, left < job->width ? left : job->width, x, sx, out, so))
      atomic_store(job->fits, false);
  }
}

bool pl_scan(pl_scan_fn *scan, const pl_tensor *x, int axis, const pl_tensor *out) {
  if (x->numel == 0) return true;
  atomic_bool fits = true;
  scan_job job = {.scan = scan, .x = x, .out = out, .length = x->shape[axis], .fits = &fits};
  job.along[0] = x->stride[axis];
  job.along[1] = out->stride[axis];
  const pl_tensor *operands[] = {x, out};
  pl_walk_make(&job.rows, 2, operands, ~(1u << axis), PL_BY_STRIDE);
  const int64_t row = job.rows.shape[job.rows.rank - 1];
  job.width = row < WIDTH ? row : WIDTH;
  /* narrower blocks of long lines: read more than once, they should stay in cache */
  while (job.width > 64 && job.width * job.length > 4 * GRAIN) job.width /= 2;
  job.per_row = (row + job.width - 1) / job.width;
  job.blocks = job.rows.count / row * job.per_row;
  const int64_t elements = job.width * job.length;
  job.group = elements < GRAIN ? GRAIN / elements : 1;
  pl_parallel_for((job.blocks + job.group - 1) / job.group, scan_blocks, &job);
  return atomic_load(&fits);
}

/* }==== Comparisons ==== {*/

typedef struct {
  pl_compare_fn *compare;
  const pl_tensor *a, *b;
  const double *param;
  pl_walk walk;
  int64_t pieces, piece, group; /* pieces of a row of the inner axis, and pieces a task */
  atomic_bool *same;
} compare_job;

static void compare_pieces(void *context, int64_t task) {
  const compare_job *job = context;
  const pl_walk *walk = &job->walk;
  const int inner = walk->rank - 1;
  const int64_t size = (int64_t)pl_dtype_size(job->a->dtype), length = walk->shape[inner];
  const int64_t total = walk->count / length * job->pieces, first = task * job->group;
  for (int64_t at = first; at < first + job->group && at < total; at++) {
    if (!atomic_load_explicit(job->same, memory_order_relaxed)) return;
    const int64_t row = at / job->pieces, column = at % job->pieces * job->piece;
    const int64_t left = length - column, n = left < job->piece ? left : job->piece;
    const char *side[2] = {job->a->data, job->b->data};
    for (int k = 0; k < 2; k++)
      side[k] += (pl_walk_offset(walk, k, inner, row) + column * walk->stride[k][inner]) * size;
    if (!job->compare(n, side[0], walk->stride[0][inner], side[1], walk->stride[1][inner],
                      job->param))
      atomic_store(job->same, false);
  }
}

bool pl_compare(const pl_tensor *a, const pl_tensor *b, const double *param) {
  if (a->numel == 0) return true;
  atomic_bool same = true;
  const pl_kernels *kernels = pl_kernels_get();
  compare_job job = {.a = a, .b = b, .param = param, .same = &same};
  job.compare = param == NULL ? kernels->equal[a->dtype] : kernels->close[a->dtype];
  const pl_tensor *operands[] = {a, b};
  pl_walk_make(&job.walk, 2, operands, ~0u, PL_BY_STRIDE);
  const int64_t length = job.walk.shape[job.walk.rank - 1];
  job.piece = length < GRAIN ? length : GRAIN;
  job.pieces = (length + job.piece - 1) / job.piece;
  job.group = GRAIN / job.piece;
  const int64_t total = job.walk.count / length * job.pieces;
  pl_parallel_for((total + job.group - 1) / job.group, compare_pieces, &job);
  return atomic_load(&same);
}
/* }==== */
