/*
** perilune.core's pictures: PNG over image/png.h, drawing over image/{canvas,raster,text}.h.
**   png_write(path, image) -> true | nil, message       png_encode(image) -> string
**   png_decode(bytes) -> uint8 tensor {h, w, 1|3|4} | nil, message
**   canvas_rect(canvas, clip, x, y, w, h, color)
**   canvas_polygon(canvas, clip, points, color)
**   canvas_polyline(canvas, clip, points, color, width [, join [, cap [, dashes [, closed]]]])
**   canvas_markers(canvas, clip, points, shape, size, color [, margin])
**   canvas_picture(canvas, clip, image, x, y, w, h [, smooth])
**   canvas_text(canvas, clip, text, x, y, size, color [, bold [, align_x [, align_y [, angle]]]])
**   text_measure(text, size [, bold]) -> width, ascent, descent, height of capitals
**   stdout_columns() -> width of the terminal, or nil
** image: uint8 tensor {h, w} or {h, w, 1|3|4}. canvas: uint8 tensor {h, w, 3}, drawn into.
** clip: nil or {x0, y0, x1, y1}. color: 0xRRGGBBAA. points: a list x1, y1, x2, y2 ...
** Lengths are pixels, y down, angles degrees counterclockwise.
*/
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bind/bind.h"
#include "image/canvas.h"
#include "image/png.h"
#include "image/raster.h"
#include "image/text.h"
#include "runtime/file.h"

enum { MAX_POINTS = 1 << 24, MAX_DASHES = 8, MAX_TEXT = 1 << 16, STROKE_CHUNK = 1024 };

static int failed(lua_State *L, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* {==== Arguments ==== */

static double check_finite(lua_State *L, int arg, const char *fn, const char *name) {
  double v = pl_check_number(L, arg, fn, name);
  if (!isfinite(v)) pl_arg_error(L, arg, fn, name, "a finite number");
  return v;
}

static double check_within(lua_State *L, int arg, const char *fn, const char *name, double low,
                           double high) {
  double v = pl_check_number(L, arg, fn, name);
  if (!(v >= low && v <= high)) pl_arg_error(L, arg, fn, name, "a number from %f to %f", low, high);
  return v;
}

static double opt_finite(lua_State *L, int arg, const char *fn, const char *name) {
  return lua_isnoneornil(L, arg) ? 0 : check_finite(L, arg, fn, name);
}

static pl_color check_color(lua_State *L, int arg, const char *fn) {
  uint32_t v = (uint32_t)pl_check_integer(L, arg, fn, "color", 0, 0xffffffff);
  pl_color c = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
  return c;
}

/* One of the names, as its position. */
static int check_name(lua_State *L, int arg, const char *fn, const char *name, const char *expected,
                      const char *const names[]) {
  const char *given = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
  for (int i = 0; names[i]; i++)
    if (strcmp(given, names[i]) == 0) return i;
  pl_arg_error(L, arg, fn, name, "%s", expected);
}

/* Arguments 1 and 2: the canvas and its clip. */
static pl_canvas check_canvas(lua_State *L, const char *fn) {
  pl_tensor *t = pl_to_tensor(L, 1);
  if (t == NULL || t->dtype != PL_UINT8 || t->rank != 3 || t->shape[2] != 3)
    pl_arg_error(L, 1, fn, "canvas", "a uint8 tensor {height, width, 3}");
  if (t->shape[0] > PL_PNG_MAX_SIDE || t->shape[1] > PL_PNG_MAX_SIDE)
    pl_arg_error(L, 1, fn, "canvas", "sides of at most %d pixels", PL_PNG_MAX_SIDE);
  bool rows = t->shape[0] < 2 || t->stride[0] >= 3 * t->shape[1];
  if (t->numel > 0 && (!rows || t->stride[2] != 1 || (t->shape[1] > 1 && t->stride[1] != 3)))
    pl_arg_error(L, 1, fn, "canvas", "pixels that stand side by side in memory");
  pl_canvas c =
      pl_canvas_make(t->data, (int)t->shape[1], (int)t->shape[0], (ptrdiff_t)t->stride[0]);
  if (lua_isnil(L, 2)) return c;
  if (!lua_istable(L, 2) || lua_rawlen(L, 2) != 4)
    pl_arg_error(L, 2, fn, "clip", "nil or a list {x0, y0, x1, y1}");
  int clip[4];
  for (int i = 0; i < 4; i++) {
    lua_rawgeti(L, 2, i + 1);
    clip[i] = (int)pl_check_integer(L, -1, fn, "clip", INT_MIN, INT_MAX);
    lua_pop(L, 1);
  }
  pl_canvas_clip(&c, clip[0], clip[1], clip[2], clip[3]);
  return c;
}

/* A list of coordinates as doubles, in a workspace left on the stack. */
static double *check_points(lua_State *L, int arg, const char *fn, size_t *n) {
  if (!lua_istable(L, arg) || lua_rawlen(L, arg) % 2 != 0)
    pl_arg_error(L, arg, fn, "points", "a list x1, y1, x2, y2 ...");
  size_t count = lua_rawlen(L, arg);
  if (count > 2 * (size_t)MAX_POINTS)
    pl_arg_error(L, arg, fn, "points", "at most %d points", MAX_POINTS);
  double *xy = pl_push_workspace(L, fn, count * sizeof(double));
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    xy[i] = check_finite(L, -1, fn, "points");
    lua_pop(L, 1);
  }
  *n = count / 2;
  return xy;
}

/* The image at arg, contiguous and left on the stack; raises when it is none. */
static pl_picture check_image(lua_State *L, int arg, const char *fn) {
  pl_tensor *t = pl_to_tensor(L, arg);
  int64_t channels = t != NULL && t->rank == 3 ? t->shape[2] : 1;
  if (t == NULL || t->dtype != PL_UINT8 || t->rank < 2 || t->rank > 3 ||
      (channels != 1 && channels != 3 && channels != 4))
    pl_arg_error(L, arg, fn, "image", "a uint8 tensor {h, w} or {h, w, 1|3|4}");
  for (int i = 0; i < 2; i++)
    if (t->shape[i] < 1 || t->shape[i] > PL_PNG_MAX_SIDE)
      pl_arg_error(L, arg, fn, "image", "sides of 1 to %d pixels", PL_PNG_MAX_SIDE);
  if (t->shape[0] * t->shape[1] > PL_PNG_MAX_PIXELS)
    pl_arg_error(L, arg, fn, "image", "at most %d pixels", PL_PNG_MAX_PIXELS);
  t = pl_push_contiguous(L, fn, arg);
  pl_picture p = {t->data, (int)t->shape[1], (int)t->shape[0], (int)channels};
  return p;
}

static pl_text check_text(lua_State *L, int text, int size, int bold, const char *fn) {
  pl_text t = {.size = 0};
  if (lua_type(L, text) != LUA_TSTRING) pl_arg_error(L, text, fn, "text", "a string");
  t.bytes = lua_tolstring(L, text, &t.length);
  if (t.length > MAX_TEXT) pl_arg_error(L, text, fn, "text", "at most %d bytes", MAX_TEXT);
  t.size = check_within(L, size, fn, "size", 1, 2000);
  t.bold = pl_opt_boolean(L, bold, fn, "bold", false);
  return t;
}

/* }==== Drawing ==== {*/

static int bind_rect(lua_State *L) {
  const char *fn = "canvas_rect";
  pl_canvas c = check_canvas(L, fn);
  double x = check_finite(L, 3, fn, "x"), y = check_finite(L, 4, fn, "y");
  double w = check_finite(L, 5, fn, "w"), h = check_finite(L, 6, fn, "h");
  pl_canvas_rect(&c, x, y, w, h, check_color(L, 7, fn));
  return 0;
}

static pl_raster push_raster(lua_State *L, const char *fn, const pl_canvas *c, size_t edges) {
  pl_raster r;
  if (edges > INT32_MAX) pl_raise(L, "%s: the shape has too many edges", fn);
  pl_raster_init(&r, c, pl_push_workspace(L, fn, pl_raster_bytes(c, edges)), edges);
  return r;
}

static int bind_polygon(lua_State *L) {
  const char *fn = "canvas_polygon";
  pl_canvas c = check_canvas(L, fn);
  pl_color color = check_color(L, 4, fn);
  size_t n;
  const double *xy = check_points(L, 3, fn, &n);
  pl_raster r = push_raster(L, fn, &c, n);
  pl_raster_polygon(&r, xy, n);
  pl_raster_fill(&r, color);
  return 0;
}

static int check_dashes(lua_State *L, int arg, const char *fn, double dashes[MAX_DASHES]) {
  if (lua_isnoneornil(L, arg)) return 0;
  size_t n = lua_istable(L, arg) ? lua_rawlen(L, arg) : 1;
  if (n % 2 != 0 || n > MAX_DASHES)
    pl_arg_error(L, arg, fn, "dashes", "an even list of at most %d lengths", MAX_DASHES);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    dashes[i] = check_within(L, -1, fn, "dashes", 0.25, 1e4);
    lua_pop(L, 1);
  }
  return (int)n;
}

static int bind_polyline(lua_State *L) {
  static const char *const joins[] = {"round", "miter", "bevel", NULL};
  static const char *const caps[] = {"butt", "round", "square", NULL};
  const char *fn = "canvas_polyline";
  double dashes[MAX_DASHES];
  pl_canvas c = check_canvas(L, fn);
  pl_color color = check_color(L, 4, fn);
  pl_stroke style = {.width = check_within(L, 5, fn, "width", 0, 1e4), .dashes = dashes};
  if (!lua_isnoneornil(L, 6))
    style.join = (pl_join)check_name(L, 6, fn, "join", "\"round\", \"miter\" or \"bevel\"", joins);
  if (!lua_isnoneornil(L, 7))
    style.cap = (pl_cap)check_name(L, 7, fn, "cap", "\"butt\", \"round\" or \"square\"", caps);
  style.dash_count = check_dashes(L, 8, fn, dashes);
  style.closed = pl_opt_boolean(L, 9, fn, "closed", false);

  size_t n;
  const double *xy = check_points(L, 3, fn, &n);
  /* Sorting edges takes time that grows faster than their number, so a long solid line is painted
  ** in stretches. Each begins with the last segment of the one before, and so has its joins. */
  bool whole = style.closed || style.dash_count > 0 || n <= STROKE_CHUNK;
  size_t step = whole ? n : STROKE_CHUNK, edges = 0;
  pl_raster r;
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 0) pl_raster_init(&r, &c, NULL, 0);
    if (pass == 1) r = push_raster(L, fn, &c, edges);
    for (size_t from = 0; from < n; from += step) {
      size_t start = from > 1 ? from - 2 : 0, left = n - start, length = from + step - start;
      r.count = 0;
      pl_raster_polyline(&r, xy + 2 * start, left < length ? left : length, &style);
      if (r.count > edges) edges = r.count;
      if (pass == 1) pl_raster_fill(&r, color);
    }
  }
  return 0;
}

static int bind_markers(lua_State *L) {
  static const char *const shapes[] = {"o", "s", "^", "v", "D", "x", "+", NULL};
  const char *fn = "canvas_markers";
  pl_canvas c = check_canvas(L, fn);
  pl_marker shape = (pl_marker)check_name(
      L, 4, fn, "shape", "\"o\", \"s\", \"^\", \"v\", \"D\", \"x\" or \"+\"", shapes);
  double size = check_within(L, 5, fn, "size", 0, 1e4);
  pl_color color = check_color(L, 6, fn);
  double margin = lua_isnoneornil(L, 7) ? 0 : check_within(L, 7, fn, "margin", 0, 1e4);
  size_t n;
  const double *xy = check_points(L, 3, fn, &n);
  pl_raster r;
  pl_canvas roomy = pl_canvas_make(NULL, 4 * PL_PNG_MAX_SIDE, 4 * PL_PNG_MAX_SIDE, 0);
  pl_raster_init(&r, &roomy, NULL, 0);
  pl_raster_marker(&r, shape, 2 * PL_PNG_MAX_SIDE, 2 * PL_PNG_MAX_SIDE, size, margin);
  size_t edges = r.count + 8; /* a vertical edge may fall between sample lines in one place */
  void *memory = pl_push_workspace(L, fn, pl_raster_bytes(&c, edges));
  double reach = 2 * (size + margin) + 2;
  for (size_t i = 0; i < n; i++) {
    double x = xy[2 * i], y = xy[2 * i + 1];
    if (x + reach < c.clip_x0 || x - reach > c.clip_x1) continue;
    if (y + reach < c.clip_y0 || y - reach > c.clip_y1) continue;
    pl_canvas near = c;
    pl_canvas_clip(&near, (int)floor(x - reach), (int)floor(y - reach), (int)ceil(x + reach),
                   (int)ceil(y + reach));
    pl_raster_init(&r, &near, memory, edges);
    pl_raster_marker(&r, shape, x, y, size, margin);
    pl_raster_fill(&r, color);
  }
  return 0;
}

static int bind_picture(lua_State *L) {
  const char *fn = "canvas_picture";
  pl_canvas c = check_canvas(L, fn);
  double x = check_finite(L, 4, fn, "x"), y = check_finite(L, 5, fn, "y");
  double w = check_finite(L, 6, fn, "w"), h = check_finite(L, 7, fn, "h");
  bool smooth = pl_opt_boolean(L, 8, fn, "smooth", false);
  pl_picture picture = check_image(L, 3, fn);
  pl_canvas_picture(&c, &picture, x, y, w, h, smooth);
  return 0;
}

static int bind_text(lua_State *L) {
  const char *fn = "canvas_text";
  pl_canvas c = check_canvas(L, fn);
  double x = check_finite(L, 4, fn, "x"), y = check_finite(L, 5, fn, "y");
  pl_color color = check_color(L, 7, fn);
  pl_text text = check_text(L, 3, 6, 8, fn);
  double align_x = opt_finite(L, 9, fn, "align_x"), align_y = opt_finite(L, 10, fn, "align_y");
  double angle = opt_finite(L, 11, fn, "angle");
  void *workspace = pl_push_workspace(L, fn, pl_text_bytes(&c));
  pl_text_draw(&c, &text, x, y, align_x, align_y, angle, color, workspace);
  return 0;
}

static int bind_measure(lua_State *L) {
  pl_text text = check_text(L, 1, 2, 3, "text_measure");
  pl_text_extent e = pl_text_measure(&text);
  lua_pushnumber(L, e.width);
  lua_pushnumber(L, e.ascent);
  lua_pushnumber(L, e.descent);
  lua_pushnumber(L, e.capital);
  return 4;
}

/* }==== PNG ==== {*/

/* (piece) -> string, called protected, so that the bytes can be freed when Lua has no memory. */
static int push_piece(lua_State *L) {
  const pl_piece *piece = lua_touserdata(L, 1);
  lua_pushlstring(L, piece->data, piece->size);
  return 1;
}

static int bind_png_encode(lua_State *L) {
  pl_picture p = check_image(L, 1, "png_encode");
  uint8_t *data = NULL;
  pl_piece piece = {NULL, 0};
  lua_pushcfunction(L, push_piece);
  lua_pushlightuserdata(L, &piece);
  const char *wrong = pl_png_encode(p.pixels, p.width, p.height, p.channels, &data, &piece.size);
  if (wrong) pl_raise(L, "png_encode: %s", wrong);
  piece.data = data;
  int status = lua_pcall(L, 1, 1, 0);
  free(data);
  return status == LUA_OK ? 1 : lua_error(L);
}

static int bind_png_write(lua_State *L) {
  char message[4096 + 512];
  size_t length = 0, size = 0;
  const char *path = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &length) : NULL;
  if (path == NULL || length == 0 || strlen(path) != length)
    pl_arg_error(L, 1, "png_write", "path", "a path (a string without zero bytes)");
  pl_picture p = check_image(L, 2, "png_write");
  uint8_t *data = NULL;
  const char *wrong = pl_png_encode(p.pixels, p.width, p.height, p.channels, &data, &size);
  if (wrong) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, wrong);
    return 2;
  }
  pl_piece piece = {data, size};
  bool written = pl_write_file_atomic(path, &piece, 1, message, sizeof message);
  free(data);
  if (!written) return failed(L, message);
  lua_pushboolean(L, true);
  return 1;
}

static int bind_png_decode(lua_State *L) {
  size_t size = 0;
  int width = 0, height = 0, channels = 0;
  if (lua_type(L, 1) != LUA_TSTRING)
    pl_arg_error(L, 1, "png_decode", "bytes", "a string with the content of a PNG file");
  const uint8_t *data = (const uint8_t *)lua_tolstring(L, 1, &size);
  const char *wrong = pl_png_info(data, size, &width, &height, &channels);
  if (wrong) return failed(L, wrong);
  int64_t shape[3] = {height, width, channels};
  pl_tensor *t = pl_push_tensor(L, "png_decode", PL_UINT8, 3, shape);
  wrong = pl_png_decode(data, size, width, height, channels, t->data);
  return wrong ? failed(L, wrong) : 1;
}

/* }==== */

/* stdout_columns() -> the width of the terminal that standard output is, or nil when it is none */
static int bind_stdout_columns(lua_State *L) {
  struct winsize size;
  if (!isatty(STDOUT_FILENO)) {
    lua_pushnil(L);
    return 1;
  }
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

void pl_bind_image(lua_State *L) {
  static const luaL_Reg functions[] = {{"png_encode", bind_png_encode},
                                       {"png_write", bind_png_write},
                                       {"png_decode", bind_png_decode},
                                       {"canvas_rect", bind_rect},
                                       {"canvas_polygon", bind_polygon},
                                       {"canvas_polyline", bind_polyline},
                                       {"canvas_markers", bind_markers},
                                       {"canvas_picture", bind_picture},
                                       {"canvas_text", bind_text},
                                       {"text_measure", bind_measure},
                                       {"stdout_columns", bind_stdout_columns},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
