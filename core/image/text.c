/* text: glyph outlines to filled shapes. Contract in text.h. */
#include "text.h"

#include <math.h>
#include <string.h>

/* Where stb_truetype makes its outlines: a part of the workspace, emptied for every glyph. */
typedef struct arena {
  char *memory;
  size_t size, used;
} arena;

static void *arena_take(arena *a, size_t bytes) {
  bytes = (bytes + 15) & ~(size_t)15;
  if (!a || bytes > a->size - a->used) return NULL;
  a->used += bytes;
  return a->memory + a->used - bytes;
}

#define STBTT_malloc(size, arena) arena_take(arena, size)
#define STBTT_free(pointer, arena) ((void)(pointer), (void)(arena))
#define STBTT_assert(condition) ((void)0)
#define STBTT_STATIC
#define STB_TRUETYPE_IMPLEMENTATION
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Weverything"
#else
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_truetype.h>
#pragma GCC diagnostic pop

/* Hidden symbols of font.c. */
extern const unsigned char pl_font_regular[], pl_font_bold[];

/* Enough for every glyph of both fonts (tests draw them all at a large size). */
#define GLYPH_EDGES 4096
#define ARENA_BYTES (32 * 1024)

/* DejaVu's heights in font units; round letters overshoot them by up to OVERSHOOT. */
#define EM 2048.0
#define DESCENDER (-426.0)
#define X_HEIGHT 1120.0
#define CAPITAL 1493.0
#define ASCENDER 1556.0
#define OVERSHOOT 29.0
#define SHARPEN_UP_TO 40.0

/* The height that a height in font units is drawn at: straight lines between these knots. */
#define KNOTS 8
typedef struct heights {
  double scale; /* pixels per font unit */
  double from[KNOTS], to[KNOTS];
  int count; /* 0: plain scaling */
} heights;

static heights heights_for(double size) {
  heights h = {.scale = size / EM};
  if (size > SHARPEN_UP_TO) return h;
  double x_height = round(X_HEIGHT * h.scale), capital = round(CAPITAL * h.scale);
  double from[KNOTS] = {DESCENDER, -OVERSHOOT,          0,       X_HEIGHT, X_HEIGHT + OVERSHOOT,
                        CAPITAL,   CAPITAL + OVERSHOOT, ASCENDER};
  double to[KNOTS] = {round(DESCENDER * h.scale), 0, 0, x_height, x_height, capital, capital,
                      round(ASCENDER * h.scale)};
  memcpy(h.from, from, sizeof from);
  memcpy(h.to, to, sizeof to);
  h.count = KNOTS;
  return h;
}

static double height_at(const heights *h, double y) {
  int n = h->count;
  if (n == 0) return y * h->scale;
  if (y <= h->from[0]) return h->to[0] + (y - h->from[0]) * h->scale;
  for (int i = 1; i < n; i++)
    if (y <= h->from[i])
      return h->to[i - 1] +
             (h->to[i] - h->to[i - 1]) * (y - h->from[i - 1]) / (h->from[i] - h->from[i - 1]);
  return h->to[n - 1] + (y - h->from[n - 1]) * h->scale;
}

/* The next character of UTF-8; malformed bytes give U+FFFD one at a time. */
static int next_codepoint(const char **at, const char *end) {
  const unsigned char *s = (const unsigned char *)*at;
  size_t left = (size_t)(end - *at);
  int lead = s[0], more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  static const int smallest[4] = {0, 0x80, 0x800, 0x10000};
  int code = more == 0 ? lead : lead & (0x3f >> more);
  bool valid = lead < 0x80 || (lead >= 0xc2 && lead < 0xf5);
  valid = valid && left > (size_t)more;
  for (int i = 1; valid && i <= more; i++) {
    valid = (s[i] & 0xc0) == 0x80;
    code = code << 6 | (s[i] & 0x3f);
  }
  valid = valid && code >= smallest[more] && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
  *at += valid ? more + 1 : 1;
  return valid ? code : 0xfffd;
}

static void open_font(stbtt_fontinfo *font, bool bold, arena *a) {
  memset(font, 0, sizeof *font);
  stbtt_InitFont(font, bold ? pl_font_bold : pl_font_regular, 0);
  font->userdata = a;
}

/* Steps along the line: calls for each glyph with its pen position in font units. */
typedef struct walker {
  const stbtt_fontinfo *font;
  const char *at, *end;
  int previous; /* glyph, or -1 */
  int advance;  /* of the previous glyph */
  double pen;
} walker;

static bool next_glyph(walker *w, int *glyph) {
  if (w->at >= w->end) {
    w->pen += w->advance;
    w->advance = 0;
    return false;
  }
  int bearing;
  *glyph = stbtt_FindGlyphIndex(w->font, next_codepoint(&w->at, w->end));
  w->pen += w->advance;
  if (w->previous >= 0) w->pen += stbtt_GetGlyphKernAdvance(w->font, w->previous, *glyph);
  w->previous = *glyph;
  stbtt_GetGlyphHMetrics(w->font, *glyph, &w->advance, &bearing);
  return true;
}

pl_text_extent pl_text_measure(const pl_text *text) {
  stbtt_fontinfo font;
  open_font(&font, text->bold, NULL);
  walker w = {&font, text->bytes, text->bytes + text->length, -1, 0, 0};
  int glyph;
  while (next_glyph(&w, &glyph)) continue;
  heights h = heights_for(text->size);
  pl_text_extent e = {w.pen * h.scale, height_at(&h, ASCENDER), -height_at(&h, DESCENDER),
                      height_at(&h, CAPITAL)};
  return e;
}

size_t pl_text_bytes(const pl_canvas *c) { return ARENA_BYTES + pl_raster_bytes(c, GLYPH_EDGES); }

/* Where outlines land: along the line by `right`, up from it by `up`. */
typedef struct placement {
  pl_raster *raster;
  const heights *height;
  double x, y, right_x, right_y, up_x, up_y;
  double pen;   /* font units */
  double shift; /* added to heights, pixels */
} placement;

static void place(const placement *p, double x, double y, double out[2]) {
  double u = (p->pen + x) * p->height->scale;
  double v = height_at(p->height, y) + p->shift;
  out[0] = p->x + u * p->right_x + v * p->up_x;
  out[1] = p->y + u * p->right_y + v * p->up_y;
}

static void add_curve(const placement *p, const double a[2], const double b[2], const double c[2]) {
  double bend = hypot(a[0] - 2 * b[0] + c[0], a[1] - 2 * b[1] + c[1]) / 4;
  int steps = (int)ceil(sqrt(bend / 0.04));
  if (steps < 1) steps = 1;
  if (steps > 12) steps = 12;
  double x0 = a[0], y0 = a[1];
  for (int i = 1; i <= steps; i++) {
    double t = (double)i / steps, s = 1 - t;
    double x1 = i == steps ? c[0] : s * s * a[0] + 2 * s * t * b[0] + t * t * c[0];
    double y1 = i == steps ? c[1] : s * s * a[1] + 2 * s * t * b[1] + t * t * c[1];
    pl_raster_edge(p->raster, x0, y0, x1, y1);
    x0 = x1, y0 = y1;
  }
}

static void add_glyph(placement *p, const stbtt_fontinfo *font, int glyph, heights *plain) {
  stbtt_vertex *v = NULL;
  const heights *sharpened = p->height;
  int n = stbtt_GetGlyphShape(font, glyph, &v), x0, y0, x1, y1;
  if (n <= 0 || !stbtt_GetGlyphBox(font, glyph, &x0, &y0, &x1, &y1)) return;
  /* A lone bar (minus, dash) has none of the heights above: put its foot on a whole pixel. */
  if (sharpened->count > 0 && y1 - y0 < 300 && y0 > 100 && y1 < X_HEIGHT) {
    p->shift = round(y0 * plain->scale) - y0 * plain->scale;
    p->height = plain;
  }
  double start[2] = {0, 0}, from[2] = {0, 0}, to[2], control[2];
  for (int i = 0; i < n; i++) {
    place(p, v[i].x, v[i].y, to);
    if (v[i].type == STBTT_vmove) {
      pl_raster_edge(p->raster, from[0], from[1], start[0], start[1]);
      memcpy(start, to, sizeof start);
    } else if (v[i].type == STBTT_vline) {
      pl_raster_edge(p->raster, from[0], from[1], to[0], to[1]);
    } else {
      place(p, v[i].cx, v[i].cy, control);
      add_curve(p, from, control, to);
    }
    memcpy(from, to, sizeof from);
  }
  pl_raster_edge(p->raster, from[0], from[1], start[0], start[1]);
  p->height = sharpened;
  p->shift = 0;
}

void pl_text_draw(const pl_canvas *c, const pl_text *text, double x, double y, double align_x,
                  double align_y, double degrees, pl_color color, void *workspace) {
  arena a = {workspace, ARENA_BYTES, 0};
  stbtt_fontinfo font;
  pl_raster raster;
  open_font(&font, text->bold, &a);
  pl_raster_init(&raster, c, (char *)workspace + ARENA_BYTES, GLYPH_EDGES);

  double turn = fmod(degrees, 360) * (3.14159265358979323846 / 180);
  double right_x = cos(turn), right_y = -sin(turn);
  bool upright = fabs(right_y) < 1e-9, sideways = fabs(right_x) < 1e-9;
  heights plain = {.scale = text->size / EM};
  heights h = upright || sideways ? heights_for(text->size) : plain;
  pl_text_extent extent = pl_text_measure(text);
  double back = align_x * extent.width, down = align_y * extent.capital;
  placement p = {&raster, &h, 0, 0, right_x, right_y, right_y, -right_x, 0, 0};
  p.x = x - back * right_x - down * p.up_x;
  p.y = y - back * right_y - down * p.up_y;
  if (upright) p.y = round(p.y);
  if (sideways) p.x = round(p.x);

  walker w = {&font, text->bytes, text->bytes + text->length, -1, 0, 0};
  int glyph;
  while (next_glyph(&w, &glyph)) {
    a.used = 0;
    p.pen = w.pen;
    add_glyph(&p, &font, glyph, &plain);
    pl_raster_fill(&raster, color);
  }
}
