/*
** text: lines of UTF-8 in DejaVu Sans, antialiased, kerned, at subpixel positions and any angle.
** Glyph outlines come from the font inside the module (font.c) through stb_truetype and are filled
** by raster.h. Nothing here allocates: the caller gives pl_text_bytes() of workspace.
** Malformed bytes show as U+FFFD, characters that the font lacks as its empty box.
** Up to 40 pixels, baseline, x-height and capitals are moved to whole pixels, which keeps small
** type sharp; widths are not changed by that.
*/
#ifndef PL_TEXT_H
#define PL_TEXT_H

#include "raster.h"

typedef struct pl_text {
  const char *bytes;
  size_t length;
  double size; /* pixels to the em, positive */
  bool bold;
} pl_text;

typedef struct pl_text_extent {
  double width;   /* advance of the whole line */
  double ascent;  /* from the baseline to the top of the tallest letters */
  double descent; /* from the baseline down to the bottom of g, p, y */
  double capital; /* height of the capitals and digits */
} pl_text_extent;

pl_text_extent pl_text_measure(const pl_text *text);

size_t pl_text_bytes(const pl_canvas *c);

/*
** Draws with the point (x, y) at the fraction align_x of the line's width (0 left, 1 right) and
** align_y of the height of its capitals (0 baseline, 1 top), turned round it counterclockwise.
*/
void pl_text_draw(const pl_canvas *c, const pl_text *text, double x, double y, double align_x,
                  double align_y, double degrees, pl_color color, void *workspace);

#endif
