/*
** Winograd's convolutions F(2×2, 3×3) and F(4×4, 3×3): see winograd.inc. A tile is M×M pixels of the
** output and the N×N of the input that they see, N = M + 2. Point t (0 .. N·N-1) of tiles or kernels
** lies t * apart numbers on.
*/
#ifndef PL_KERNELS_WINOGRAD_H
#define PL_KERNELS_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_WINOGRAD_POINTS = 36, PL_WINOGRAD_MADE = 16 }; /* N·N and M·M at most */

typedef enum pl_winograd_tile {
  PL_WINOGRAD_2X2,
  PL_WINOGRAD_4X4,
  PL_WINOGRAD_TILES
} pl_winograd_tile;

typedef struct pl_winograd_kernels {
  /* v := Bᵀ d B, for each channel; d is N×N pixels. Up to a whole vector zeros follow. */
  void (*input)(int64_t channels, const void *const *pixel, void *v, int64_t apart);
  /* v := A d Aᵀ; d is M×M pixels */
  void (*gradient)(int64_t channels, const void *const *pixel, void *v, int64_t apart);
  /* Rows first .. first + rows - 1 of the packed matrices of all points (as pl_conv2d_kernels.pack has
  ** them) := G k Gᵀ, k[tap] being the number from[tap*tap_step + r*row + c*channel] */
  void (*kernel)(int64_t rows, int64_t channels, const void *from, int64_t tap_step, int64_t row,
                 int64_t channel, int64_t first, int64_t depth, void *packed, int64_t apart);
  /* pixel[q] := (or += with add) relu(Aᵀ m A + bias), one of M×M; NULL: not there. bias may be NULL */
  void (*output)(int64_t channels, const void *m, int64_t apart, const void *bias, bool relu,
                 bool add, void *const *pixel);
  /* pixel[q], which[q] := the largest of 2×2 of these and its place, one of M/2 × M/2; pixel[q] NULL: not
  ** there. which may be NULL */
  void (*pooled)(int64_t channels, const void *m, int64_t apart, const void *bias, bool relu,
                 void *const *pixel, uint8_t *const *which);
  /* dkernel[tap*tap_step + c] := (or +=) Gᵀ u G, u the sum of `parts`, part_step from one to the next */
  void (*kernel_gradient)(int64_t channels, const void *u, int64_t apart, int64_t parts,
                          int64_t part_step, bool add, void *dkernel, int64_t tap_step);
} pl_winograd_kernels;

#endif
