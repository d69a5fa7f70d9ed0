/* raster: edges to coverage to pixels. Contract in raster.h; lines with width are in stroke.c. */
#include "raster.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

struct pl_edge {
  double x, dx;        /* at the first sample line; step per sample line */
  int32_t first, last; /* sample lines [first, last) of the canvas */
  int32_t next;        /* the next edge that starts in the same pixel row, or -1 */
  int32_t winding;
};

struct pl_crossing {
  double x, dx;
  int32_t last, winding;
};

static size_t clip_rows(const pl_canvas *c) { return (size_t)(c->clip_y1 - c->clip_y0); }

static size_t coverage_bytes(const pl_canvas *c) {
  return sizeof(float) * ((size_t)(c->clip_x1 - c->clip_x0) + 2);
}

size_t pl_raster_bytes(const pl_canvas *c, size_t edges) {
  return edges * (sizeof(pl_edge) + sizeof(pl_crossing)) + sizeof(int32_t) * clip_rows(c) +
         coverage_bytes(c);
}

void pl_raster_init(pl_raster *r, const pl_canvas *c, void *memory, size_t edges) {
  r->canvas = c;
  r->count = 0;
  r->capacity = memory ? edges : 0;
  r->edges = memory;
  r->active = memory ? (pl_crossing *)(r->edges + edges) : NULL;
  r->first_in_row = memory ? (int32_t *)(r->active + edges) : NULL;
  r->coverage = memory ? (float *)(r->first_in_row + clip_rows(c)) : NULL;
  if (!memory) return;
  memset(r->first_in_row, 0xff, sizeof(int32_t) * clip_rows(c));
  memset(r->coverage, 0, coverage_bytes(c));
}

static double hold(double v) { /* not-a-number goes to -PL_FAR */
  return v > -PL_FAR ? (v < PL_FAR ? v : PL_FAR) : -PL_FAR;
}

void pl_raster_edge(pl_raster *r, double x0, double y0, double x1, double y1) {
  const pl_canvas *c = r->canvas;
  int32_t winding = 1;
  x0 = hold(x0), y0 = hold(y0), x1 = hold(x1), y1 = hold(y1);
  if (y1 < y0) {
    double x = x0, y = y0;
    x0 = x1, y0 = y1, x1 = x, y1 = y;
    winding = -1;
  }
  int32_t first = (int32_t)ceil(y0 * PL_SUBROWS - 0.5), last = (int32_t)ceil(y1 * PL_SUBROWS - 0.5);
  if (first < c->clip_y0 * PL_SUBROWS) first = c->clip_y0 * PL_SUBROWS;
  if (last > c->clip_y1 * PL_SUBROWS) last = c->clip_y1 * PL_SUBROWS;
  if (first >= last) return;
  if (r->count < r->capacity) {
    double slope = (x1 - x0) / (y1 - y0);
    int32_t *head = &r->first_in_row[first / PL_SUBROWS - c->clip_y0];
    pl_edge *e = &r->edges[r->count];
    e->x = x0 + ((first + 0.5) / PL_SUBROWS - y0) * slope;
    e->dx = slope / PL_SUBROWS;
    e->first = first;
    e->last = last;
    e->winding = winding;
    e->next = *head;
    *head = (int32_t)r->count;
  }
  r->count++;
}

void pl_raster_polygon(pl_raster *r, const double *xy, size_t n) {
  double area = 0;
  for (size_t i = 0, j = n - 1; i < n; j = i++)
    area += hold(xy[2 * j]) * hold(xy[2 * i + 1]) - hold(xy[2 * i]) * hold(xy[2 * j + 1]);
  for (size_t i = 0, j = n - 1; i < n; j = i++) {
    const double *from = xy + 2 * (area < 0 ? i : j), *to = xy + 2 * (area < 0 ? j : i);
    pl_raster_edge(r, from[0], from[1], to[0], to[1]);
  }
}

/* Corners that keep a circle's chords within 0.03 pixels of it. */
static int circle_steps(double radius) {
  if (radius < 0.5) return 8;
  double steps = ceil(pi / acos(1 - 0.03 / radius));
  return steps < 512 ? (int)steps : 512;
}

void pl_raster_disc(pl_raster *r, double x, double y, double radius) {
  int steps = circle_steps(radius);
  /* Corners a little outside the circle, so that the polygon has the circle's area. */
  double outer = radius * sqrt(2 * pi / (steps * sin(2 * pi / steps)));
  double x0 = x + outer, y0 = y;
  for (int i = 1; i <= steps; i++) {
    double angle = i == steps ? 0 : 2 * pi * i / steps;
    double x1 = x + outer * cos(angle), y1 = y + outer * sin(angle);
    pl_raster_edge(r, x0, y0, x1, y1);
    x0 = x1, y0 = y1;
  }
}

void pl_raster_marker(pl_raster *r, pl_marker shape, double x, double y, double size,
                      double margin) {
  double h = size / 2;
  double p[8];
  pl_stroke arms = {size * 0.28 + 2 * margin, PL_JOIN_MITER, PL_CAP_BUTT, false, NULL, 0};
  switch (shape) {
    case PL_MARKER_CIRCLE: pl_raster_disc(r, x, y, h + margin); break;
    case PL_MARKER_SQUARE: {
      double s = h * 0.886 + margin; /* the circle's area */
      double square[8] = {x - s, y - s, x + s, y - s, x + s, y + s, x - s, y + s};
      pl_raster_polygon(r, square, 4);
      break;
    }
    case PL_MARKER_DIAMOND: {
      double s = h * 1.2 + margin * 1.4142135623730951;
      double diamond[8] = {x, y - s, x + s, y, x, y + s, x - s, y};
      pl_raster_polygon(r, diamond, 4);
      break;
    }
    case PL_MARKER_TRIANGLE:
    case PL_MARKER_TRIANGLE_DOWN: {
      double s = h * 1.3 + 2 * margin, up = shape == PL_MARKER_TRIANGLE ? 1 : -1;
      double triangle[6] = {
          x, y - up * s, x + 0.866 * s, y + up * s / 2, x - 0.866 * s, y + up * s / 2};
      pl_raster_polygon(r, triangle, 3);
      break;
    }
    case PL_MARKER_CROSS:
    case PL_MARKER_PLUS: {
      double s = h + margin, d = shape == PL_MARKER_CROSS ? s * 0.75 : 0;
      p[0] = x - (d > 0 ? d : s), p[1] = y - d, p[2] = x + (d > 0 ? d : s), p[3] = y + d;
      p[4] = x - d, p[5] = y + (d > 0 ? d : s), p[6] = x + d, p[7] = y - (d > 0 ? d : s);
      pl_raster_polyline(r, p, 2, &arms);
      pl_raster_polyline(r, p + 4, 2, &arms);
      break;
    }
    case PL_MARKER_COUNT: break;
  }
}

/* Adds the part of a sample line from xa to xb. coverage holds differences, summed along the row
** when it is done. */
static void cover(const pl_raster *r, double xa, double xb) {
  const pl_canvas *c = r->canvas;
  double limits[2] = {xa, xb};
  for (int side = 0; side < 2; side++) {
    double x = limits[side] - c->clip_x0, width = c->clip_x1 - c->clip_x0;
    if (x < 0) x = 0;
    if (x > width) x = width;
    int i = (int)x;
    float inside = (float)((i + 1 - x) / PL_SUBROWS), rest = (float)((x - i) / PL_SUBROWS);
    r->coverage[i] += side ? -inside : inside;
    r->coverage[i + 1] += side ? -rest : rest;
  }
}

static void sort_crossings(pl_crossing *a, int n) {
  for (int i = 1; i < n; i++) {
    pl_crossing moved = a[i];
    int j = i;
    for (; j > 0 && a[j - 1].x > moved.x; j--) a[j] = a[j - 1];
    a[j] = moved;
  }
}

void pl_raster_fill(pl_raster *r, pl_color color) {
  const pl_canvas *c = r->canvas;
  int width = c->clip_x1 - c->clip_x0, active = 0;
  for (int y = c->clip_y0; y < c->clip_y1; y++) {
    int32_t *head = &r->first_in_row[y - c->clip_y0];
    if (*head < 0 && active == 0) continue;
    for (int32_t line = y * PL_SUBROWS; line < (y + 1) * PL_SUBROWS; line++) {
      int kept = 0;
      for (int i = 0; i < active; i++) {
        if (r->active[i].last <= line) continue;
        r->active[kept] = r->active[i];
        r->active[kept++].x += r->active[i].dx;
      }
      active = kept;
      /* The row's edges wait in its list until their first line. */
      for (int32_t *link = head; *link >= 0;) {
        const pl_edge *e = &r->edges[*link];
        if (e->first == line) {
          pl_crossing in = {e->x, e->dx, e->last, e->winding};
          r->active[active++] = in;
          *link = e->next;
        } else {
          link = &r->edges[*link].next;
        }
      }
      sort_crossings(r->active, active);
      int32_t winding = 0;
      double start = 0;
      for (int i = 0; i < active; i++) {
        int32_t before = winding;
        winding += r->active[i].winding;
        if (before == 0 && winding != 0) start = r->active[i].x;
        if (before != 0 && winding == 0) cover(r, start, r->active[i].x);
      }
    }
    float sum = 0;
    for (int i = 0; i < width; i++) {
      sum += r->coverage[i];
      if (sum > 1e-4f) pl_canvas_blend(c, c->clip_x0 + i, y, color, sum < 1 ? sum : 1);
    }
    memset(r->coverage, 0, coverage_bytes(c));
  }
  memset(r->first_in_row, 0xff, sizeof(int32_t) * clip_rows(c));
  r->count = 0;
}
