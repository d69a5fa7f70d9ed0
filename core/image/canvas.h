/*
** canvas: antialiased drawing on RGB bytes that the caller owns.
** Nothing here allocates, fails or knows Lua. Coordinates are pixels with y down; pixel (0, 0)
** covers [0, 1) x [0, 1). Drawing outside the clip rectangle does nothing.
** Shapes other than rectangles and pictures go through a pl_raster (raster.h).
*/
#ifndef PL_CANVAS_H
#define PL_CANVAS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t r, g, b, a; /* a: 255 is opaque */
} pl_color;

typedef struct {
  uint8_t *pixels; /* 3 bytes a pixel */
  int width, height;
  ptrdiff_t row_stride;                   /* bytes from a row to the next */
  int clip_x0, clip_y0, clip_x1, clip_y1; /* half-open, inside the canvas */
} pl_canvas;

typedef struct {
  const uint8_t *pixels;
  int width, height, channels; /* 1 grey, 3 RGB, 4 RGBA; rows contiguous */
} pl_picture;

/* Whole canvas as clip. */
pl_canvas pl_canvas_make(uint8_t *pixels, int width, int height, ptrdiff_t row_stride);

/* Shrinks the clip to its intersection with [x0, x1) x [y0, y1). */
void pl_canvas_clip(pl_canvas *c, int x0, int y0, int x1, int y1);

/* pixel = mix(pixel, color, coverage * color.a) at a pixel inside the clip. */
void pl_canvas_blend(const pl_canvas *c, int x, int y, pl_color color, float coverage);

/* Rectangle with exact area coverage on its border pixels. */
void pl_canvas_rect(const pl_canvas *c, double x, double y, double w, double h, pl_color color);

/* Picture stretched over a rectangle: nearest pixel, or smooth (an area average where it shrinks,
** linear where it grows). */
void pl_canvas_picture(const pl_canvas *c, const pl_picture *src, double x, double y, double w,
                       double h, int smooth);

#endif
