/*
** Winograd's F(4×4, 3×3) of few input channels: see winograd_few.inc. Images and kernels lie whole in
** memory, of a plain geometry; some rows of an image's tiles are done at a time.
*/
#ifndef PL_KERNELS_WINOGRAD_FEW_H
#define PL_KERNELS_WINOGRAD_FEW_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/conv2d.h"

/* Channels in; fewer than the least would be read beyond the image. */
enum { PL_WINOGRAD_FEW_LEAST = 3, PL_WINOGRAD_FEW_MOST = 8 };

typedef struct pl_winograd_few_kernels {
  /* u := G k Gᵀ, 36 · in_channels rows of whole vectors */
  void (*pack)(const pl_conv2d *g, const void *kernel, void *u);
  /* Rows first .. last - 1 of the tiles of an image, y := relu(conv2d(x, k) + bias); bias may be NULL */
  void (*forward)(const pl_conv2d *g, int64_t first, int64_t last, const void *x, const void *u,
                  const void *bias, bool relu, void *y);
  /* sums, as many rows as u's but by single vectors, += (Bᵀ x B) ⊙ (A dy Aᵀ) of these tiles */
  void (*gradient)(const pl_conv2d *g, int64_t first, int64_t last, const void *x, const void *dy,
                   void *sums);
  /* dkernel := (or += with add) Gᵀ sums G of one channel in; the sums of `parts`, part_step apart, first
  ** become one */
  void (*end)(const pl_conv2d *g, int64_t channel, int64_t parts, int64_t part_step,
              const void *sums, bool add, void *dkernel);
} pl_winograd_few_kernels;

#endif
