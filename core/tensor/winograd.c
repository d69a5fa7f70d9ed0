/*
** Winograd's convolution. See winograd.h for the contract, kernels/winograd.inc for the formulas.
**
** A task takes some tiles through all three steps while they stay in the second-level cache:
**
**     tiles of x  --Bᵀ d B-->  v[point][tile][channel in]
**     N·N products of matrices  v[t] · u[t]  -->  m[point][tile][channel out],  u = G k Gᵀ
**     m  --Aᵀ m A, bias, ReLU, pooling-->  y
**
** Where u is large, a task makes half of the channels, and the first step is done twice: what two threads
** read of u they have then made themselves.
**
** Backwards by kernel it takes some tiles of x and dy to v and d, and adds vᵀ[t] · d[t] to a sum of its
** own, N·N matrices of the kernel's size. Where these are larger than v and d of all tiles, all tiles go
** through the first step, and then a task sums up some rows of one matrix over half of the tiles: what two
** threads have made they then read themselves.
*/
#include "tensor/winograd.h"

#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"
#include "tensor/window.h"

enum {
  FEWEST_CHANNELS = 16,     /* with fewer the steps before and after cost more than is saved */
  FEWEST_TILES = 16,        /* of an image: the batch changes no bit of an image's result */
  FEWEST_LARGE = 9,         /* the same, of 4×4 */
  FEWEST_LARGE_OF_ALL = 32, /* for a gradient */
  FEWEST_TASKS = 16,
  TASK_TILES = 84,          /* whole register tiles: 6 · 14 */
  TASK_LARGE = 42,          /* of 4×4, which take more room */
  TASK_LEAST = 8,           /* pay for reading the matrices of the kernel */
  KERNEL_PARTS = 8,         /* partial sums of the gradient by the kernel, */
  FEWEST_PARTS = 4,         /* fewer when they are large */
  PARTS_BYTES = 16777216,   /* of all of them */
  WHOLE_PARTS = 2,          /* or all tiles at the points, in as many parts */
  CHANNEL_PARTS = 2,        /* of those that are made, where the kernel's matrices are large: */
  LARGE_MATRICES = 2097152, /* bytes */
  PACK_ROWS = 16,           /* of the kernel's matrices to a task */
  SUM_ROWS = 64             /* the same, of their sums */
};

/* {==== Plans ==== */

static int64_t tiles_of(const int64_t pixels[2], int64_t made) {
  return pl_divide_up(pixels[0], made) * pl_divide_up(pixels[1], made);
}

bool pl_winograd_suits(const pl_conv2d *g) {
  return g->batch > 0 && pl_conv2d_is_plain(g) && g->kernel[0] == 3 && g->kernel[1] == 3 &&
         g->in_channels >= FEWEST_CHANNELS && g->out_channels >= FEWEST_CHANNELS &&
         tiles_of(g->out, 2) >= FEWEST_TILES;
}

/* The larger tile where that has fewer products, although it makes more beyond the edges, and where there are
** enough of them to make its matrices of the kernel for: forward in an image, which has the same bits in any
** batch then; for a gradient in the batch. */
static void choose_tile(pl_winograd_plan *plan) {
  const bool of_images = plan->pass == PL_CONV2D_FORWARD || plan->pass == PL_CONV2D_POOLED;
  const int64_t small = tiles_of(plan->to, 2), large = tiles_of(plan->to, 4);
  const bool enough =
      of_images ? large >= FEWEST_LARGE : large * plan->g->batch >= FEWEST_LARGE_OF_ALL;
  const bool fewer = 10 * 36 * large <= 9 * 16 * small;
  plan->tile = enough && fewer ? PL_WINOGRAD_4X4 : PL_WINOGRAD_2X2;
  plan->made = plan->tile == PL_WINOGRAD_4X4 ? 4 : 2;
  plan->seen = plan->made + 2;
  plan->points = plan->seen * plan->seen;
}

/* Numbers from one tile to the next: rows 1 kB apart would share a quarter of the first-level cache. */
static int64_t step_of(int64_t wide, int64_t size) {
  return wide * size % 1024 == 0 ? wide + 64 / size : wide;
}

/* Numbers from one point to the next: not a multiple of a page, or all would share a cache set. */
static int64_t apart(int64_t tiles, int64_t wide, int64_t size) { return tiles * wide + 64 / size; }

bool pl_winograd_plan_make(pl_winograd_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                           pl_conv2d_pass pass) {
  const int64_t size = (int64_t)pl_dtype_size(dtype);
  const int64_t lanes = pl_kernels_get()->conv2d[dtype].lanes;
  const bool backward = pass == PL_CONV2D_BACKWARD, by_kernel = pass == PL_CONV2D_KERNEL;
  *plan = (pl_winograd_plan){.g = g, .dtype = dtype, .pass = pass};
  plan->from_channels = backward ? g->out_channels : g->in_channels;
  plan->to_channels = backward ? g->in_channels : g->out_channels;
  plan->from_wide = pl_divide_up(plan->from_channels, lanes) * lanes;
  plan->to_wide = pl_divide_up(plan->to_channels, lanes) * lanes;
  plan->from_step = by_kernel ? step_of(plan->from_wide, size) : plan->from_wide;
  plan->to_step = by_kernel ? step_of(plan->to_wide, size) : plan->to_wide;
  for (int a = 0; a < 2; a++) {
    plan->from[a] = backward ? g->out[a] : g->in[a];
    plan->before[a] = backward ? 2 - g->before[a] : g->before[a];
    plan->to[a] = backward ? g->in[a] : pass == PL_CONV2D_POOLED ? g->out[a] / 2 * 2 : g->out[a];
  }
  choose_tile(plan);
  plan->down = pl_divide_up(plan->to[0], plan->made);
  plan->across = pl_divide_up(plan->to[1], plan->made);
  plan->tiles = g->batch * plan->down * plan->across;
  const int64_t most = plan->tile == PL_WINOGRAD_4X4 ? TASK_LARGE : TASK_TILES;
  plan->parts = 1;
  if (by_kernel) {
    const int64_t part = plan->points * plan->from_channels * plan->to_wide * size;
    plan->parts = pl_least(KERNEL_PARTS, pl_most(FEWEST_PARTS, PARTS_BYTES / part));
    plan->parts = pl_most(1, pl_least(plan->parts, plan->tiles / most));
    const int64_t sums = plan->parts * plan->from_channels * plan->to_wide;
    plan->whole = plan->tiles < 2 * sums / (plan->from_wide + plan->to_wide);
    if (plan->whole) plan->parts = WHOLE_PARTS;
  }
  plan->kernel_apart = by_kernel
                           ? plan->from_channels * plan->to_wide
                           : pl_conv2d_packed((int)lanes, plan->from_channels, plan->to_channels);
  plan->channel_parts = 1;
  if (!by_kernel && plan->points * plan->kernel_apart * size >= LARGE_MATRICES &&
      plan->to_wide % (CHANNEL_PARTS * pl_kernels_get()->conv2d[dtype].block * lanes) == 0)
    plan->channel_parts = CHANNEL_PARTS;
  plan->tasks = by_kernel && !plan->whole ? plan->parts
                                          : pl_most(pl_least(FEWEST_TASKS / plan->channel_parts,
                                                             pl_divide_up(plan->tiles, TASK_LEAST)),
                                                    pl_divide_up(plan->tiles, most));
  plan->task_tiles = pl_least(most, pl_divide_up(plan->tiles, plan->tasks));
  const int64_t together = plan->whole ? plan->tiles : plan->task_tiles;
  plan->from_apart = apart(together, plan->from_step, size);
  plan->to_apart = apart(together, plan->to_step, size);
  /* shared: zeros for pixels outside; the runs of a product; the kernel's matrices or their sums */
  plan->runs = pl_divide_up(plan->from_channels, PL_CONV2D_LONGEST_RUN);
  if (!pl_add_room(&plan->bytes, plan->runs, sizeof(pl_conv2d_run))) return false;
  plan->zeros_at = plan->bytes;
  if (!pl_add_room(&plan->bytes, pl_most(plan->from_wide, plan->to_wide), (size_t)size))
    return false;
  plan->matrices_at = plan->bytes;
  if (!pl_add_room(&plan->bytes, plan->parts * plan->points * plan->kernel_apart, (size_t)size))
    return false;
  return pl_add_room(&plan->slots.bytes, plan->points * (plan->from_apart + plan->to_apart),
                     (size_t)size) &&
         pl_add_slots(&plan->bytes, &plan->slots,
                      plan->whole ? 1 : plan->channel_parts * plan->tasks);
}

/* }==== Tiles ==== {*/

typedef struct {
  const pl_winograd_plan *plan;
  const pl_winograd_kernels *kernels;
  const char *from, *kernel, *bias, *dy;
  char *to, *workspace, *matrices;
  const char *zeros;
  uint8_t *which;
  const pl_conv2d_run *run;
  bool relu, add;
} winograd_job;

static winograd_job make_job(const pl_winograd_plan *plan, void *workspace) {
  winograd_job job = {.plan = plan, .workspace = workspace};
  job.kernels = pl_kernels_get()->winograd[plan->dtype][plan->tile];
  pl_conv2d_run *run = workspace;
  for (int64_t i = 0; i < plan->runs; i++) {
    int64_t start;
    const int64_t end = pl_part(plan->from_channels, plan->runs, i, &start);
    run[i] = (pl_conv2d_run){.start = start, .length = end - start};
  }
  job.run = run;
  job.matrices = job.workspace + plan->matrices_at;
  char *zeros = job.workspace + plan->zeros_at;
  memset(zeros, 0, (size_t)pl_most(plan->from_wide, plan->to_wide) * pl_dtype_size(plan->dtype));
  job.zeros = zeros;
  return job;
}

/* A walk over tiles in their order: at each the n×n pixels of one image that begin where `step` pixels a tile
** lead to, less some before. */
typedef struct {
  const pl_winograd_plan *plan;
  const char *images, *outside; /* what a pixel outside is taken for */
  const int64_t *size;          /* of an image */
  int64_t bytes;                /* of a pixel */
  int64_t n, step, before[2];
  int64_t image, row, column;         /* of the tile */
  int64_t offset[PL_WINOGRAD_POINTS]; /* from the first pixel to each of n×n */
} tile_walk;

static tile_walk walk_from(const winograd_job *job, int64_t tile, const void *images,
                           const int64_t size[2], int64_t channels, int64_t n, int64_t step,
                           const char *outside) {
  const pl_winograd_plan *plan = job->plan;
  tile_walk walk = {.plan = plan, .images = images, .outside = outside, .size = size};
  walk.bytes = channels * (int64_t)pl_dtype_size(plan->dtype);
  walk.n = n;
  walk.step = step;
  walk.column = tile % plan->across;
  walk.row = tile / plan->across % plan->down;
  walk.image = tile / plan->across / plan->down;
  for (int64_t i = 0; i < n * n; i++) walk.offset[i] = (i / n * size[1] + i % n) * walk.bytes;
  return walk;
}

/* pixel[r*n + c] := those of the tile; then on to the next one */
static inline void next_pixels(tile_walk *walk, const char **pixel) {
  const int64_t *size = walk->size, n = walk->n;
  const int64_t y = walk->row * walk->step - walk->before[0];
  const int64_t x = walk->column * walk->step - walk->before[1];
  const char *first = walk->images + ((walk->image * size[0] + y) * size[1] + x) * walk->bytes;
  const bool inside = y >= 0 && x >= 0 && y + n <= size[0] && x + n <= size[1];
  for (int64_t i = 0; i < n * n; i++) pixel[i] = first + walk->offset[i];
  for (int64_t i = 0; !inside && i < n * n; i++) {
    const int64_t py = y + i / n, px = x + i % n;
    if (py < 0 || py >= size[0] || px < 0 || px >= size[1]) pixel[i] = walk->outside;
  }
  if (++walk->column < walk->plan->across) return;
  walk->column = 0;
  if (++walk->row < walk->plan->down) return;
  walk->row = 0;
  walk->image++;
}

/* v := tiles first .. first + count - 1 of x, or of what dy is for x */
static void take_tiles(const winograd_job *job, int64_t first, int64_t count, char *v) {
  const pl_winograd_plan *plan = job->plan;
  const int64_t step = plan->from_step * (int64_t)pl_dtype_size(plan->dtype);
  tile_walk walk = walk_from(job, first, job->from, plan->from, plan->from_channels, plan->seen,
                             plan->made, job->zeros);
  memcpy(walk.before, plan->before, sizeof walk.before);
  for (int64_t i = 0; i < count; i++) {
    const char *pixel[PL_WINOGRAD_POINTS];
    next_pixels(&walk, pixel);
    job->kernels->input(plan->from_channels, (const void *const *)pixel, v + i * step,
                        plan->from_apart);
  }
}

/* }==== Forward, and backwards by data ==== {*/

/* The channels of a part: *first .. returned - 1. */
static int64_t part_channels(const pl_winograd_plan *plan, int64_t part, int64_t *first) {
  return pl_least(pl_part(plan->to_wide, plan->channel_parts, part, first), plan->to_channels);
}

static int64_t pack_pieces(const pl_winograd_plan *plan) {
  return pl_divide_up(plan->from_channels, PACK_ROWS);
}

/* Some rows of the kernel's matrices for a part, and at the last the bias that they do not have. */
static void pack_task(void *context, int64_t chunk) {
  const winograd_job *job = context;
  const pl_winograd_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const int64_t depth = plan->from_channels, pieces = pack_pieces(plan), part = chunk / pieces;
  if (part == plan->channel_parts) {
    for (int64_t t = 0; t < plan->points; t++)
      pl_kernels_get()->conv2d[plan->dtype].pack_bias(
          plan->to_channels, NULL, depth, job->matrices + t * plan->kernel_apart * size);
    return;
  }
  const int64_t tap = g->in_channels * g->out_channels;
  const bool backward = plan->pass == PL_CONV2D_BACKWARD; /* then the kernel is turned by 180° */
  const int64_t row = backward ? 1 : g->out_channels, channel = backward ? g->out_channels : 1;
  const int64_t first = chunk % pieces * PACK_ROWS;
  int64_t c0;
  const int64_t end = part_channels(plan, part, &c0);
  job->kernels->kernel(pl_least(PACK_ROWS, depth - first), end - c0,
                       job->kernel + (first * row + c0 * channel + (backward ? 8 * tap : 0)) * size,
                       backward ? -tap : tap, row, channel, first, depth,
                       job->matrices + c0 * depth * size, plan->kernel_apart);
}

static const char *bias_from(const winograd_job *job, int64_t c0) {
  return job->bias != NULL ? job->bias + c0 * (int64_t)pl_dtype_size(job->plan->dtype) : NULL;
}

static void give_tiles(const winograd_job *job, int64_t part, int64_t first, int64_t count,
                       const char *m) {
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  int64_t c0;
  const int64_t channels = part_channels(plan, part, &c0) - c0;
  tile_walk walk = walk_from(job, first, job->to + c0 * size, plan->to, plan->to_channels,
                             plan->made, plan->made, NULL);
  for (int64_t i = 0; i < count; i++) {
    const char *pixel[PL_WINOGRAD_MADE];
    next_pixels(&walk, pixel);
    job->kernels->output(channels, m + (i * plan->to_step + c0) * size, plan->to_apart,
                         bias_from(job, c0), job->relu, job->add, (void *const *)(uintptr_t)pixel);
  }
}

static void give_pooled(const winograd_job *job, int64_t part, int64_t first, int64_t count,
                        const char *m) {
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), side = plan->made / 2;
  const int64_t pooled[2] = {plan->to[0] / 2, plan->to[1] / 2};
  int64_t c0;
  const int64_t channels = part_channels(plan, part, &c0) - c0;
  tile_walk walk =
      walk_from(job, first, job->to + c0 * size, pooled, plan->to_channels, side, side, NULL);
  for (int64_t i = 0; i < count; i++) {
    const char *pixel[PL_WINOGRAD_MADE / 4];
    uint8_t *which[PL_WINOGRAD_MADE / 4];
    next_pixels(&walk, pixel);
    for (int64_t q = 0; q < side * side; q++)
      if (job->which != NULL && pixel[q] != NULL)
        which[q] = job->which + (pixel[q] - job->to) / size;
    job->kernels->pooled(channels, m + (i * plan->to_step + c0) * size, plan->to_apart,
                         bias_from(job, c0), job->relu, (void *const *)(uintptr_t)pixel,
                         job->which != NULL ? which : NULL);
  }
}

static void pass_task(void *context, int64_t chunk) {
  winograd_job *job = context;
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), part = chunk / plan->tasks;
  int64_t first;
  const int64_t end = pl_part(plan->tiles, plan->tasks, chunk % plan->tasks, &first);
  const int64_t count = end - first;
  char *v = pl_slot_of(&plan->slots, job->workspace);
  char *m = v + plan->points * plan->from_apart * size;
  take_tiles(job, first, count, v);
  pl_conv2d_gather product = {.images = 1,
                              .rows = 1,
                              .pixels = count,
                              .channels = plan->to_wide, /* the matrices end in zeros */
                              .in_pixel = plan->from_step,
                              .out_pixel = plan->to_step,
                              .runs = plan->runs,
                              .depth = plan->from_channels,
                              .run = job->run,
                              .part = part,
                              .parts = plan->channel_parts};
  for (int64_t t = 0; t < plan->points; t++) {
    product.packed = job->matrices + t * plan->kernel_apart * size;
    pl_kernels_get()->conv2d[plan->dtype].gather(&product, v + t * plan->from_apart * size,
                                                 m + t * plan->to_apart * size);
  }
  (plan->pass == PL_CONV2D_POOLED ? give_pooled : give_tiles)(job, part, first, count, m);
}

void pl_winograd_pass(const pl_winograd_plan *plan, const void *from, const void *kernel,
                      const void *bias, bool relu, bool add, void *to, uint8_t *which,
                      void *workspace) {
  winograd_job job = make_job(plan, workspace);
  job.from = from;
  job.kernel = kernel;
  job.bias = bias;
  job.relu = relu;
  job.add = add;
  job.to = to;
  job.which = which;
  pl_parallel_for(plan->channel_parts * pack_pieces(plan) + 1, pack_task, &job);
  pl_parallel_slots(plan->channel_parts * plan->tasks, plan->slots.count, pass_task, &job);
}

/* }==== Backwards by kernel ==== {*/

/* v, d := tiles first .. first + count - 1 of x and of dy */
static void take_both(const winograd_job *job, int64_t first, int64_t count, char *v, char *d) {
  const pl_winograd_plan *plan = job->plan;
  const int64_t step = plan->to_step * (int64_t)pl_dtype_size(plan->dtype);
  tile_walk walk = walk_from(job, first, job->dy, plan->to, plan->to_channels, plan->made,
                             plan->made, job->zeros);
  take_tiles(job, first, count, v);
  for (int64_t i = 0; i < count; i++) {
    const char *pixel[PL_WINOGRAD_MADE];
    next_pixels(&walk, pixel);
    job->kernels->gradient(plan->to_channels, (const void *const *)pixel, d + i * step,
                           plan->to_apart);
  }
}

/* sums[t] := (or +=) vᵀ[t] · d[t] over so many tiles, for some channels of x */
static void sum_products(const winograd_job *job, int64_t t, pl_conv2d_run channels, int64_t count,
                         const char *v, const char *d, bool add, char *sums) {
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const pl_conv2d_run tiles = {.length = count};
  const pl_conv2d_outer product = {.runs = 1,
                                   .bands = 1,
                                   .channels = plan->to_wide,
                                   .in_pixel = plan->from_step,
                                   .d_pixel = plan->to_step,
                                   .out_row = plan->to_wide,
                                   .run = &tiles,
                                   .band = &channels,
                                   .add = add};
  pl_kernels_get()->conv2d[plan->dtype].outer(
      &product, v + t * plan->from_apart * size, d + t * plan->to_apart * size,
      sums + (t * plan->kernel_apart + channels.start * plan->to_wide) * size);
}

/* A part of the tiles, some at a time. */
static void kernel_task(void *context, int64_t part) {
  winograd_job *job = context;
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  char *v = pl_slot_of(&plan->slots, job->workspace);
  char *d = v + plan->points * plan->from_apart * size;
  char *sums = job->matrices + part * plan->points * plan->kernel_apart * size;
  int64_t start;
  const int64_t end = pl_part(plan->tiles, plan->parts, part, &start);
  for (int64_t first = start; first < end; first += plan->task_tiles) {
    const int64_t count = pl_least(plan->task_tiles, end - first);
    take_both(job, first, count, v, d);
    for (int64_t t = 0; t < plan->points; t++)
      sum_products(job, t, (pl_conv2d_run){.length = plan->from_channels}, count, v, d,
                   first > start, sums);
  }
}

/* Some of all tiles. */
static void take_both_task(void *context, int64_t chunk) {
  const winograd_job *job = context;
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  int64_t first;
  const int64_t end = pl_part(plan->tiles, plan->tasks, chunk, &first);
  char *v = job->workspace + plan->slots.at, *d = v + plan->points * plan->from_apart * size;
  take_both(job, first, end - first, v + first * plan->from_step * size,
            d + first * plan->to_step * size);
}

/* Some rows of one of the sums, of a part of the tiles; those of a point follow one another, and find its
** numbers near. */
static void sum_task(void *context, int64_t chunk) {
  const winograd_job *job = context;
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const int64_t pieces = pl_divide_up(plan->from_channels, SUM_ROWS);
  const int64_t part = chunk / pieces / plan->points, t = chunk / pieces % plan->points;
  const int64_t first = chunk % pieces * SUM_ROWS;
  int64_t tile;
  const int64_t end = pl_part(plan->tiles, plan->parts, part, &tile);
  const char *v = job->workspace + plan->slots.at, *d = v + plan->points * plan->from_apart * size;
  const pl_conv2d_run rows = {.start = first,
                              .length = pl_least(SUM_ROWS, plan->from_channels - first)};
  sum_products(job, t, rows, end - tile, v + tile * plan->from_step * size,
               d + tile * plan->to_step * size, false,
               job->matrices + part * plan->points * plan->kernel_apart * size);
}

/* A channel of x. */
static void give_kernel_task(void *context, int64_t channel) {
  const winograd_job *job = context;
  const pl_winograd_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  job->kernels->kernel_gradient(plan->to_channels, job->matrices + channel * plan->to_wide * size,
                                plan->kernel_apart, plan->parts, plan->points * plan->kernel_apart,
                                job->add, job->to + channel * plan->to_channels * size,
                                plan->from_channels * plan->to_channels);
}

void pl_winograd_backward_kernel(const pl_winograd_plan *plan, const void *x, const void *dy,
                                 bool add, void *dkernel, void *workspace) {
  winograd_job job = make_job(plan, workspace);
  job.from = x;
  job.dy = dy;
  job.to = dkernel;
  job.add = add;
  if (plan->whole) {
    pl_parallel_for(plan->tasks, take_both_task, &job);
    pl_parallel_for(plan->parts * plan->points * pl_divide_up(plan->from_channels, SUM_ROWS),
                    sum_task, &job);
  } else {
    pl_parallel_slots(plan->parts, plan->slots.count, kernel_task, &job);
  }
  pl_parallel_for(plan->from_channels, give_kernel_task, &job);
}

/* }==== */
