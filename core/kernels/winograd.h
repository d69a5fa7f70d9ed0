/*
** Winograd's convolution F(2×2, 3×3): see winograd.inc. A tile is 2×2 pixels of the output and the 4×4
** pixels of the input that they see. Point t (0..15) of tiles or kernels lies t * apart numbers on.
*/
#ifndef PL_KERNELS_WINOGRAD_H
#define PL_KERNELS_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_WINOGRAD_POINTS = 16 };

typedef struct pl_winograd_kernels {
  /* v := Bᵀ d B, for each channel; d is 4×4 pixels. Up to a whole vector zeros follow. */
  void (*input)(int64_t channels, const void *const pixel[16], void *v, int64_t apart);
  /* v := A d Aᵀ; d is 2×2 pixels */
  void (*gradient)(int64_t channels, const void *const pixel[4], void *v, int64_t apart);
  /* Rows first .. first + rows - 1 of the 16 packed matrices (as pl_conv2d_kernels.pack has it)
  ** := G k Gᵀ, k[tap] being the number from[tap*tap_step + r*row + c*channel] */
  void (*kernel)(int64_t rows, int64_t channels, const void *from, int64_t tap_step, int64_t row,
                 int64_t channel, int64_t first, int64_t depth, void *packed, int64_t apart);
  /* pixel[q] := (or += with add) relu(Aᵀ m A + bias), one of 2×2; NULL: not there. bias may be NULL */
  void (*output)(int64_t channels, const void *m, int64_t apart, const void *bias, bool relu,
                 bool add, void *const pixel[4]);
  /* y, which := the largest of the four and its place; which may be NULL */
  void (*pooled)(int64_t channels, const void *m, int64_t apart, const void *bias, bool relu,
                 void *y, uint8_t *which);
  /* dkernel[tap*tap_step + c] := (or +=) Gᵀ u G, u the sum of `parts`, part_step from one to the next */
  void (*kernel_gradient)(int64_t channels, const void *u, int64_t apart, int64_t parts,
                          int64_t part_step, bool add, void *dkernel, int64_t tap_step);
} pl_winograd_kernels;

#endif
