/*
** Back through a convolution and 2×2 max pooling. See conv2d_pool.h for the contract.
**
** Of one pixel p after the pooling and one channel c, a single pixel before it had a part in the
** result: p's place, one of four. Its patch of x, kernel rows by numbers that lie side by side,
**
**     by kernel    dkernel[:, :, :, c] += d[p, c] * patch
**     by data      patch of dx         += d[p, c] * kernel[:, :, :, c]
**
** so both are sums of rows that are picked by lists: by kernel a list of patches for each channel,
** by data a list of channels for each place of each pixel. The sums stay in registers meanwhile.
*/
#include "tensor/conv2d_pool.h"

#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"
#include "tensor/window.h"

enum {
  CACHE_BYTES = 40960, /* of what the lists pick from: about the first-level cache */
  BATCH_PARTS = 8,     /* partial sums of a kernel's gradient */
  LAY_CHANNELS = 16    /* of the kernel to a task */
};

static const pl_conv2d_pool_kernels *kernels_of(pl_dtype dtype) {
  return pl_kernels_get()->conv2d_pool[dtype];
}

/* A kernel row in numbers, and up to whole vectors. */
static int64_t row_numbers(const pl_conv2d *g) { return g->kernel[1] * g->in_channels; }
static int64_t row_wide(const pl_conv2d_pool_plan *plan) {
  return plan->vectors * kernels_of(plan->dtype)->lanes;
}

bool pl_conv2d_pool_plan_make(pl_conv2d_pool_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                              bool by_data) {
  const pl_conv2d_pool_kernels *kernels = kernels_of(dtype);
  const int64_t size = (int64_t)pl_dtype_size(dtype), lanes = kernels->lanes;
  *plan = (pl_conv2d_pool_plan){.g = g, .dtype = dtype, .by_data = by_data};
  for (int a = 0; a < 2; a++) plan->out[a] = g->out[a] / 2;
  plan->vectors = pl_divide_up(row_numbers(g), lanes);
  int64_t most = kernels->most_vectors(g->kernel[0]);
  plan->bands = most > 0 ? g->kernel[0] : 1;
  if (most == 0) most = kernels->most_vectors(1);
  if (by_data) /* a piece of the kernel stays in the cache */
    most = pl_most(1, pl_least(most, CACHE_BYTES / (plan->bands * g->out_channels * lanes * size)));
  plan->groups = g->kernel[0] / plan->bands;
  plan->pieces = pl_divide_up(plan->vectors, most);

  plan->images = 1;
  plan->rows = plan->out[0];
  plan->window[1] = 2 * plan->out[1] + g->kernel[1] - 1;
  int64_t row_bytes;
  if (!pl_size_mul(plan->window[1], g->in_channels * size, &row_bytes)) return false;
  if (!by_data) {
    const int64_t tall = CACHE_BYTES / pl_most(1, row_bytes);
    plan->batch_parts = pl_most(1, pl_least(BATCH_PARTS, g->batch));
    plan->rows = pl_most(1, pl_least(plan->out[0], (tall - g->kernel[0] + 1) / 2));
    plan->rows = pl_divide_up(plan->out[0], pl_divide_up(plan->out[0], plan->rows));
    if (plan->rows == plan->out[0])
      plan->images = pl_most(1, pl_least(tall / (2 * plan->rows + g->kernel[0] - 1),
                                         pl_divide_up(g->batch, plan->batch_parts)));
  }
  plan->window[0] = 2 * plan->rows + g->kernel[0] - 1;
  /* rows that end within a vector are read, or written, a little beyond */
  plan->direct = !by_data && row_numbers(g) % lanes == 0 && plan->images == 1;
  for (int a = 0; a < 2; a++) plan->direct = plan->direct && g->before[a] == 0;

  const int64_t pixels = plan->images * plan->rows * plan->out[1];
  plan->lists = by_data ? 4 * pixels : g->out_channels;
  const int64_t places = by_data ? 0 : pixels;
  const int64_t capacity = by_data ? g->out_channels : pixels;
  int64_t window;
  if (!pl_size_mul(plan->window[0] * plan->images, plan->window[1] * g->in_channels, &window) ||
      !pl_size_mul(plan->lists, capacity, &plan->entries))
    return false;
  const int64_t kernel_sums = g->out_channels * g->kernel[0] * row_wide(plan);
  if (window > INT32_MAX - lanes || kernel_sums > INT32_MAX || plan->lists > INT32_MAX)
    return false; /* places are counted in 32 bits */
  plan->window_room = plan->direct ? 0 : window + lanes;
  plan->sums = kernel_sums;
  /* shared: by data the kernel, piece by piece, and the lists' places; by kernel the partial sums */
  const int64_t piece = pl_divide_up(plan->vectors, plan->pieces) * lanes;
  if (by_data) plan->sums = plan->pieces * g->out_channels * g->kernel[0] * piece;
  if (!pl_add_room(&plan->bytes, plan->sums * pl_most(1, plan->batch_parts), (size_t)size))
    return false;
  plan->shared_at = plan->bytes;
  if (!pl_add_room(&plan->bytes, plan->lists, sizeof(int32_t))) return false;
  return pl_add_room(&plan->slots.bytes, plan->window_room, (size_t)size) &&
         pl_add_room(&plan->slots.bytes, plan->entries, (size_t)kernels->entry_bytes) &&
         pl_add_room(&plan->slots.bytes, plan->lists, sizeof(int32_t)) &&
         pl_add_room(&plan->slots.bytes, places, sizeof(int32_t)) &&
         pl_add_slots(&plan->bytes, &plan->slots, by_data ? g->batch : plan->batch_parts);
}

typedef struct {
  const pl_conv2d_pool_plan *plan;
  const pl_conv2d_pool_kernels *kernels;
  const char *x, *kernel, *dy;
  const uint8_t *which;
  char *out, *workspace; /* out: dkernel or dx */
  int32_t *place;        /* of each list's sum */
  bool add;
} pool_job;

/* The memory of one task. */
typedef struct {
  char *window, *entry;
  int32_t *count, *from;
} slot_room;

static slot_room room_of(const pool_job *job) {
  const pl_conv2d_pool_plan *plan = job->plan;
  char *start = pl_slot_of(&plan->slots, job->workspace);
  size_t at[3] = {0};
  pl_add_room(&at[0], plan->window_room, pl_dtype_size(plan->dtype));
  at[1] = at[0];
  pl_add_room(&at[1], plan->entries, (size_t)job->kernels->entry_bytes);
  at[2] = at[1];
  pl_add_room(&at[2], plan->lists, sizeof(int32_t));
  return (slot_room){start, start + at[0], (int32_t *)(void *)(start + at[1]),
                     (int32_t *)(void *)(start + at[2])};
}

/* The numbers of a kernel row's last vector that are written: by kernel all, the sums have room for
** them; by data those there are, beside them lie other pixels. */
static int64_t last_numbers(const pl_conv2d_pool_plan *plan) {
  const int64_t lanes = kernels_of(plan->dtype)->lanes;
  return plan->by_data ? row_numbers(plan->g) - (plan->vectors - 1) * lanes : lanes;
}

/* All sums over lists: `a` and `sum` of the first kernel row and number; by group and piece of the
** kernel they go on by these steps, in numbers. */
static void sum_lists(const pool_job *job, pl_conv2d_sparse s, int64_t a_group, int64_t a_piece,
                      int64_t sum_group) {
  const pl_conv2d_pool_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), lanes = job->kernels->lanes;
  const char *a = s.a;
  char *sum = s.sum;
  s.bands = plan->bands;
  for (int64_t piece = 0; piece < plan->pieces; piece++) {
    int64_t first;
    const int64_t end = pl_part(plan->vectors, plan->pieces, piece, &first);
    s.vectors = end - first;
    s.last = end < plan->vectors ? lanes : last_numbers(plan);
    for (int64_t group = 0; group < plan->groups; group++) {
      s.a = a + (group * a_group + (a_piece > 0 ? piece * a_piece : first * lanes)) * size;
      s.sum = sum + (group * sum_group + first * lanes) * size;
      job->kernels->sum(&s);
    }
  }
}

/* {==== By kernel ==== */

/* A part of the batch. */
static void kernel_task(void *context, int64_t part) {
  pool_job *job = context;
  const pl_conv2d_pool_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const int64_t channels = g->in_channels, wide = row_wide(plan);
  const int64_t columns = plan->direct ? g->in[1] : plan->window[1], row = columns * channels;
  const int32_t quad[4] = {0, (int32_t)channels, (int32_t)row, (int32_t)(row + channels)};
  const slot_room room = room_of(job);
  char *sums = job->workspace + part * plan->sums * size;
  memset(sums, 0, (size_t)(plan->sums * size));
  int64_t image;
  const int64_t end = pl_part(g->batch, plan->batch_parts, part, &image);
  for (; image < end; image += plan->images) {
    const int64_t images = pl_least(plan->images, end - image);
    for (int64_t r = 0; r < plan->out[0]; r += plan->rows) {
      const int64_t rows = pl_least(plan->rows, plan->out[0] - r);
      const int64_t tall = 2 * rows + g->kernel[0] - 1;
      const char *x = job->x + image * g->in[0] * g->in[1] * channels * size;
      int32_t *from = room.from;
      for (int64_t i = 0; i < images; i++) {
        for (int64_t y = 0; y < rows; y++) {
          for (int64_t p = 0; p < plan->out[1]; p++)
            *from++ = (int32_t)((i * tall + 2 * y) * row + 2 * p * channels);
        }
        if (!plan->direct)
          pl_copy_window(room.window + i * tall * row * size,
                         x + i * g->in[0] * g->in[1] * channels * size, g->in, channels * size,
                         2 * r - g->before[0], -g->before[1], tall, columns);
      }
      const int64_t pixels = images * rows * plan->out[1];
      const int64_t at = (image * plan->out[0] + r) * plan->out[1] * g->out_channels;
      job->kernels->by_channel(pixels, g->out_channels, job->dy + at * size, job->which + at,
                               room.from, quad, pixels, room.entry, room.count);
      const pl_conv2d_sparse s = {.sums = g->out_channels,
                                  .capacity = pixels,
                                  .a_row = row,
                                  .sum_row = wide,
                                  .count = room.count,
                                  .place = job->place,
                                  .entry = room.entry,
                                  .a = plan->direct ? x + 2 * r * row * size : room.window,
                                  .sum = sums};
      sum_lists(job, s, row, 0, wide);
    }
  }
}

/* A row of the kernel: channels last again. */
static void give_kernel_task(void *context, int64_t ky) {
  const pool_job *job = context;
  const pl_conv2d *g = job->plan->g;
  const int64_t size = (int64_t)pl_dtype_size(job->plan->dtype), n = row_numbers(g);
  const int64_t wide = row_wide(job->plan);
  job->kernels->lay(n, g->out_channels, job->workspace + ky * wide * size, 1, g->kernel[0] * wide,
                    job->out + ky * n * g->out_channels * size, g->out_channels, g->out_channels,
                    job->add);
}

void pl_conv2d_pool_backward_kernel(const pl_conv2d_pool_plan *plan, const void *x, const void *dy,
                                    const uint8_t *which, bool add, void *dkernel,
                                    void *workspace) {
  const pl_conv2d *g = plan->g;
  pool_job job = {.plan = plan, .x = x, .dy = dy, .which = which, .out = dkernel, .add = add};
  job.kernels = kernels_of(plan->dtype);
  job.workspace = workspace;
  job.place = (int32_t *)(void *)(job.workspace + plan->shared_at);
  for (int64_t c = 0; c < g->out_channels; c++)
    job.place[c] = (int32_t)(c * g->kernel[0] * row_wide(plan));
  pl_parallel_slots(plan->batch_parts, plan->slots.count, kernel_task, &job);
  if (plan->batch_parts > 1) {
    char *others = job.workspace + plan->sums * (int64_t)pl_dtype_size(plan->dtype);
    pl_join_parts((pl_join){plan->dtype, plan->sums, plan->batch_parts - 1, plan->sums, others,
                            job.workspace, true});
  }
  pl_parallel_for(g->kernel[0], give_kernel_task, &job);
}

/* }==== By data ==== {*/

static int64_t piece_wide(const pl_conv2d_pool_plan *plan) {
  return pl_divide_up(plan->vectors, plan->pieces) * kernels_of(plan->dtype)->lanes;
}

/* Some channels of the kernel as rows: [piece][channel][kernel row][numbers of the piece] */
static void take_kernel_task(void *context, int64_t chunk) {
  const pool_job *job = context;
  const pl_conv2d_pool_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), lanes = job->kernels->lanes;
  const int64_t wide = piece_wide(plan), n = row_numbers(g), channel = g->kernel[0] * wide;
  const int64_t c = chunk * LAY_CHANNELS, channels = pl_least(LAY_CHANNELS, g->out_channels - c);
  for (int64_t piece = 0; piece < plan->pieces; piece++) {
    int64_t first;
    const int64_t end = pl_part(plan->vectors, plan->pieces, piece, &first) * lanes;
    first *= lanes;
    for (int64_t ky = 0; ky < g->kernel[0]; ky++)
      job->kernels->lay(
          channels, pl_least(end, n) - first,
          job->kernel + ((ky * n + first) * g->out_channels + c) * size, 1, g->out_channels,
          job->workspace + ((piece * g->out_channels + c) * channel + ky * wide) * size, channel,
          wide, false);
  }
}

/* One image. */
static void data_task(void *context, int64_t image) {
  pool_job *job = context;
  const pl_conv2d_pool_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), channels = g->in_channels;
  const int64_t row = plan->window[1] * channels, wide = piece_wide(plan);
  const int64_t channel = g->kernel[0] * wide, pixels = plan->out[0] * plan->out[1];
  const slot_room room = room_of(job);
  memset(room.window, 0, (size_t)(plan->window_room * size));
  const int64_t at = image * pixels * g->out_channels;
  job->kernels->by_place(pixels, g->out_channels, job->dy + at * size, job->which + at, channel,
                         room.entry, room.count);
  const pl_conv2d_sparse s = {.sums = plan->lists,
                              .capacity = g->out_channels,
                              .a_row = wide,
                              .sum_row = row,
                              .count = room.count,
                              .place = job->place,
                              .entry = room.entry,
                              .a = job->workspace,
                              .sum = room.window};
  sum_lists(job, s, wide, g->out_channels * channel, row);
  char *out = job->out + image * g->in[0] * g->in[1] * channels * size;
  for (int64_t y = 0; y < g->in[0]; y++) { /* the window without its padding; beyond it, zeros */
    const int64_t from_y = y + g->before[0];
    const int64_t columns = pl_least(g->in[1], plan->window[1] - g->before[1]);
    const int64_t n = from_y < plan->window[0] ? pl_most(columns, 0) * channels : 0;
    job->kernels->lay(1, n, room.window + (from_y * row + g->before[1] * channels) * size, 0, 1,
                      out + y * g->in[1] * channels * size, 0, job->add ? 0 : g->in[1] * channels,
                      job->add);
  }
}

void pl_conv2d_pool_backward_data(const pl_conv2d_pool_plan *plan, const void *dy,
                                  const uint8_t *which, const void *kernel, bool add, void *dx,
                                  void *workspace) {
  const pl_conv2d *g = plan->g;
  pool_job job = {.plan = plan, .kernel = kernel, .dy = dy, .which = which, .out = dx, .add = add};
  job.kernels = kernels_of(plan->dtype);
  job.workspace = workspace;
  job.place = (int32_t *)(void *)(job.workspace + plan->shared_at);
  int32_t *place = job.place;
  for (int64_t y = 0; y < plan->out[0]; y++) {
    for (int64_t x = 0; x < plan->out[1]; x++) {
      for (int64_t q = 0; q < 4; q++)
        *place++ = (int32_t)(((2 * y + q / 2) * plan->window[1] + 2 * x + q % 2) * g->in_channels);
    }
  }
  pl_parallel_for(pl_divide_up(g->out_channels, LAY_CHANNELS), take_kernel_task, &job);
  pl_parallel_slots(g->batch, plan->slots.count, data_task, &job);
}

/* }==== */
