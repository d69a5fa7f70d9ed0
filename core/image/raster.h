/*
** raster: shapes of straight edges, filled with antialiasing by the nonzero rule.
** Edges gather in memory that the caller gives; pl_raster_fill paints them as one shape (so that a
** translucent line does not darken where it crosses itself) and empties the raster. Each pixel row
** is cut into PL_SUBROWS sample lines with exact horizontal coverage on each. A raster without
** memory only counts its edges: draw twice, the first time to learn how many there are.
** Coordinates beyond +-PL_FAR pixels are held there.
*/
#ifndef PL_RASTER_H
#define PL_RASTER_H

#include <stdbool.h>

#include "canvas.h"

#define PL_SUBROWS 16
#define PL_FAR 1e6

typedef struct pl_edge pl_edge;
typedef struct pl_crossing pl_crossing;

typedef struct {
  const pl_canvas *canvas;
  pl_edge *edges;
  size_t capacity,
      count; /* count goes on when the memory is full or absent; such edges are not drawn */
  pl_crossing *active;
  int32_t *first_in_row;
  float *coverage;
} pl_raster;

/* Bytes for a raster of so many edges on a canvas. */
size_t pl_raster_bytes(const pl_canvas *c, size_t edges);

/* memory: pl_raster_bytes(c, edges) bytes aligned as malloc aligns, or NULL to count only. */
void pl_raster_init(pl_raster *r, const pl_canvas *c, void *memory, size_t edges);

void pl_raster_edge(pl_raster *r, double x0, double y0, double x1, double y1);

/* Closed polygon of n corners, its inside counted +1 whichever way round it is given. */
void pl_raster_polygon(pl_raster *r, const double *xy, size_t n);

void pl_raster_disc(pl_raster *r, double x, double y, double radius);

typedef enum { PL_JOIN_ROUND, PL_JOIN_MITER, PL_JOIN_BEVEL } pl_join;
typedef enum { PL_CAP_BUTT, PL_CAP_ROUND, PL_CAP_SQUARE } pl_cap;

typedef struct {
  double width;
  pl_join join;
  pl_cap cap;
  bool closed;
  const double *dashes; /* on, off, on, off ... in pixels, all positive; an even count */
  int dash_count;       /* 0: solid */
} pl_stroke;

/* A line of some width through n finite points. They may lie anywhere: each segment is cut to the
** neighbourhood of the clip. */
void pl_raster_polyline(pl_raster *r, const double *xy, size_t n, const pl_stroke *style);

typedef enum {
  PL_MARKER_CIRCLE,
  PL_MARKER_SQUARE,
  PL_MARKER_TRIANGLE,
  PL_MARKER_TRIANGLE_DOWN,
  PL_MARKER_DIAMOND,
  PL_MARKER_CROSS,
  PL_MARKER_PLUS,
  PL_MARKER_COUNT
} pl_marker;

/* A marker of the given diameter, grown on every side by `margin` (for halos). */
void pl_raster_marker(pl_raster *r, pl_marker shape, double x, double y, double size,
                      double margin);

void pl_raster_fill(pl_raster *r, pl_color color);

#endif
