/*
** Convolutions of images (NHWC) with kernels (HWIO), as matrix products that are never laid out:
** see simd/tile.inc for the tile they are made of. Sizes and steps count elements.
*/
#ifndef PL_KERNELS_CONV2D_H
#define PL_KERNELS_CONV2D_H

#include <stdbool.h>
#include <stdint.h>

/* The geometry, as the user gives it; index 0 is vertical, 1 horizontal. */
typedef struct pl_conv2d {
  int64_t batch, in[2], in_channels;
  int64_t kernel[2], stride[2], dilation[2], before[2],
      after[2]; /* padding: top, left; bottom, … */
  int64_t out[2], out_channels, groups;
} pl_conv2d;

/* Whether windows go pixel by pixel, see neighbouring ones, and all channels. */
static inline bool pl_conv2d_is_plain(const pl_conv2d *g) {
  bool plain = g->groups == 1;
  for (int a = 0; a < 2; a++) plain = plain && g->stride[a] == 1 && g->dilation[a] == 1;
  return plain;
}

static inline int64_t pl_conv2d_kernel_numbers(const pl_conv2d *g) {
  return g->kernel[0] * g->kernel[1] * (g->in_channels / g->groups) * g->out_channels;
}

/* `length` numbers that follow one another in steps, the first at `start`. By few channels their weights
** are those from number `weight` on of each channel's. */
typedef struct pl_conv2d_run {
  int64_t start, length, weight;
} pl_conv2d_run;

/* Longer runs are cut, so that a block of weights stays in the first-level cache. */
enum { PL_CONV2D_LONGEST_RUN = 128 };

typedef enum pl_conv2d_way {
  PL_CONV2D_TILES,
  PL_CONV2D_FEW,      /* channels, half a vector at most; from pack_few */
  PL_CONV2D_PAIRS,    /* Winograd's, of one run of `columns` pixels a kernel row; from pack_pairs */
  PL_CONV2D_FEW_PAIRS /* both, of 3×3 kernels; from pack_dots_pairs */
} pl_conv2d_way;

/*
** out[i, r, p, c] := relu(bias[c] + sum_k in[i, r, p, k] * weights[k, c]), k along the runs, which
** start at pixel p of row r of image i. `packed` holds weights and bias as pack left them.
*/
typedef struct pl_conv2d_gather {
  pl_conv2d_way way;
  int64_t images, rows, pixels, channels;
  int64_t in_image, in_row, in_pixel, out_image, out_row, out_pixel;
  int64_t runs, depth; /* depth: the sum of the runs' lengths */
  const pl_conv2d_run *run;
  const void *packed;
  int64_t part, parts; /* of the channels, in blocks that a tile takes */
  bool add, relu;      /* add: out += instead, and no bias */
  /* By pairs: the kernel's columns, 3 or 5; nothing is read of `in` from `end` on. room: `columns` + 1 times
  ** pl_conv2d_pairs_apart for each row of `in`, of which the first `made` are made already. */
  int64_t columns, made;
  const void *end;
  void *room;
  /* By few pairs: `in` is whole images of that size, the first patch begins there, room is zeros. */
  int64_t origin[2], size[2];
} pl_conv2d_gather;

/* Input channels by pairs: the weights stay in the first-level cache. */
enum { PL_CONV2D_PAIRS_MOST_IN = 8 };

/* Numbers of a row of `in` for one point, in whole vectors. */
static inline int64_t pl_conv2d_pairs_apart(int64_t pixels, int64_t in_pixel, int64_t lanes) {
  const int64_t width = (pixels + 1) / 2 * 2 * in_pixel;
  return (width + lanes - 1) / lanes * lanes;
}

/*
** out[row, c] := sum_p in[band.start + row, p] * d[p, c] for c < channels, or += with add. The
** pixels p are those of the runs, in_pixel apart; d is contiguous along them, d_pixel apart.
*/
typedef struct pl_conv2d_outer {
  int64_t runs, bands, channels, in_pixel, d_pixel, out_row;
  const pl_conv2d_run *run, *band; /* the rows of out come band after band */
  bool add;
} pl_conv2d_outer;

/*
** The same sums by pairs of pixels (simd/outer_pairs.inc), of kernels of 3×3 or 5×5: some rows of d, whose
** pixels lie side by side, and what they see of `in`, whose rows are in_row apart. A row of `in` has zeros
** where an odd pixel's pair would see more; nothing is read from `end` on.
*/
typedef struct pl_conv2d_outer_pairs {
  int64_t columns, rows, pixels, in_channels, channels, in_row;
  const void *end;
} pl_conv2d_outer_pairs;

typedef struct pl_conv2d_outer_pairs_kernels {
  /* sums += those of some rows; (columns + 1) · columns · in_channels rows of whole vectors. room: of
  ** columns + 1 times pl_conv2d_pairs_apart for each row of `in`. NULL where it does not pay */
  void (*add)(const pl_conv2d_outer_pairs *o, const void *in, const void *d, void *room,
              void *sums);
  /* dkernel := (or += with add) what the sums mean */
  void (*end)(const pl_conv2d_outer_pairs *o, const void *sums, bool add, void *dkernel);
} pl_conv2d_outer_pairs_kernels;

typedef struct pl_conv2d_kernels {
  int lanes, block; /* of a vector; vectors of channels that one tile takes */
  void (*gather)(const pl_conv2d_gather *g, const void *in, void *out);
  void (*outer)(const pl_conv2d_outer *o, const void *in, const void *d, void *out);
  /* packed rows first .. first + rows - 1 of depth := from[r*row + c*channel], c < channels */
  void (*pack)(int64_t rows, int64_t channels, const void *from, int64_t row, int64_t channel,
               int64_t first, int64_t depth, void *packed);
  /* the same for `few` channels: the depth numbers of each channel follow one another */
  void (*pack_few)(int64_t rows, int64_t channels, const void *from, int64_t row, int64_t channel,
                   int64_t first, int64_t depth, void *packed);
  /* the same for pairs: from[t*tap + r*row + c], t < columns; depth counts columns + 1 for each row */
  void (*pack_pairs)(int64_t columns, int64_t rows, int64_t channels, const void *from, int64_t tap,
                     int64_t row, int64_t first, int64_t depth, void *packed);
  int dots_pairs; /* the most channels that can be made by few pairs */
  void (*pack_dots_pairs)(int64_t rows, int64_t channels, const void *from, int64_t tap,
                          int64_t line, int64_t row, int64_t channel, void *packed);
  void (*pack_bias)(int64_t channels, const void *bias, int64_t depth, void *packed);
  /* d := dy where y > 0 (or dy itself when y is NULL; d may be NULL), sum[c] := sum_p d[p, c] */
  void (*mask)(int64_t pixels, int64_t channels, const void *dy, const void *y, void *d, void *sum);
  /* sum[i] := (add ? sum[i] : 0) + parts[0][i] + parts[1][i] + …, i < n, `apart` apart */
  void (*join)(int64_t n, int64_t parts, int64_t apart, const void *part, void *sum, bool add);
  /* One input channel a group: rows first .. last - 1 of an image; an image; an image, += */
  void (*depthwise)(const pl_conv2d *g, int64_t first, int64_t last, const void *x,
                    const void *kernel, const void *bias, bool relu, void *y);
  void (*depthwise_data)(const pl_conv2d *g, const void *dy, const void *kernel, void *dx);
  void (*depthwise_kernel)(const pl_conv2d *g, const void *x, const void *dy, void *dkernel);
} pl_conv2d_kernels;

/* The numbers that pack and pack_bias need room for. */
static inline int64_t pl_conv2d_packed(int lanes, int64_t depth, int64_t channels) {
  return (depth + 1) * ((channels + lanes - 1) / lanes * lanes);
}

#endif
