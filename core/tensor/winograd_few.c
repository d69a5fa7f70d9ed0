/*
** Winograd's convolution of few input channels. See winograd_few.h for the contract.
**
** Forward a task takes some rows of tiles; the kernel's points, which are few, each thread makes for itself.
** Backwards by kernel it takes a part of the rows of all images, and has its own sums.
*/
#include "tensor/winograd_few.h"

#include <string.h>

#include "kernels/kernels.h"
#include "runtime/pool.h"
#include "tensor/window.h"

enum {
  FEWEST_OUT = 9,      /* channels; fewer are made otherwise */
  FEWEST_PIXELS = 144, /* of an image */
  FEWEST_TASKS = 16,
  PARTS = 8 /* partial sums of the gradient by the kernel */
};

/* Tiles may make a quarter more pixels than there are. Every weight sees a pixel: else its gradient would be
** what rounding leaves. */
bool pl_winograd_few_suits(const pl_conv2d *g) {
  const int64_t pixels = g->out[0] * g->out[1];
  const int64_t tiles = pl_divide_up(g->out[0], 4) * pl_divide_up(g->out[1], 4);
  bool suits = g->batch > 0 && pl_conv2d_is_plain(g) && g->in_channels >= PL_WINOGRAD_FEW_LEAST &&
               g->in_channels <= PL_WINOGRAD_FEW_MOST && g->out_channels >= FEWEST_OUT &&
               pixels >= FEWEST_PIXELS && 4 * 16 * tiles <= 5 * pixels;
  for (int a = 0; a < 2; a++)
    suits = suits && g->kernel[a] == 3 && g->in[a] >= 3 && g->out[a] >= 3 && g->before[a] <= 2;
  return suits;
}

bool pl_winograd_few_plan_make(pl_winograd_few_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                               bool by_kernel) {
  const size_t size = pl_dtype_size(dtype);
  const int64_t lanes = pl_kernels_get()->conv2d[dtype].lanes;
  *plan = (pl_winograd_few_plan){.g = g, .dtype = dtype};
  plan->down = pl_divide_up(g->out[0], 4);
  plan->tasks = by_kernel ? pl_least(PARTS, g->batch * plan->down)
                          : g->batch * pl_least(plan->down, pl_divide_up(FEWEST_TASKS, g->batch));
  const int64_t matrices = 36 * g->in_channels * pl_divide_up(g->out_channels, lanes) * lanes;
  /* sums of every part, or the points of every thread */
  size_t *bytes = by_kernel ? &plan->apart : &plan->slots.bytes;
  return pl_add_room(bytes, matrices, size) &&
         (by_kernel ? pl_add_room(&plan->bytes, plan->tasks, plan->apart)
                    : pl_add_slots(&plan->bytes, &plan->slots, plan->tasks));
}

typedef struct {
  const pl_winograd_few_plan *plan;
  const pl_winograd_few_kernels *kernels;
  const char *x, *kernel, *bias, *dy;
  char *to, *workspace;
  int64_t x_image, y_image; /* bytes */
  bool relu, add;
} few_job;

static few_job make_job(const pl_winograd_few_plan *plan, const void *x, void *to,
                        void *workspace) {
  const pl_conv2d *g = plan->g;
  const int64_t size = (int64_t)pl_dtype_size(plan->dtype);
  few_job job = {.plan = plan, .x = x, .to = to, .workspace = workspace};
  job.kernels = pl_kernels_get()->winograd_few[plan->dtype];
  job.x_image = g->in[0] * g->in[1] * g->in_channels * size;
  job.y_image = g->out[0] * g->out[1] * g->out_channels * size;
  return job;
}

static void forward_task(void *context, int64_t chunk) {
  const few_job *job = context;
  const pl_winograd_few_plan *plan = job->plan;
  const int64_t strips = plan->tasks / plan->g->batch, image = chunk / strips;
  char *u = pl_slot_of(&plan->slots, job->workspace);
  if (pl_is_first_chunk()) job->kernels->pack(plan->g, job->kernel, u);
  int64_t first;
  const int64_t last = pl_part(plan->down, strips, chunk % strips, &first);
  job->kernels->forward(plan->g, first, last, job->x + image * job->x_image, u, job->bias,
                        job->relu, job->to + image * job->y_image);
}

void pl_winograd_few_forward(const pl_winograd_few_plan *plan, const void *x, const void *kernel,
                             const void *bias, bool relu, void *y, void *workspace) {
  few_job job = make_job(plan, x, y, workspace);
  job.kernel = kernel;
  job.bias = bias;
  job.relu = relu;
  pl_parallel_slots(plan->tasks, plan->slots.count, forward_task, &job);
}

static void gradient_task(void *context, int64_t part) {
  const few_job *job = context;
  const pl_winograd_few_plan *plan = job->plan;
  char *sums = job->workspace + (size_t)part * plan->apart;
  memset(sums, 0, plan->apart);
  int64_t row, rows; /* of the tiles of all images; of those of one */
  const int64_t end = pl_part(plan->g->batch * plan->down, plan->tasks, part, &row);
  for (; row < end; row += rows) {
    const int64_t image = row / plan->down, first = row % plan->down;
    rows = pl_least(plan->down - first, end - row);
    job->kernels->gradient(plan->g, first, first + rows, job->x + image * job->x_image,
                           job->dy + image * job->y_image, sums);
  }
}

static void end_task(void *context, int64_t channel) {
  const few_job *job = context;
  const pl_winograd_few_plan *plan = job->plan;
  job->kernels->end(plan->g, channel, plan->tasks,
                    (int64_t)(plan->apart / pl_dtype_size(plan->dtype)), job->workspace, job->add,
                    job->to);
}

void pl_winograd_few_backward_kernel(const pl_winograd_few_plan *plan, const void *x,
                                     const void *dy, bool add, void *dkernel, void *workspace) {
  few_job job = make_job(plan, x, dkernel, workspace);
  job.dy = dy;
  job.add = add;
  pl_parallel_for(plan->tasks, gradient_task, &job);
  pl_parallel_for(plan->g->in_channels, end_task, &job);
}
