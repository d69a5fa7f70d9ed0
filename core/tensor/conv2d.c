/*
** Convolutions of images. See conv2d.h for the contract.
*/
#include "tensor/conv2d.h"

#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"
#include "tensor/window.h"

enum {
  FEWEST_TASKS = 16,
  STRIP_BYTES = 65536,      /* of padded input to a task, about what the caches like */
  WEIGHT_BYTES = 524288,    /* that stay in the second-level cache */
  FEW_WEIGHT_BYTES = 16384, /* each thread packs them for itself: sooner done than fetched */
  STRIP_PIXELS = 128,       /* small images are taken together up to that many output pixels */
  MOST_RUNS = 64,           /* of a part of a patch */
  PAIRS_FEWEST_OUT = 9      /* channels */
};

static const pl_conv2d_kernels *kernels_of(pl_dtype dtype) {
  return &pl_kernels_get()->conv2d[dtype];
}

/* {==== Patches ==== */

static int64_t gcd(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/*
** Forward, output o is made of inputs o * stride - before + k * dilation. Backwards, input i went
** into output (i + before - k * dilation) / stride for those k for which that is whole: the same k
** for all i of one phase, i = phase + stride * q, and then output q + a constant.
*/
static pl_conv2d_axis make_axis(const pl_conv2d_plan *plan, int a, int64_t phase) {
  const pl_conv2d *g = plan->g;
  const int64_t stride = g->stride[a], dilation = g->dilation[a], kernel = g->kernel[a];
  if (!plan->backward)
    return (pl_conv2d_axis){.count = plan->pooled ? g->out[a] / 2 * 2 : g->out[a],
                            .out_step = 1,
                            .in_step = stride,
                            .origin = -g->before[a],
                            .taps = kernel,
                            .index_step = 1,
                            .position_step = dilation};
  pl_conv2d_axis axis = {.out_start = phase, .out_step = stride, .in_step = 1};
  axis.count = pl_divide_up(g->in[a] - phase, stride);
  const int64_t period = stride / gcd(stride, dilation), place = phase + g->before[a];
  int64_t first = 0; /* the first k of this phase */
  while (first < pl_least(period, kernel) && (place - first * dilation) % stride != 0) first++;
  if (first >= pl_least(period, kernel)) return axis;
  axis.taps = (kernel - 1 - first) / period + 1;
  axis.index = first + (axis.taps - 1) * period; /* from the last, so that positions ascend */
  axis.index_step = -period;
  axis.position_step = period * dilation / stride;
  axis.origin = (place - axis.index * dilation) / stride;
  return axis;
}

/* The inputs that `count` outputs of an axis see. */
static int64_t span(const pl_conv2d_axis *axis, int64_t count) {
  if (axis->taps == 0 || count == 0) return 0;
  return (count - 1) * axis->in_step + (axis->taps - 1) * axis->position_step + 1;
}

static bool stays_inside(const pl_conv2d_axis *axis, int64_t size) {
  return axis->taps == 0 || axis->count == 0 ||
         (axis->origin >= 0 && axis->origin + span(axis, axis->count) <= size);
}

static bool makes_pairs(const pl_conv2d_plan *plan) {
  return plan->way == PL_CONV2D_PAIRS || plan->way == PL_CONV2D_FEW_PAIRS;
}

bool pl_conv2d_suits_pairs(const pl_conv2d *g) {
  return pl_conv2d_is_plain(g) && g->kernel[0] == g->kernel[1] &&
         (g->kernel[0] == 3 || g->kernel[0] == 5) && g->in_channels <= PL_CONV2D_PAIRS_MOST_IN &&
         g->out_channels >= PAIRS_FEWEST_OUT;
}

static pl_conv2d_way way_of(const pl_conv2d_plan *plan) {
  const pl_conv2d *g = plan->g;
  if (!plan->backward && pl_conv2d_suits_pairs(g)) return PL_CONV2D_PAIRS;
  /* whether vectors are fuller along the patch than along the channels made */
  const int64_t lanes = kernels_of(plan->dtype)->lanes;
  const int64_t run = plan->from_channels * (g->dilation[1] == 1 ? g->kernel[1] : 1);
  const bool few = g->groups == 1 && !plan->pooled && 2 * plan->to_channels <= lanes &&
                   run >= lanes && (!plan->backward || g->stride[1] == 1);
  const bool few_pairs = few && pl_conv2d_is_plain(g) && g->kernel[0] == 3 && g->kernel[1] == 3 &&
                         plan->to_channels <= kernels_of(plan->dtype)->dots_pairs &&
                         plan->from_channels >= lanes;
  return few_pairs ? PL_CONV2D_FEW_PAIRS : few ? PL_CONV2D_FEW : PL_CONV2D_TILES;
}

/* Rows before the pooling that are made at a time: by pairs two, so that these, and what they are made of,
** stay in the first-level cache. */
static int64_t pool_rows(const pl_conv2d_plan *plan, int64_t all) {
  return plan->way == PL_CONV2D_PAIRS ? 2 : all;
}

static int64_t pass_tasks(const pl_conv2d_plan *plan) {
  return pl_divide_up(plan->g->batch, plan->images) * plan->strips * plan->parts;
}

bool pl_conv2d_plan_make(pl_conv2d_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                         pl_conv2d_pass pass) {
  const bool backward = pass == PL_CONV2D_BACKWARD, pooled = pass == PL_CONV2D_POOLED;
  *plan = (pl_conv2d_plan){.g = g, .dtype = dtype};
  plan->winograd = pl_winograd_suits(g);
  if (plan->winograd) {
    const bool fits = pl_winograd_plan_make(&plan->by_winograd, g, dtype, pass);
    plan->bytes = plan->by_winograd.bytes;
    return fits;
  }
  plan->winograd_few = pass == PL_CONV2D_FORWARD && pl_winograd_few_suits(g);
  if (plan->winograd_few) {
    const bool fits = pl_winograd_few_plan_make(&plan->by_winograd_few, g, dtype, false);
    plan->bytes = plan->by_winograd_few.bytes;
    return fits;
  }
  plan->backward = backward;
  plan->pooled = pooled;
  plan->depthwise = g->groups > 1 && g->groups == g->in_channels;
  plan->from_channels = backward ? g->out_channels : g->in_channels;
  plan->to_channels = backward ? g->in_channels : g->out_channels;
  plan->way = way_of(plan);
  plan->direct = true;
  plan->in_parts = plan->way == PL_CONV2D_FEW_PAIRS ||
                   (plan->way == PL_CONV2D_FEW && g->kernel[0] * g->kernel[1] <= MOST_RUNS);
  int64_t widest[2] = {0, 0}, most[2] = {1, 1}, tallest_step = 1, extent = 1;
  for (int a = 0; a < 2; a++) {
    plan->from[a] = backward ? g->out[a] : g->in[a];
    plan->to[a] = backward ? g->in[a] : pooled ? g->out[a] / 2 : g->out[a];
    plan->phases[a] = backward ? pl_least(g->stride[a], pl_most(g->in[a], 1)) : 1;
    for (int64_t phase = 0; phase < plan->phases[a]; phase++) {
      const pl_conv2d_axis axis = make_axis(plan, a, phase);
      plan->direct = plan->direct && (plan->in_parts || stays_inside(&axis, plan->from[a]));
      widest[a] = pl_most(widest[a], span(&axis, axis.count));
      most[a] = pl_most(most[a], axis.count);
      if (a == 0) {
        tallest_step = axis.in_step;
        extent = pl_most(extent, span(&axis, 1));
      }
    }
  }
  const int64_t size = (int64_t)pl_dtype_size(dtype);
  const int64_t row_bytes = pl_most(widest[1], 1) * plan->from_channels * size;
  /* of a few images equal shares for all threads */
  const int64_t few = pl_most(g->batch, 1), threads = pl_threads();
  const int64_t fewest_strips = few < FEWEST_TASKS ? threads / gcd(threads, few) : 1;
  plan->rows = pl_most(1, (STRIP_BYTES / row_bytes - extent) / tallest_step + 1);
  plan->rows = pl_least(plan->rows, pl_divide_up(most[0], pl_least(fewest_strips, most[0])));
  plan->strips = pl_divide_up(most[0], plan->rows);
  plan->rows = pl_divide_up(most[0], plan->strips);
  if (pooled) { /* whole pairs of rows */
    plan->rows += plan->rows % 2;
    plan->strips = pl_divide_up(most[0], plan->rows);
  }
  plan->images = 1;
  if (plan->strips == 1)
    plan->images = pl_most(
        1, pl_least(STRIP_PIXELS / pl_most(1, most[0] * most[1]) + 1, g->batch / FEWEST_TASKS));

  const int64_t taps = g->kernel[0] * g->kernel[1], phases = plan->phases[0] * plan->phases[1];
  const int64_t group = plan->from_channels / g->groups;
  plan->runs_room = taps * (group / PL_CONV2D_LONGEST_RUN + 1);
  if (plan->depthwise) return true;
  const int64_t lanes = kernels_of(dtype)->lanes, points = g->kernel[1] + 1;
  const bool pairs = makes_pairs(plan);
  int64_t packed;
  if (plan->way == PL_CONV2D_FEW_PAIRS) plan->room = plan->from_channels; /* zeros */
  if (!pl_size_mul((pairs ? g->kernel[0] * points : taps) * group + phases,
                   g->groups * pl_conv2d_packed((int)lanes, 0, plan->to_channels / g->groups),
                   &packed))
    return false;
  if (!plan->direct) {
    const int64_t rows = (plan->rows - 1) * tallest_step + extent;
    if (!pl_size_mul(rows, widest[1] * plan->from_channels, &plan->window) ||
        !pl_size_mul(plan->window, plan->images, &plan->window))
      return false;
  }
  if (plan->way == PL_CONV2D_PAIRS) {
    const int64_t apart = pl_conv2d_pairs_apart(most[1], plan->from_channels, lanes);
    if (!pl_size_mul(plan->rows + g->kernel[0] - 1, points * apart, &plan->room)) return false;
  }
  if (pooled) {
    plan->wide = pl_divide_up(g->out_channels, lanes) * lanes;
    const int64_t rows = pool_rows(plan, plan->images * plan->rows);
    if (!pl_size_mul(rows, most[1] * plan->wide, &plan->before_pool)) return false;
  }
  plan->parts = g->groups > 1 || pooled || plan->way != PL_CONV2D_TILES
                    ? 1
                    : pl_most(1, pl_least(4, packed * size / WEIGHT_BYTES));
  plan->packed_apart = packed <= FEW_WEIGHT_BYTES / size;
  if (!pl_add_room(&plan->bytes, plan->runs_room, sizeof(pl_conv2d_run))) return false;
  plan->packed_at = plan->bytes;
  size_t *slot = &plan->slots.bytes;
  if (!pl_add_room(plan->packed_apart ? slot : &plan->bytes, packed, (size_t)size)) return false;
  plan->window_at = *slot;
  if (!pl_add_room(slot, plan->window, (size_t)size)) return false;
  plan->before_pool_at = *slot;
  if (!pl_add_room(slot, plan->before_pool, (size_t)size)) return false;
  plan->room_at = *slot;
  return pl_add_room(slot, plan->room, (size_t)size) &&
         pl_add_slots(&plan->bytes, &plan->slots, pass_tasks(plan));
}

/* One phase of a pass. */
typedef struct {
  const pl_conv2d_plan *plan;
  const pl_conv2d_kernels *kernels;
  pl_conv2d_axis axis[2];
  int64_t width; /* of the window, or the image */
  const char *from, *kernel, *bias;
  char *to, *packed, *workspace;
  uint8_t *which;
  int64_t runs, depth, group_packed; /* numbers of a group's packed weights */
  pl_conv2d_run *run;
  bool add, relu;
} pass_job;

/* Where the numbers of a patch lie, from its first tap on. */
static void list_runs(pass_job *job) {
  const pl_conv2d_plan *plan = job->plan;
  const pl_conv2d_axis *ay = &job->axis[0], *ax = &job->axis[1];
  const int64_t group = plan->from_channels / plan->g->groups;
  const bool joined = plan->g->groups == 1 && ax->position_step == 1;
  job->runs = job->depth = 0;
  for (int64_t y = 0; y < ay->taps; y++) {
    for (int64_t x = 0; x < (joined ? pl_least(ax->taps, 1) : ax->taps); x++) {
      int64_t start =
          (y * ay->position_step * job->width + x * ax->position_step) * plan->from_channels;
      int64_t left = joined ? ax->taps * group : group;
      for (int64_t pieces = pl_divide_up(left, PL_CONV2D_LONGEST_RUN); pieces > 0; pieces--) {
        const int64_t length = left / pieces;
        job->run[job->runs++] = (pl_conv2d_run){start, length, job->depth};
        job->depth += length;
        start += length;
        left -= length;
      }
    }
  }
}

/* What is packed at a time: a tap, or by pairs a row of them, or all. */
static int64_t pieces_of(const pass_job *job) {
  const pl_conv2d_way way = job->plan->way;
  if (way == PL_CONV2D_FEW_PAIRS) return 1;
  return job->axis[0].taps * (way == PL_CONV2D_PAIRS ? 1 : job->axis[1].taps);
}

/* Packs the weights of one piece of one group, or at the last the bias. */
static void pack_task(void *context, int64_t chunk) {
  const pass_job *job = context;
  const pl_conv2d_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const int64_t taps = pieces_of(job);
  const int64_t group = chunk / (taps + 1), tap = chunk % (taps + 1);
  const int64_t rows = plan->from_channels / g->groups, channels = plan->to_channels / g->groups;
  char *packed = job->packed + group * job->group_packed * size;
  if (tap == taps) {
    const char *bias = job->bias != NULL ? job->bias + group * channels * size : NULL;
    job->kernels->pack_bias(channels, bias, job->depth, packed);
    return;
  }
  if (plan->way == PL_CONV2D_PAIRS) {
    const int64_t row = g->out_channels, kernel_row = g->kernel[1] * rows * row;
    job->kernels->pack_pairs(g->kernel[1], rows, channels, job->kernel + tap * kernel_row * size,
                             rows * row, row, tap * rows, job->depth, packed);
    return;
  }
  const pl_conv2d_axis *ay = &job->axis[0], *ax = &job->axis[1];
  if (plan->way == PL_CONV2D_FEW_PAIRS) {
    const int64_t number = g->in_channels * g->out_channels;
    job->kernels->pack_dots_pairs(
        rows, channels, job->kernel + (ay->index * g->kernel[1] + ax->index) * number * size,
        ax->index_step * number, ay->index_step * g->kernel[1] * number,
        plan->backward ? 1 : g->out_channels, plan->backward ? g->out_channels : 1, packed);
    return;
  }
  const int64_t ky = ay->index + ay->index_step * (tap / ax->taps);
  const int64_t kx = ax->index + ax->index_step * (tap % ax->taps);
  const int64_t in = g->in_channels / g->groups, out = g->out_channels / g->groups;
  const char *from =
      job->kernel + ((ky * g->kernel[1] + kx) * in * g->out_channels + group * out) * size;
  (plan->way == PL_CONV2D_FEW ? job->kernels->pack_few : job->kernels->pack)(
      rows, channels, from, plan->backward ? 1 : g->out_channels,
      plan->backward ? g->out_channels : 1, tap * rows, job->depth, packed);
}

static int64_t all_pieces(const pass_job *job) {
  return job->plan->g->groups * (pieces_of(job) + 1);
}

/* What every task finds in a slot: few pairs' zeros, and weights that are packed apart. */
static void prepare_slot(const pass_job *job, char *slot) {
  const pl_conv2d_plan *plan = job->plan;
  if (plan->way == PL_CONV2D_FEW_PAIRS)
    memset(slot + plan->room_at, 0, (size_t)plan->room * pl_dtype_size(plan->dtype));
  if (!plan->packed_apart) return;
  pass_job own = *job;
  own.packed = slot;
  for (int64_t piece = 0; piece < all_pieces(job); piece++) pack_task(&own, piece);
}

/* y, which := the largest of each 2×2 pixels of a strip's rows, which lie in `before`. */
static void pool_strip(const pass_job *job, const char *before, int64_t image, int64_t images,
                       int64_t row, int64_t rows) {
  const pl_conv2d_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const int64_t before_row = 2 * plan->to[1] * plan->wide;
  for (int64_t i = 0; i < images; i++) {
    for (int64_t r = 0; r < rows / 2; r++, before += 2 * before_row * size) {
      const int64_t at =
          (((image + i) * plan->to[0] + row / 2 + r) * plan->to[1]) * plan->to_channels;
      pl_kernels_get()->conv2d_pool[plan->dtype]->pool(plan->to[1], plan->to_channels, before,
                                                       before_row, job->relu, job->to + at * size,
                                                       job->which != NULL ? job->which + at : NULL);
    }
  }
}

/* The outputs from `at` on, fewer than `end`, of which the same taps fall into the image: *first … *last - 1. */
static int64_t same_taps(const pl_conv2d_axis *axis, int64_t size, int64_t at, int64_t end,
                         int64_t *first, int64_t *last) {
  const int64_t start = at, step = pl_most(1, axis->position_step);
  for (; at < end; at++) {
    const int64_t origin = axis->origin + at * axis->in_step;
    const int64_t to = origin < size ? pl_least(axis->taps, pl_divide_up(size - origin, step)) : 0;
    const int64_t from = pl_least(to, origin < 0 ? pl_divide_up(-origin, step) : 0);
    if (at == start) {
      *first = from;
      *last = to;
    } else if (*first != from || *last != to) {
      break;
    }
  }
  return at - start;
}

/* A strip of rows, from patches that may leave the image: part by part of it, of what is inside. */
static void gather_parts(const pass_job *job, pl_conv2d_gather g, int64_t row, int64_t rows,
                         const char *from, char *to) {
  const pl_conv2d_plan *plan = job->plan;
  const pl_conv2d_axis *ay = &job->axis[0], *ax = &job->axis[1];
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), channels = plan->from_channels;
  const int64_t from_row = job->width * channels;
  const int64_t in_row = g.in_row, in_pixel = g.in_pixel, out_row = g.out_row;
  const int64_t out_pixel = g.out_pixel;
  const bool joined = ax->position_step == 1;
  pl_conv2d_run run[MOST_RUNS];
  g.run = run;
  int64_t tall, wide, top, bottom, left, right;
  for (int64_t r = row; r < row + rows; r += tall) {
    tall = same_taps(ay, plan->from[0], r, row + rows, &top, &bottom);
    for (int64_t c = 0; c < ax->count; c += wide) {
      wide = same_taps(ax, plan->from[1], c, ax->count, &left, &right);
      g.runs = 0;
      for (int64_t y = top; y < bottom; y++) {
        for (int64_t x = left; x < right; x += joined ? right - left : 1)
          run[g.runs++] = (pl_conv2d_run){
              y * ay->position_step * from_row + x * ax->position_step * channels,
              joined ? (right - left) * channels : channels, (y * ax->taps + x) * channels};
      }
      const bool column = wide == 1; /* its pixels lie below one another */
      g.rows = column ? 1 : tall;
      g.pixels = column ? tall : wide;
      g.in_row = column ? in_pixel : in_row;
      g.in_pixel = column ? in_row : in_pixel;
      g.out_row = column ? out_pixel : out_row;
      g.out_pixel = column ? out_row : out_pixel;
      job->kernels->gather(&g,
                           from + ((ay->origin + r * ay->in_step) * from_row +
                                   (ax->origin + c * ax->in_step) * channels) *
                                      size,
                           to + ((r - row) * out_row + c * out_pixel) * size);
    }
  }
}

/* The kernel finds in whole images what the patches from row y on see of them. */
static void gather_few_pairs(const pass_job *job, pl_conv2d_gather g, int64_t y, const char *from,
                             char *to) {
  const pl_conv2d_plan *plan = job->plan;
  g.origin[0] = y;
  g.origin[1] = job->axis[1].origin;
  memcpy(g.size, plan->from, sizeof g.size);
  job->kernels->gather(&g, from, to);
}

/* To memory of the slot, and from there the largest of each 2×2 pixels. */
static void gather_pooled(const pass_job *job, pl_conv2d_gather g, char *before, int64_t image,
                          int64_t row, const char *from) {
  const pl_conv2d_plan *plan = job->plan;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), images = g.images, rows = g.rows;
  const bool pairs = plan->way == PL_CONV2D_PAIRS;
  const int64_t apart = pl_conv2d_pairs_apart(g.pixels, g.in_pixel, job->kernels->lanes);
  const int64_t made_row = pairs ? (g.columns + 1) * apart * size : 0;
  char *const room = g.room;
  g.images = pairs ? 1 : images;
  g.rows = pool_rows(plan, rows);
  g.channels = g.out_pixel = plan->wide; /* the packed weights end in zeros */
  g.out_row = g.pixels * plan->wide;
  g.out_image = g.rows * g.out_row;
  g.relu = false;
  for (int64_t i = 0; i < images; i += g.images) {
    for (int64_t r = 0; r < rows; r += g.rows) {
      g.made = r > 0 ? g.runs - 1 : 0;
      g.room = room + r * made_row;
      job->kernels->gather(&g, from + (i * g.in_image + r * g.in_row) * size, before);
      pool_strip(job, before, image + i, g.images, row + r, g.rows);
    }
  }
}

static void gather_groups(const pass_job *job, pl_conv2d_gather g, const char *from, char *to) {
  const pl_conv2d_plan *plan = job->plan;
  const int64_t groups = plan->g->groups, size = (int64_t)pl_dtype_size(plan->dtype);
  const char *packed = g.packed;
  for (int64_t group = 0; group < groups; group++) {
    g.packed = packed + group * job->group_packed * size;
    job->kernels->gather(&g, from + group * (plan->from_channels / groups) * size,
                         to + group * g.channels * size);
  }
}

/* A strip of rows of some images. */
static void pass_task(void *context, int64_t chunk) {
  pass_job *job = context;
  const pl_conv2d_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const pl_conv2d_axis *ay = &job->axis[0], *ax = &job->axis[1];
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  char *const slot = pl_slot_of(&plan->slots, job->workspace);
  if (pl_is_first_chunk()) prepare_slot(job, slot);
  const int64_t tasks = pl_divide_up(g->batch, plan->images) * plan->strips;
  const int64_t part = chunk / tasks; /* all images with some of the weights, then with others */
  const int64_t image = chunk % tasks / plan->strips * plan->images;
  const int64_t row = chunk % tasks % plan->strips * plan->rows;
  const int64_t images = pl_least(plan->images, g->batch - image);
  const int64_t rows = pl_least(plan->rows, ay->count - row);
  if (rows <= 0 || ax->count == 0) return;
  const int64_t from_image = plan->from[0] * plan->from[1] * plan->from_channels;
  const int64_t to_row = plan->to[1] * plan->to_channels, to_image = plan->to[0] * to_row;
  const int64_t y = ay->origin + row * ay->in_step;
  const char *from = job->from + image * from_image * size;
  pl_conv2d_gather gather = {.images = images,
                             .rows = rows,
                             .pixels = ax->count,
                             .channels = plan->to_channels / g->groups,
                             .in_image = from_image,
                             .in_row = ay->in_step * job->width * plan->from_channels,
                             .in_pixel = ax->in_step * plan->from_channels,
                             .out_image = to_image,
                             .out_row = ay->out_step * to_row,
                             .out_pixel = ax->out_step * plan->to_channels,
                             .runs = job->runs,
                             .depth = job->depth,
                             .run = job->run,
                             .part = part,
                             .parts = plan->parts,
                             .add = job->add,
                             .relu = job->relu,
                             .way = plan->way,
                             .columns = g->kernel[1],
                             .packed = plan->packed_apart ? slot : job->packed,
                             .room = slot + plan->room_at};
  const char *const image_from = from;
  if (plan->direct) {
    from += (y * plan->from[1] + ax->origin) * plan->from_channels * size;
    gather.end = job->from + g->batch * from_image * size;
  } else {
    char *window = slot + plan->window_at;
    const int64_t tall = span(ay, rows);
    gather.in_image = tall * job->width * plan->from_channels;
    for (int64_t i = 0; i < images; i++)
      pl_copy_window(window + i * gather.in_image * size, from + i * from_image * size, plan->from,
                     plan->from_channels * size, y, ax->origin, tall, job->width);
    from = window;
    gather.end = window + plan->window * size;
  }
  char *to = job->to + (image * to_image + (ay->out_start + row * ay->out_step) * to_row +
                        ax->out_start * plan->to_channels) *
                           size;
  if (plan->way == PL_CONV2D_FEW_PAIRS)
    gather_few_pairs(job, gather, y, image_from, to);
  else if (plan->in_parts)
    gather_parts(job, gather, row, rows, image_from, to);
  else if (plan->pooled)
    gather_pooled(job, gather, slot + plan->before_pool_at, image, row, from);
  else
    gather_groups(job, gather, from, to);
}

static void run_pass(pass_job *job) {
  const pl_conv2d_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  if (g->batch == 0) return;
  job->kernels = kernels_of(plan->dtype);
  job->run = (pl_conv2d_run *)(void *)job->workspace;
  job->packed = job->workspace + plan->packed_at;
  for (int64_t phase = 0; phase < plan->phases[0] * plan->phases[1]; phase++) {
    job->axis[0] = make_axis(plan, 0, phase / plan->phases[1]);
    job->axis[1] = make_axis(plan, 1, phase % plan->phases[1]);
    if (job->axis[0].taps == 0 || job->axis[1].taps == 0) {
      if (job->add) continue;
      for (int a = 0; a < 2; a++) job->axis[a].taps = job->axis[a].origin = 0;
    }
    job->width = plan->direct ? plan->from[1] : span(&job->axis[1], job->axis[1].count);
    list_runs(job);
    if (makes_pairs(plan)) job->depth = job->depth / g->kernel[1] * (g->kernel[1] + 1);
    job->group_packed =
        pl_conv2d_packed(job->kernels->lanes, job->depth, plan->to_channels / g->groups);
    if (!plan->packed_apart) pl_parallel_for(all_pieces(job), pack_task, job);
    pl_parallel_slots(pass_tasks(plan), plan->slots.count, pass_task, job);
  }
}

/* }==== One input channel a group ==== {*/

typedef struct {
  const pl_conv2d_plan *plan;
  const char *x, *kernel, *bias;
  char *y;
  bool relu, add;
} depthwise_job;

static void depthwise_task(void *context, int64_t chunk) {
  const depthwise_job *job = context;
  const pl_conv2d_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  const int64_t image = chunk / plan->strips, row = chunk % plan->strips * plan->rows;
  const int64_t from_image = plan->from[0] * plan->from[1] * plan->from_channels * size;
  const int64_t to_image = plan->to[0] * plan->to[1] * plan->to_channels * size;
  const char *from = job->x + image * from_image;
  char *to = job->y + image * to_image;
  if (!plan->backward) {
    kernels_of(plan->dtype)
        ->depthwise(g, row, pl_least(row + plan->rows, g->out[0]), from, job->kernel, job->bias,
                    job->relu, to);
    return;
  }
  if (!job->add) memset(to, 0, (size_t)to_image);
  kernels_of(plan->dtype)->depthwise_data(g, from, job->kernel, to);
}

/* }==== Passes ==== {*/

void pl_conv2d_forward(const pl_conv2d_plan *plan, const void *x, const void *kernel,
                       const void *bias, bool relu, void *y, uint8_t *which, void *workspace) {
  if (plan->depthwise) {
    depthwise_job job = {plan, x, kernel, bias, y, relu, false};
    pl_parallel_for(plan->g->batch * plan->strips, depthwise_task, &job);
    return;
  }
  if (plan->winograd) {
    pl_winograd_pass(&plan->by_winograd, x, kernel, bias, relu, false, y, which, workspace);
    return;
  }
  if (plan->winograd_few) {
    pl_winograd_few_forward(&plan->by_winograd_few, x, kernel, bias, relu, y, workspace);
    return;
  }
  pass_job job = {.plan = plan, .from = x, .kernel = kernel, .bias = bias, .to = y, .relu = relu};
  job.which = which;
  job.workspace = workspace;
  run_pass(&job);
}

void pl_conv2d_backward_data(const pl_conv2d_plan *plan, const void *dy, const void *kernel,
                             bool add, void *dx, void *workspace) {
  if (plan->depthwise) {
    pl_conv2d_plan whole = *plan;
    whole.strips = 1; /* neighbouring rows of dy meet in dx */
    depthwise_job job = {&whole, dy, kernel, NULL, dx, false, add};
    pl_parallel_for(plan->g->batch, depthwise_task, &job);
    return;
  }
  if (plan->winograd) {
    pl_winograd_pass(&plan->by_winograd, dy, kernel, NULL, false, add, dx, NULL, workspace);
    return;
  }
  pass_job job = {.plan = plan, .from = dy, .kernel = kernel, .to = dx, .add = add};
  job.workspace = workspace;
  run_pass(&job);
}

/* }==== */
