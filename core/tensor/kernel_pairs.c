/*
** Gradients by kernels of few input channels, by pairs. See kernel_pairs.h for the contract.
**
** A task takes a part of the batch. Some rows of an image at a time are copied with their padding, and go
** to the points; the sums of all rows stay at the points until the part is done.
*/
#include "tensor/kernel_pairs.h"

#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"
#include "tensor/window.h"

enum {
  PARTS = 8,            /* of the batch */
  STRIP_BYTES = 524288, /* of points and gradients to a strip */
  FEWEST_PIXELS = 36    /* of an image: with fewer its sums are fetched and put back too often */
};

/* Where an image is narrower than the kernel, weights that see only padding would get what rounding leaves. */
bool pl_kernel_pairs_suit(const pl_conv2d *g, pl_dtype dtype) {
  return pl_kernels_get()->outer_pairs[dtype]->add != NULL && g->batch > 0 &&
         g->in[1] >= g->kernel[1] && g->out[0] * g->out[1] >= FEWEST_PIXELS;
}

bool pl_kernel_pairs_plan_make(pl_kernel_pairs_plan *plan, const pl_conv2d *g, pl_dtype dtype) {
  const int64_t size = (int64_t)pl_dtype_size(dtype), lanes = pl_kernels_get()->conv2d[dtype].lanes;
  const int64_t pairs = pl_divide_up(g->out[1], 2), points = g->kernel[1] + 1;
  const int64_t apart = pl_conv2d_pairs_apart(g->out[1], g->in_channels, lanes);
  *plan = (pl_kernel_pairs_plan){.g = g, .dtype = dtype};
  plan->parts = pl_least(PARTS, g->batch);
  plan->width = 2 * pairs + g->kernel[1] - 1;
  const int64_t row_bytes = (points * apart + g->out[1] * g->out_channels) * size;
  plan->rows = pl_most(1, pl_least(g->out[0], STRIP_BYTES / row_bytes));
  plan->rows = pl_divide_up(g->out[0], pl_divide_up(g->out[0], plan->rows));
  plan->sums =
      points * g->kernel[0] * g->in_channels * pl_divide_up(g->out_channels, lanes) * lanes;
  const int64_t tall = plan->rows + g->kernel[0] - 1;
  /* images are read where they lie, unless there is padding, or a pair's second pixel is not there */
  plan->direct = g->before[0] == 0 && g->before[1] == 0 && g->in[1] == plan->width &&
                 g->out[0] + g->kernel[0] - 1 == g->in[0];
  if (!pl_size_mul(plan->direct ? 0 : tall, plan->width * g->in_channels, &plan->window_room) ||
      !pl_size_mul(tall, points * apart, &plan->room))
    return false;
  if (!pl_add_room(&plan->bytes, (plan->parts - 1) * pl_conv2d_kernel_numbers(g), (size_t)size) ||
      !pl_add_room(&plan->slots.bytes, plan->window_room, (size_t)size) ||
      !pl_add_room(&plan->slots.bytes, plan->room, (size_t)size) ||
      !pl_add_room(&plan->slots.bytes, plan->sums, (size_t)size))
    return false;
  return pl_add_slots(&plan->bytes, &plan->slots, plan->parts);
}

typedef struct {
  const pl_kernel_pairs_plan *plan;
  const char *x, *dy;
  char *dkernel, *workspace;
  bool add;
} pairs_job;

static void pairs_task(void *context, int64_t part) {
  pairs_job *job = context;
  const pl_kernel_pairs_plan *plan = job->plan;
  const pl_conv2d *g = plan->g;
  const pl_conv2d_outer_pairs_kernels *kernels = pl_kernels_get()->outer_pairs[plan->dtype];
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  char *window = pl_slot_of(&plan->slots, job->workspace);
  size_t offset = 0;
  pl_add_room(&offset, plan->window_room, (size_t)size);
  char *room = window + offset;
  pl_add_room(&offset, plan->room, (size_t)size);
  char *sums = window + offset;
  memset(sums, 0, (size_t)(plan->sums * size));
  pl_conv2d_outer_pairs outer = {.columns = g->kernel[1],
                                 .pixels = g->out[1],
                                 .in_channels = g->in_channels,
                                 .channels = g->out_channels,
                                 .in_row = plan->width * g->in_channels};
  outer.end = plan->direct ? job->x + g->batch * g->in[0] * g->in[1] * g->in_channels * size
                           : window + plan->window_room * size;
  int64_t image;
  const int64_t end = pl_part(g->batch, plan->parts, part, &image);
  for (; image < end; image++) {
    const char *x = job->x + image * g->in[0] * g->in[1] * g->in_channels * size;
    const char *dy = job->dy + image * g->out[0] * g->out[1] * g->out_channels * size;
    for (int64_t row = 0; row < g->out[0]; row += plan->rows) {
      outer.rows = pl_least(plan->rows, g->out[0] - row);
      const char *in = plan->direct ? x + row * outer.in_row * size : window;
      if (!plan->direct)
        pl_copy_window(window, x, g->in, g->in_channels * size, row - g->before[0], -g->before[1],
                       outer.rows + g->kernel[0] - 1, plan->width);
      kernels->add(&outer, in, dy + row * g->out[1] * g->out_channels * size, room, sums);
    }
  }
  const bool first = part == 0; /* in the result itself, the others follow in the workspace */
  kernels->end(&outer, sums, first && job->add,
               first ? job->dkernel
                     : job->workspace + (part - 1) * pl_conv2d_kernel_numbers(g) * size);
}

void pl_kernel_pairs(const pl_kernel_pairs_plan *plan, const void *x, const void *dy, bool add,
                     void *dkernel, void *workspace) {
  pairs_job job = {.plan = plan, .x = x, .dy = dy, .dkernel = dkernel, .add = add};
  job.workspace = workspace;
  pl_parallel_slots(plan->parts, plan->slots.count, pairs_task, &job);
  const int64_t n = pl_conv2d_kernel_numbers(plan->g);
  pl_join_parts((pl_join){plan->dtype, n, plan->parts - 1, n, workspace, dkernel, true});
}
