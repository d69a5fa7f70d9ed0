/*
** png: PNG in memory, written by stb_image_write and read by stb_image. No Lua, no files.
** Whatever stb allocates is freed when a call returns, on every path; only pl_png_encode's result
** outlives its call. Errors are constant strings.
** Reading treats the bytes as hostile: every chunk's length and checksum, the size of the image
** and the memory that decoding may take are checked before and while stb sees them.
*/
#ifndef PL_PNG_H
#define PL_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PNG_MAX_SIDE 16384
#define PL_PNG_MAX_PIXELS (64 << 20)

/*
** Rows top down, contiguous; channels 1 grey, 3 RGB or 4 RGBA; sides 1 .. PL_PNG_MAX_SIDE and at
** most PL_PNG_MAX_PIXELS pixels. *data is the caller's to free(). NULL, or what went wrong.
*/
const char *pl_png_encode(const uint8_t *pixels, int width, int height, int channels,
                          uint8_t **data, size_t *size);

/* Checks all that can be checked without decoding, and says how large the image is: channels 1, 3
** or 4 (grey with alpha counts as 4). NULL, or what is wrong with the bytes. */
const char *pl_png_info(const uint8_t *data, size_t size, int *width, int *height, int *channels);

/* Decodes into width * height * channels bytes, with what pl_png_info said of the same data. */
const char *pl_png_decode(const uint8_t *data, size_t size, int width, int height, int channels,
                          uint8_t *pixels);

#endif
