/* stroke: lines with width, joins, caps and dashes, as convex pieces in a raster. See raster.h. */
#include "raster.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* A miter longer than this many half-widths becomes a bevel. */
#define MITER_LIMIT 4.0

typedef struct {
  pl_raster *raster;
  const pl_stroke *style;
  double radius;
  bool down;       /* a run of segments has begun */
  double x, y;     /* where the pen is */
  double dx, dy;   /* unit direction of the last segment */
  bool open_start; /* the run's first point is an end to be capped */
  double sx, sy;   /* the run's first direction */
  double start_x, start_y;
  int dash;         /* index in the dash list */
  double dash_left; /* pixels until the next dash or gap */
} pen;

/* Fan round (x, y) from angle a0 through sweep radians. */
static void pie(const pen *p, double x, double y, double a0, double sweep) {
  double r = p->radius, step = r < 0.3 ? pi / 2 : 2 * acos(1 - 0.04 / (r > 0.04 ? r : 0.04));
  int steps = (int)ceil(fabs(sweep) / step);
  if (steps < 1) steps = 1;
  if (steps > 256) steps = 256;
  double corners[2 * 258] = {x, y};
  for (int i = 0; i <= steps; i++) {
    double a = a0 + sweep * i / steps;
    corners[2 * i + 2] = x + r * cos(a);
    corners[2 * i + 3] = y + r * sin(a);
  }
  pl_raster_polygon(p->raster, corners, (size_t)steps + 2);
}

/* End of a run at (x, y), facing (dx, dy). */
static void cap(const pen *p, double x, double y, double dx, double dy) {
  double r = p->radius;
  if (p->style->cap == PL_CAP_ROUND) pie(p, x, y, atan2(dy, dx) - pi / 2, pi);
  if (p->style->cap == PL_CAP_SQUARE) {
    double nx = -dy * r, ny = dx * r, ex = dx * r, ey = dy * r;
    double box[8] = {x + nx,      y + ny,      x + nx + ex, y + ny + ey,
                     x - nx + ex, y - ny + ey, x - nx,      y - ny};
    pl_raster_polygon(p->raster, box, 4);
  }
}

/* Fills the outer side of the bend at (x, y) from direction (ax, ay) to (bx, by). */
static void join(const pen *p, double x, double y, double ax, double ay, double bx, double by) {
  double r = p->radius, cross = ax * by - ay * bx, dot = ax * bx + ay * by;
  if (fabs(cross) < 1e-9 && dot > 0) return;
  double side = cross > 0 ? -1 : 1;
  if (p->style->join == PL_JOIN_ROUND) {
    pie(p, x, y, atan2(side * ax, -side * ay), atan2(cross, dot));
    return;
  }
  double nax = -ay * side * r, nay = ax * side * r, nbx = -by * side * r, nby = bx * side * r;
  double corners[8] = {x, y, x + nax, y + nay, x + nbx, y + nby};
  size_t n = 3;
  if (p->style->join == PL_JOIN_MITER && 2 / (1 + dot) <= MITER_LIMIT * MITER_LIMIT) {
    corners[6] = corners[4], corners[7] = corners[5];
    corners[4] = x + (nax + nbx) / (1 + dot);
    corners[5] = y + (nay + nby) / (1 + dot);
    n = 4;
  }
  pl_raster_polygon(p->raster, corners, n);
}

static void pen_up(pen *p) {
  if (!p->down) return;
  if (p->open_start) cap(p, p->start_x, p->start_y, -p->sx, -p->sy);
  cap(p, p->x, p->y, p->dx, p->dy);
  p->down = false;
}

/* A straight piece with ink from where the pen is. */
static void ink_to(pen *p, double x, double y, double dx, double dy) {
  double nx = -dy * p->radius, ny = dx * p->radius;
  double quad[8] = {p->x + nx, p->y + ny, x + nx, y + ny, x - nx, y - ny, p->x - nx, p->y - ny};
  if (p->down) {
    join(p, p->x, p->y, p->dx, p->dy, dx, dy);
  } else {
    p->down = true;
    p->open_start = !p->style->closed || p->style->dash_count > 0;
    p->start_x = p->x, p->start_y = p->y;
    p->sx = dx, p->sy = dy;
  }
  pl_raster_polygon(p->raster, quad, 4);
  p->x = x, p->y = y, p->dx = dx, p->dy = dy;
}

/* Moves along the dash list without drawing. */
static void skip_dashes(pen *p, double length) {
  double period = 0;
  if (p->style->dash_count == 0) return;
  for (int i = 0; i < p->style->dash_count; i++) period += p->style->dashes[i];
  length = fmod(length, period);
  while (length >= p->dash_left) {
    length -= p->dash_left;
    p->dash = (p->dash + 1) % p->style->dash_count;
    p->dash_left = p->style->dashes[p->dash];
  }
  p->dash_left -= length;
}

static void line_to(pen *p, double x, double y) {
  double dx = x - p->x, dy = y - p->y, length = hypot(dx, dy);
  if (length < 1e-9) return;
  dx /= length, dy /= length;
  if (p->style->dash_count == 0) {
    ink_to(p, x, y, dx, dy);
    return;
  }
  double from_x = p->x, from_y = p->y, done = 0;
  while (done < length) {
    bool last = length - done <= p->dash_left;
    double end = last ? length : done + p->dash_left;
    double ex = last ? x : from_x + dx * end, ey = last ? y : from_y + dy * end;
    if (p->dash % 2 == 0) {
      ink_to(p, ex, ey, dx, dy);
    } else {
      p->x = ex, p->y = ey;
    }
    if (last) {
      p->dash_left -= length - done;
      if (p->dash_left > 1e-9) return;
      done = length;
    } else {
      done = end;
    }
    if (p->dash % 2 == 0) pen_up(p);
    p->dash = (p->dash + 1) % p->style->dash_count;
    p->dash_left = p->style->dashes[p->dash];
  }
}

/* Cuts the segment to [low, high] on one axis; false when nothing is left. The cut end is set to the
** border itself, which the arithmetic of a huge segment would miss; halves keep differences finite. */
static bool cut(double from[2], double to[2], int axis, double low, double high) {
  double a = from[axis], b = to[axis], a_other = from[1 - axis], b_other = to[1 - axis];
  if ((a < low && b < low) || (a > high && b > high)) return false;
  for (int end = 0; end < 2; end++) {
    double *point = end ? to : from;
    double v = point[axis], border = v < low ? low : high;
    if (v >= low && v <= high) continue;
    double t = (border / 2 - a / 2) / (b / 2 - a / 2);
    point[axis] = border;
    point[1 - axis] = a_other * (1 - t) + b_other * t;
  }
  return true;
}

static double distance(const double a[2], const double b[2]) {
  double d = hypot(b[0] / 2 - a[0] / 2, b[1] / 2 - a[1] / 2) * 2;
  return isfinite(d) ? d : 0;
}

static bool same(const double a[2], const double b[2]) { return a[0] == b[0] && a[1] == b[1]; }

void pl_raster_polyline(pl_raster *r, const double *xy, size_t n, const pl_stroke *style) {
  const pl_canvas *c = r->canvas;
  pen p = {.raster = r, .style = style, .radius = style->width / 2};
  double margin = 8 + 4 * style->width;
  double low[2] = {c->clip_x0 - margin, c->clip_y0 - margin};
  double high[2] = {c->clip_x1 + margin, c->clip_y1 + margin};
  if (n == 0 || !(style->width > 0)) return;
  if (style->dash_count > 0) p.dash_left = style->dashes[0];
  bool whole = true; /* no segment was cut: a closed outline can be joined at its start */
  size_t segments = style->closed && n > 2 ? n : n - 1;
  for (size_t i = 0; i < segments; i++) {
    const double *a = xy + 2 * i, *b = xy + 2 * ((i + 1) % n);
    double from[2] = {a[0], a[1]}, to[2] = {b[0], b[1]};
    if (!cut(from, to, 0, low[0], high[0]) || !cut(from, to, 1, low[1], high[1])) {
      pen_up(&p);
      skip_dashes(&p, distance(a, b));
      whole = false;
      continue;
    }
    if (!same(a, from)) {
      pen_up(&p);
      skip_dashes(&p, distance(a, from));
      whole = false;
    }
    if (!p.down) p.x = from[0], p.y = from[1];
    line_to(&p, to[0], to[1]);
    if (!same(b, to)) {
      pen_up(&p);
      skip_dashes(&p, distance(to, b));
      whole = false;
    }
  }
  if (!p.down) return;
  if (style->closed && style->dash_count == 0 && whole) {
    join(&p, p.start_x, p.start_y, p.dx, p.dy, p.sx, p.sy);
    return;
  }
  p.open_start = true;
  pen_up(&p);
}
