/*
** Convolutions of images on the pool, float32 and float64. Every sum is taken in an order that the
** sizes alone decide, so the bits are the same at any thread count. A plan is made first: it says
** how much workspace (aligned to 64 bytes) the call needs.
*/
#ifndef PL_TENSOR_CONV2D_H
#define PL_TENSOR_CONV2D_H

#include <stddef.h>

#include "kernels/conv2d.h"
#include "tensor/kernel_pairs.h"
#include "tensor/tensor.h"
#include "tensor/window.h"
#include "tensor/winograd.h"
#include "tensor/winograd_few.h"

/* What depends on one axis of the image: outputs out_start, out_start + out_step, … are made of
** inputs origin + in_step * i + position_step * t, t < taps, with kernel row index + index_step * t. */
typedef struct pl_conv2d_axis {
  int64_t count, out_start, out_step, in_step, origin;
  int64_t taps, index, index_step, position_step;
} pl_conv2d_axis;

/* A pass over the patches of `from` that writes `to`: x and y, or backwards dy and dx. */
typedef struct pl_conv2d_plan {
  const pl_conv2d *g;
  pl_dtype dtype;
  bool backward, pooled, depthwise;
  bool direct;   /* patches are read where they lie, since none leaves the image, */
  bool in_parts; /* or what of them stays inside is */
  pl_conv2d_way way;
  int64_t from[2], from_channels, to[2], to_channels;
  int64_t phases[2];            /* the strides, backwards; one of them is one stride-1 pass */
  int64_t images, rows, strips; /* of an image's rows, to a task */
  int64_t parts;                /* of the output channels, when the weights are many */
  int64_t runs_room, window;    /* window: numbers of a padded strip */
  int64_t wide, before_pool;    /* numbers of a pixel before the pooling, and of a strip */
  int64_t room;                 /* numbers of a strip that pairs need */
  bool packed_apart;            /* few weights, which each thread packs for itself */
  size_t packed_at, bytes;      /* of all; the runs come first */
  size_t window_at, before_pool_at, room_at; /* in a slot, after the weights packed apart */
  pl_slots slots;
  bool winograd, winograd_few; /* then the pass is this one */
  pl_winograd_plan by_winograd;
  pl_winograd_few_plan by_winograd_few;
} pl_conv2d_plan;

/* Whether forward and by the kernel pairs of pixels are made, by Winograd's F(2, 3) or F(2, 5) along the rows,
** where no larger tiles suit */
bool pl_conv2d_suits_pairs(const pl_conv2d *g);

/* False when the workspace would not fit memory. Pooled: strides, dilation and groups are 1, and there
** are 2×2 pixels. */
bool pl_conv2d_plan_make(pl_conv2d_plan *plan, const pl_conv2d *g, pl_dtype dtype,
                         pl_conv2d_pass pass);
/* y := conv2d(x, kernel) + bias (may be NULL), relu of it. Pooled: which := the place 0..3 of each
** maximum, unless NULL */
void pl_conv2d_forward(const pl_conv2d_plan *plan, const void *x, const void *kernel,
                       const void *bias, bool relu, void *y, uint8_t *which, void *workspace);
/* dx := (or += with add) the gradient by x, given that by y */
void pl_conv2d_backward_data(const pl_conv2d_plan *plan, const void *dy, const void *kernel,
                             bool add, void *dx, void *workspace);

typedef struct pl_conv2d_kernel_plan {
  const pl_conv2d *g;
  pl_dtype dtype;
  bool depthwise, direct, copied; /* copied: dy, into whole vectors */
  int64_t batch_parts, channel_parts, row_parts;
  int64_t images, rows; /* of a strip */
  int64_t window[2], window_room, d_room;
  pl_slots slots;
  size_t bytes;
  bool winograd, winograd_few, pairs;
  pl_winograd_plan by_winograd;
  pl_winograd_few_plan by_winograd_few;
  pl_kernel_pairs_plan by_pairs;
} pl_conv2d_kernel_plan;

bool pl_conv2d_kernel_plan_make(pl_conv2d_kernel_plan *plan, const pl_conv2d *g, pl_dtype dtype);
/* dkernel := (or +=) the gradient by the kernel */
void pl_conv2d_backward_kernel(const pl_conv2d_kernel_plan *plan, const void *x, const void *dy,
                               bool add, void *dkernel, void *workspace);

/* Workspace of pl_conv2d_mask; d := dy where y > 0 (y NULL: everywhere; d may be NULL), and dbias,
** unless NULL, := (or +=) its sum over the pixels */
size_t pl_conv2d_mask_bytes(int64_t pixels, int64_t channels, pl_dtype dtype);
void pl_conv2d_mask(int64_t pixels, int64_t channels, pl_dtype dtype, const void *dy, const void *y,
                    void *d, void *dbias, bool add, void *workspace);

#endif
