/*
** Convolutions of images: the gradients by the kernel and by the bias. See conv2d.h for the contract.
*/
#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"
#include "tensor/conv2d.h"
#include "tensor/window.h"

enum {
  BATCH_PARTS = 8,      /* partial sums of a kernel's gradient */
  LARGE_KERNEL = 65536, /* numbers; such a gradient is cut up itself as well */
  STRIP_BYTES = 40960,  /* of images to a strip, about the first-level cache */
  STRIP_PIXELS = 192,   /* small images are taken together up to that many output pixels */
  PART_VECTORS = 4,  /* of channels to a part, where four parts do; a strip reckons with as many */
  MASK_PIXELS = 256, /* to a partial sum */
  MASK_GRAIN = 16384
};

static const pl_conv2d_kernels *kernels_of(pl_dtype dtype) {
  return &pl_kernels_get()->conv2d[dtype];
}

/* {==== By kernel ==== */

/* The inputs that `count` outputs of an axis see. */
static int64_t span(const pl_conv2d *g, int axis, int64_t count) {
  return (count - 1) * g->stride[axis] + (g->kernel[axis] - 1) * g->dilation[axis] + 1;
}

static int64_t kernel_tasks(const pl_conv2d_kernel_plan *plan) {
  return plan->batch_parts * plan->g->groups * plan->channel_parts * plan->row_parts;
}

bool pl_conv2d_kernel_plan_make(pl_conv2d_kernel_plan *plan, const pl_conv2d *g, pl_dtype dtype) {
  *plan = (pl_conv2d_kernel_plan){.g = g, .dtype = dtype};
  plan->winograd = pl_winograd_suits(g);
  if (plan->winograd) {
    const bool fits = pl_winograd_plan_make(&plan->by_winograd, g, dtype, PL_CONV2D_KERNEL);
    plan->bytes = plan->by_winograd.bytes;
    return fits;
  }
  plan->winograd_few = pl_winograd_few_suits(g);
  if (plan->winograd_few) {
    const bool fits = pl_winograd_few_plan_make(&plan->by_winograd_few, g, dtype, true);
    plan->bytes = plan->by_winograd_few.bytes;
    return fits;
  }
  plan->pairs = pl_conv2d_suits_pairs(g) && pl_kernel_pairs_suit(g, dtype);
  if (plan->pairs) {
    const bool fits = pl_kernel_pairs_plan_make(&plan->by_pairs, g, dtype);
    plan->bytes = plan->by_pairs.bytes;
    return fits;
  }
  const int64_t size = (int64_t)pl_dtype_size(dtype), lanes = kernels_of(dtype)->lanes;
  const int64_t channels = g->out_channels / g->groups;
  const int64_t pixels = g->out[0] * g->out[1];
  plan->depthwise = g->groups > 1 && g->groups == g->in_channels;
  plan->batch_parts = BATCH_PARTS;
  plan->channel_parts = plan->row_parts = 1;
  if (pl_conv2d_kernel_numbers(g) > LARGE_KERNEL && !plan->depthwise) {
    plan->channel_parts = pl_least(4, pl_divide_up(channels, PART_VECTORS * lanes));
    plan->row_parts = g->kernel[0];
    plan->batch_parts =
        pl_most(1, 2 * BATCH_PARTS / (g->groups * plan->channel_parts * plan->row_parts));
  }
  plan->batch_parts = pl_most(1, pl_least(plan->batch_parts, g->batch));
  if (!pl_add_room(&plan->bytes, (plan->batch_parts - 1) * pl_conv2d_kernel_numbers(g),
                   (size_t)size))
    return false;
  if (plan->depthwise || g->batch == 0 || pixels == 0) return true;

  plan->direct = true;
  for (int a = 0; a < 2; a++)
    plan->direct = plan->direct && g->before[a] == 0 && span(g, a, g->out[a]) <= g->in[a];
  /* dy's pixels lie apart when a part takes but some channels: copied, they stay in the cache */
  plan->copied = channels % lanes != 0 || plan->channel_parts > 1;
  const int64_t vectors = pl_divide_up(channels, lanes);
  const int64_t wide = span(g, 1, g->out[1]);
  const int64_t part = pl_divide_up(vectors, plan->channel_parts) * lanes;
  const int64_t row_bytes = (pl_least(wide, INT32_MAX) * g->stride[0] * g->in_channels +
                             g->out[1] * pl_least(part, PART_VECTORS * lanes)) *
                            size;
  plan->rows = pl_most(1, pl_least(g->out[0], STRIP_BYTES / row_bytes));
  plan->rows = pl_divide_up(g->out[0], pl_divide_up(g->out[0], plan->rows));
  plan->images = 1;
  if (pixels < STRIP_PIXELS) {
    plan->rows = g->out[0];
    plan->images =
        pl_least(pl_divide_up(STRIP_PIXELS, pixels), pl_divide_up(g->batch, plan->batch_parts));
  }
  plan->window[0] = span(g, 0, plan->rows);
  plan->window[1] = plan->direct ? g->in[1] : wide;
  if (!plan->direct &&
      (!pl_size_mul(plan->window[0], wide, &plan->window_room) ||
       !pl_size_mul(plan->window_room, g->in_channels * plan->images, &plan->window_room)))
    return false;
  if (plan->copied && !pl_size_mul(plan->images * plan->rows, g->out[1] * part, &plan->d_room))
    return false;
  const int64_t runs = plan->images * plan->rows, bands = g->kernel[0] * g->kernel[1];
  if (!pl_add_room(&plan->slots.bytes, plan->window_room, (size_t)size) ||
      !pl_add_room(&plan->slots.bytes, plan->d_room, (size_t)size) ||
      !pl_add_room(&plan->slots.bytes, runs + bands, sizeof(pl_conv2d_run)))
    return false;
  return pl_add_slots(&plan->bytes, &plan->slots, kernel_tasks(plan));
}

typedef struct {
  const pl_conv2d_kernel_plan *plan;
  const char *x, *dy;
  char *dkernel, *workspace;
  bool add;
} kernel_job;

/* Where the batch's part adds its sums up: the first one in the result itself. */
static char *sums_of(const kernel_job *job, int64_t part) {
  const int64_t size = (int64_t)pl_dtype_size(job->plan->dtype);
  if (part == 0) return job->dkernel;
  return job->workspace + (part - 1) * pl_conv2d_kernel_numbers(job->plan->g) * size;
}

static void depthwise_task(void *context, int64_t part) {
  const kernel_job *job = context;
  const pl_conv2d *g = job->plan->g;
  const int64_t size = (int64_t)pl_dtype_size(job->plan->dtype);
  const int64_t x_image = g->in[0] * g->in[1] * g->in_channels * size;
  const int64_t d_image = g->out[0] * g->out[1] * g->out_channels * size;
  char *sums = sums_of(job, part);
  if (part > 0 || !job->add) memset(sums, 0, (size_t)(pl_conv2d_kernel_numbers(g) * size));
  int64_t image;
  const int64_t end = pl_part(g->batch, job->plan->batch_parts, part, &image);
  for (; image < end; image++)
    kernels_of(job->plan->dtype)
        ->depthwise_kernel(g, job->x + image * x_image, job->dy + image * d_image, sums);
}

/* The numbers of the kernel's rows ky .. end_y - 1 of one group: bands of inputs side by side. */
static int64_t list_bands(const pl_conv2d_kernel_plan *plan, int64_t group, int64_t ky,
                          int64_t end_y, pl_conv2d_run *band) {
  const pl_conv2d *g = plan->g;
  const int64_t in = g->in_channels / g->groups;
  const bool joined = g->groups == 1 && g->dilation[1] == 1;
  int64_t bands = 0;
  for (; ky < end_y; ky++) {
    const int64_t row = ky * g->dilation[0] * plan->window[1];
    for (int64_t kx = 0; kx < (joined ? 1 : g->kernel[1]); kx++)
      band[bands++] =
          (pl_conv2d_run){.start = (row + kx * g->dilation[1]) * g->in_channels + group * in,
                          .length = joined ? g->kernel[1] * in : in};
  }
  return bands;
}

/* out := some channels of pixels that lie side by side, each filled up with zeros */
static void copy_channels(char *out, const char *d, int64_t pixels, int64_t apart, int64_t bytes,
                          int64_t wide) {
  for (int64_t p = 0; p < pixels; p++, out += wide, d += apart) {
    memcpy(out, d, (size_t)bytes);
    memset(out + bytes, 0, (size_t)(wide - bytes));
  }
}

/* A part of the gradient from a part of the batch. */
static void kernel_task(void *context, int64_t chunk) {
  kernel_job *job = context;
  const pl_conv2d_kernel_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const pl_conv2d_kernels *kernels = kernels_of(plan->dtype);
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype), lanes = kernels->lanes;
  const int64_t row_part = chunk % plan->row_parts;
  const int64_t channel_part = chunk / plan->row_parts % plan->channel_parts;
  const int64_t group = chunk / plan->row_parts / plan->channel_parts % g->groups;
  const int64_t part = chunk / plan->row_parts / plan->channel_parts / g->groups;

  int64_t image, ky, vector;
  const int64_t end_image = pl_part(g->batch, plan->batch_parts, part, &image);
  const int64_t end_y = pl_part(g->kernel[0], plan->row_parts, row_part, &ky);
  const int64_t group_channels = g->out_channels / g->groups;
  const int64_t end_vector =
      pl_part(pl_divide_up(group_channels, lanes), plan->channel_parts, channel_part, &vector);
  const int64_t c0 = vector * lanes, channels = pl_least(end_vector * lanes, group_channels) - c0;
  const int64_t first_channel = group * group_channels + c0;

  char *window = pl_slot_of(&plan->slots, job->workspace);
  size_t offset = 0;
  pl_add_room(&offset, plan->window_room, (size_t)size);
  char *copy = window + offset;
  pl_add_room(&offset, plan->d_room, (size_t)size);
  pl_conv2d_run *run = (pl_conv2d_run *)(void *)(window + offset);
  pl_conv2d_run *band = run + plan->images * plan->rows;
  const int64_t wide = pl_divide_up(channels, lanes) * lanes;
  pl_conv2d_outer outer = {.bands = list_bands(plan, group, ky, end_y, band),
                           .channels = channels,
                           .in_pixel = g->stride[1] * g->in_channels,
                           .d_pixel = plan->copied ? wide : g->out_channels,
                           .out_row = g->out_channels,
                           .run = run,
                           .band = band,
                           .add = part == 0 && job->add};
  char *out =
      sums_of(job, part) +
      (ky * g->kernel[1] * (g->in_channels / g->groups) * g->out_channels + first_channel) * size;
  const int64_t x_image = g->in[0] * g->in[1] * g->in_channels;
  for (; image < end_image; image += plan->images) {
    const int64_t images = pl_least(plan->images, end_image - image);
    for (int64_t row = 0; row < g->out[0]; row += plan->rows) {
      const int64_t rows = pl_least(plan->rows, g->out[0] - row), tall = span(g, 0, rows);
      const int64_t y = row * g->stride[0] - g->before[0];
      const char *x = job->x + image * x_image * size;
      int64_t in_image = x_image;
      if (plan->direct) {
        x += y * g->in[1] * g->in_channels * size;
      } else {
        in_image = tall * plan->window[1] * g->in_channels;
        for (int64_t i = 0; i < images; i++)
          pl_copy_window(window + i * in_image * size, x + i * x_image * size, g->in,
                         g->in_channels * size, y, -g->before[1], tall, plan->window[1]);
        x = window;
      }
      outer.runs = 0;
      for (int64_t i = 0; i < images; i++) {
        for (int64_t r = 0; r < rows; r++)
          run[outer.runs++] = (pl_conv2d_run){
              .start = i * in_image + r * g->stride[0] * plan->window[1] * g->in_channels,
              .length = g->out[1]};
      }
      const char *d =
          job->dy +
          (((image * g->out[0] + row) * g->out[1]) * g->out_channels + first_channel) * size;
      if (plan->copied) {
        copy_channels(copy, d, outer.runs * g->out[1], g->out_channels * size, channels * size,
                      wide * size);
        d = copy;
      }
      kernels->outer(&outer, x, d, out);
      outer.add = true;
    }
  }
}

void pl_conv2d_backward_kernel(const pl_conv2d_kernel_plan *plan, const void *x, const void *dy,
                               bool add, void *dkernel, void *workspace) {
  const pl_conv2d *g = plan->g;
  if (plan->winograd) {
    pl_winograd_backward_kernel(&plan->by_winograd, x, dy, add, dkernel, workspace);
    return;
  }
  if (plan->winograd_few) {
    pl_winograd_few_backward_kernel(&plan->by_winograd_few, x, dy, add, dkernel, workspace);
    return;
  }
  if (plan->pairs) {
    pl_kernel_pairs(&plan->by_pairs, x, dy, add, dkernel, workspace);
    return;
  }
  kernel_job job = {.plan = plan, .x = x, .dy = dy, .dkernel = dkernel, .add = add};
  job.workspace = workspace;
  if (g->batch == 0 || g->out[0] * g->out[1] == 0) {
    if (!add) memset(dkernel, 0, (size_t)pl_conv2d_kernel_numbers(g) * pl_dtype_size(plan->dtype));
    return;
  }
  if (plan->depthwise)
    pl_parallel_for(plan->batch_parts, depthwise_task, &job);
  else
    pl_parallel_slots(kernel_tasks(plan), plan->slots.count, kernel_task, &job);
  const int64_t n = pl_conv2d_kernel_numbers(g);
  if (plan->batch_parts > 1)
    pl_join_parts((pl_join){plan->dtype, n, plan->batch_parts - 1, n, workspace, dkernel, true});
}

/* }==== By bias, and through the ReLU ==== {*/

typedef struct {
  int64_t pixels, channels, blocks; /* blocks of MASK_PIXELS to a task */
  pl_dtype dtype;
  const char *dy, *y;
  char *d, *sums;
} mask_job;

static void mask_task(void *context, int64_t chunk) {
  const mask_job *job = context;
  const int64_t size = (int64_t)pl_dtype_size(job->dtype), row = job->channels * size;
  const int64_t all = pl_divide_up(job->pixels, MASK_PIXELS);
  const int64_t end = pl_least(all, (chunk + 1) * job->blocks);
  for (int64_t block = chunk * job->blocks; block < end; block++) {
    const int64_t first = block * MASK_PIXELS;
    kernels_of(job->dtype)
        ->mask(pl_least(MASK_PIXELS, job->pixels - first), job->channels, job->dy + first * row,
               job->y != NULL ? job->y + first * row : NULL,
               job->d != NULL ? job->d + first * row : NULL, job->sums + block * row);
  }
}

size_t pl_conv2d_mask_bytes(int64_t pixels, int64_t channels, pl_dtype dtype) {
  return (size_t)(pl_divide_up(pixels, MASK_PIXELS) * channels) * pl_dtype_size(dtype);
}

void pl_conv2d_mask(int64_t pixels, int64_t channels, pl_dtype dtype, const void *dy, const void *y,
                    void *d, void *dbias, bool add, void *workspace) {
  mask_job job = {.pixels = pixels, .channels = channels, .dtype = dtype, .dy = dy, .y = y};
  job.d = d;
  job.sums = workspace;
  job.blocks = pl_most(1, MASK_GRAIN / (MASK_PIXELS * channels));
  const int64_t blocks = pl_divide_up(pixels, MASK_PIXELS);
  pl_parallel_for(pl_divide_up(blocks, job.blocks), mask_task, &job);
  if (dbias != NULL)
    pl_join_parts((pl_join){dtype, channels, blocks, channels, workspace, dbias, add});
}

/* }==== */
