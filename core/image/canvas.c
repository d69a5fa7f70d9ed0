/* canvas: pixels, rectangles and pictures. Contract in canvas.h. */
#include "canvas.h"

#include <math.h>

static int clamp_int(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }

/* floor(v) held to [lo, hi], so that any double is safe to convert. */
static int floor_clamped(double v, int lo, int hi) {
  if (!(v > lo)) return lo;
  if (v >= hi) return hi;
  return (int)floor(v);
}

pl_canvas pl_canvas_make(uint8_t *pixels, int width, int height, ptrdiff_t row_stride) {
  pl_canvas c = {pixels, width, height, row_stride, 0, 0, width, height};
  return c;
}

void pl_canvas_clip(pl_canvas *c, int x0, int y0, int x1, int y1) {
  c->clip_x0 = clamp_int(x0, c->clip_x0, c->clip_x1);
  c->clip_y0 = clamp_int(y0, c->clip_y0, c->clip_y1);
  c->clip_x1 = clamp_int(x1, c->clip_x0, c->clip_x1);
  c->clip_y1 = clamp_int(y1, c->clip_y0, c->clip_y1);
}

static uint8_t mix(uint8_t under, uint8_t over, int alpha) {
  return (uint8_t)((under * (255 - alpha) + over * alpha + 127) / 255);
}

void pl_canvas_blend(const pl_canvas *c, int x, int y, pl_color color, float coverage) {
  int alpha = (int)(coverage * (float)color.a + 0.5f);
  if (alpha <= 0) return;
  if (alpha > 255) alpha = 255;
  uint8_t *p = c->pixels + y * c->row_stride + 3 * (ptrdiff_t)x;
  p[0] = mix(p[0], color.r, alpha);
  p[1] = mix(p[1], color.g, alpha);
  p[2] = mix(p[2], color.b, alpha);
}

/* Length of [a, b] inside pixel i. */
static double overlap(double a, double b, int i) {
  double lo = a > i ? a : i, hi = b < i + 1 ? b : i + 1;
  return hi > lo ? hi - lo : 0;
}

void pl_canvas_rect(const pl_canvas *c, double x, double y, double w, double h, pl_color color) {
  if (!(w > 0) || !(h > 0)) return;
  double right = x + w, bottom = y + h;
  int x0 = floor_clamped(x, c->clip_x0, c->clip_x1),
      x1 = floor_clamped(ceil(right), c->clip_x0, c->clip_x1);
  int y0 = floor_clamped(y, c->clip_y0, c->clip_y1),
      y1 = floor_clamped(ceil(bottom), c->clip_y0, c->clip_y1);
  for (int j = y0; j < y1; j++) {
    double vertical = overlap(y, bottom, j);
    for (int i = x0; i < x1; i++)
      pl_canvas_blend(c, i, j, color, (float)(vertical * overlap(x, right, i)));
  }
}

/* One source pixel as premultiplied RGBA in 0..255. */
static void load(const pl_picture *s, int x, int y, double out[4]) {
  const uint8_t *p = s->pixels + ((ptrdiff_t)y * s->width + x) * s->channels;
  double alpha = s->channels == 4 ? p[3] : 255;
  for (int k = 0; k < 3; k++) out[k] = (s->channels == 1 ? p[0] : p[k]) * alpha / 255;
  out[3] = alpha;
}

/* Weighted mean of the source round (sx, sy) under a triangle of half-widths rx, ry >= 1. */
static void sample_smooth(const pl_picture *s, double sx, double sy, double rx, double ry,
                          double out[4]) {
  int x0 = floor_clamped(ceil(sx - rx - 0.5), 0, s->width - 1);
  int x1 = floor_clamped(sx + rx - 0.5, 0, s->width - 1);
  int y0 = floor_clamped(ceil(sy - ry - 0.5), 0, s->height - 1);
  int y1 = floor_clamped(sy + ry - 0.5, 0, s->height - 1);
  double total = 0, sum[4] = {0, 0, 0, 0}, pixel[4];
  for (int j = y0; j <= y1; j++) {
    double wy = 1 - fabs(j + 0.5 - sy) / ry;
    /* A sample past the border leans on the border pixel alone. */
    if (wy <= 0) wy = y0 == y1 ? 1 : 0;
    for (int i = x0; i <= x1; i++) {
      double wx = 1 - fabs(i + 0.5 - sx) / rx;
      if (wx <= 0) wx = x0 == x1 ? 1 : 0;
      load(s, i, j, pixel);
      for (int k = 0; k < 4; k++) sum[k] += wx * wy * pixel[k];
      total += wx * wy;
    }
  }
  for (int k = 0; k < 4; k++) out[k] = total > 0 ? sum[k] / total : 0;
}

void pl_canvas_picture(const pl_canvas *c, const pl_picture *src, double x, double y, double w,
                       double h, int smooth) {
  if (!(w > 0) || !(h > 0) || src->width < 1 || src->height < 1) return;
  double scale_x = src->width / w, scale_y = src->height / h;
  double radius_x = scale_x > 1 ? scale_x : 1, radius_y = scale_y > 1 ? scale_y : 1;
  /* A destination pixel belongs to the picture when its centre does. */
  int x0 = floor_clamped(ceil(x - 0.5), c->clip_x0, c->clip_x1);
  int x1 = floor_clamped(ceil(x + w - 0.5), c->clip_x0, c->clip_x1);
  int y0 = floor_clamped(ceil(y - 0.5), c->clip_y0, c->clip_y1);
  int y1 = floor_clamped(ceil(y + h - 0.5), c->clip_y0, c->clip_y1);
  double pixel[4];
  for (int j = y0; j < y1; j++) {
    double sy = (j + 0.5 - y) * scale_y;
    for (int i = x0; i < x1; i++) {
      double sx = (i + 0.5 - x) * scale_x;
      if (smooth)
        sample_smooth(src, sx, sy, radius_x, radius_y, pixel);
      else
        load(src, floor_clamped(sx, 0, src->width - 1), floor_clamped(sy, 0, src->height - 1),
             pixel);
      uint8_t *p = c->pixels + j * c->row_stride + 3 * (ptrdiff_t)i;
      for (int k = 0; k < 3; k++) p[k] = (uint8_t)(pixel[k] + p[k] * (255 - pixel[3]) / 255 + 0.5);
    }
  }
}
