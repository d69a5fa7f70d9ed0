/*
** Convolutions followed by 2×2 max pooling. Before the pooling at most one gradient in four differs
** from 0, and a ReLU makes more of them 0, so the way back adds up what is there instead of
** multiplying by zeros: entries {a number, its place}, in lists, and sums over a list's entries.
*/
#ifndef PL_KERNELS_CONV2D_POOL_H
#define PL_KERNELS_CONV2D_POOL_H

#include <stdbool.h>
#include <stdint.h>

/*
** For each i < sums: sum[place[i] + b*sum_row + v] += sum over the entries e of list i of
** e.value * a[e.at + b*a_row + v], b < bands, v < (vectors - 1) * lanes + last; of a the whole last
** vector is read. List i has count[i] entries and starts at entry i * capacity.
*/
typedef struct pl_conv2d_sparse {
  int64_t sums, bands, vectors, last, capacity, a_row, sum_row;
  const int32_t *count, *place;
  const void *entry, *a;
  void *sum;
} pl_conv2d_sparse;

typedef struct pl_conv2d_pool_kernels {
  int lanes;
  int64_t entry_bytes;
  int64_t (*most_vectors)(int64_t bands); /* of a sum, 0: not so many bands at a time */
  /* y, which := the largest of 2×2 pixels of x and its place 0..3, or relu of it. x has two rows of
  ** 2 * pixels pixels, x_row apart, whole vectors of channels each; which may be NULL */
  void (*pool)(int64_t pixels, int64_t channels, const void *x, int64_t x_row, bool relu, void *y,
               uint8_t *which);
  /* A list for each channel c: the d[p, c] that are not 0, at from[p] + quad[which]; here and below
  ** two bits of which count */
  void (*by_channel)(int64_t pixels, int64_t channels, const void *d, const uint8_t *which,
                     const int32_t *from, const int32_t quad[4], int64_t capacity, void *entry,
                     int32_t *count);
  /* Four lists for each pixel p, one for each place: the d[p, c] that are not 0, at c*step; each has
  ** room for all channels */
  void (*by_place)(int64_t pixels, int64_t channels, const void *d, const uint8_t *which,
                   int64_t step, void *entry, int32_t *count);
  void (*sum)(const pl_conv2d_sparse *s);
  /* to[r*to_row + c] := (or += with add) from[r*from_row + c*from_column], and 0 up to c < width */
  void (*lay)(int64_t rows, int64_t columns, const void *from, int64_t from_row,
              int64_t from_column, void *to, int64_t to_row, int64_t width, bool add);
} pl_conv2d_pool_kernels;

#endif
