/*
** Pooling of images, NHWC. Pairs are {vertical, horizontal}. Windows that reach over an edge are
** clipped; every window holds at least one pixel of the image.
*/
#ifndef PL_KERNELS_POOL_H
#define PL_KERNELS_POOL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_pool2d {
  int64_t in[2], out[2], channels; /* sizes of x and of y */
  int64_t window[2], stride[2];
  int64_t pad[2]; /* above and left of the image */
  bool wide;      /* places are int32, not uint8 */
} pl_pool2d;

/* Row `oy` of one image's y, and row `iy` of its dx; x, y, … point at the image's first number. */
typedef struct pl_pool_kernels {
  /* y := max x over the window, which := the place of the first maximum, ky * window[1] + kx;
  ** NaN wins. which may be NULL. */
  void (*max_row)(const pl_pool2d *p, int64_t oy, const void *x, void *y, void *which);
  /* dx := (add ? dx : 0) + sum of dy over the windows that chose the pixel */
  void (*max_backward_row)(const pl_pool2d *p, int64_t iy, const void *dy, const void *which,
                           void *dx, bool add);
  /* y := mean x over the window's pixels */
  void (*mean_row)(const pl_pool2d *p, int64_t oy, const void *x, void *y);
  /* dx := (add ? dx : 0) + sum of dy / (the window's pixels) over the pixel's windows */
  void (*mean_backward_row)(const pl_pool2d *p, int64_t iy, const void *dy, void *dx, bool add);
} pl_pool_kernels;

#endif
