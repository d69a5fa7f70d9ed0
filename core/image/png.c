/* png: stb's PNG code behind an allocator that cannot leak. Contract in png.h. */
#include "png.h"

#include <limits.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* Every block that stb takes during one call, so that all of them go when it ends. */
typedef struct block {
  struct block *next, *previous;
  size_t size;
  size_t unused; /* keeps what follows aligned to 16 bytes */
} block;

typedef struct heap {
  block ring; /* sentinel */
  size_t left;
  jmp_buf *failed; /* where to go when memory runs out, or NULL: answer NULL as malloc does */
} heap;

static _Thread_local heap *current;

static void heap_open(heap *h, size_t budget, jmp_buf *failed) {
  h->ring.next = h->ring.previous = &h->ring;
  h->left = budget;
  h->failed = failed;
  current = h;
}

static void unlink_block(block *b) {
  b->previous->next = b->next;
  b->next->previous = b->previous;
  current->left += b->size;
}

static void link_block(block *b, size_t size) {
  b->size = size;
  b->next = current->ring.next;
  b->previous = &current->ring;
  b->next->previous = b->previous->next = b;
  current->left -= size;
}

static void heap_free(void *p) {
  if (!p) return;
  block *b = (block *)p - 1;
  unlink_block(b);
  free(b);
}

static void heap_close(void) {
  while (current->ring.next != &current->ring) heap_free(current->ring.next + 1);
  current = NULL;
}

static void *heap_realloc(void *p, size_t size) {
  block *old = p ? (block *)p - 1 : NULL, *b = NULL;
  size_t had = old ? old->size : 0;
  if (size <= current->left + had) {
    if (old) unlink_block(old);
    b = realloc(old, sizeof(block) + size);
    if (b)
      link_block(b, size);
    else if (old)
      link_block(old, had);
  }
  if (b) return b + 1;
  if (current->failed) longjmp(*current->failed, 1);
  return NULL;
}

#define STBIW_MALLOC(size) heap_realloc(NULL, size)
#define STBIW_REALLOC(p, size) heap_realloc(p, size)
#define STBIW_FREE(p) heap_free(p)
#define STBIW_ASSERT(condition) ((void)0)
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION

#define STBI_MALLOC(size) heap_realloc(NULL, size)
#define STBI_REALLOC(p, size) heap_realloc(p, size)
#define STBI_FREE(p) heap_free(p)
#define STBI_ASSERT(condition) ((void)0)
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS PL_PNG_MAX_SIDE
#define STB_IMAGE_IMPLEMENTATION

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
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

static const char *check_size(int64_t width, int64_t height) {
  if (width < 1 || height < 1) return "the image has no pixels";
  if (width > PL_PNG_MAX_SIDE || height > PL_PNG_MAX_SIDE)
    return "the image is larger than 16384 pixels on a side";
  if (width * height > PL_PNG_MAX_PIXELS) return "the image has more than 64 Mi pixels";
  return NULL;
}

/* Runs stb's encoder; its own function so that no local of it lives across the jump. */
static unsigned char *encode_or_null(heap *h, const uint8_t *pixels, int width, int height,
                                     int channels, int *length) {
  jmp_buf failed;
  heap_open(h, SIZE_MAX / 2, &failed);
  if (setjmp(failed)) return NULL;
  return stbi_write_png_to_mem(pixels, width * channels, width, height, channels, length);
}

const char *pl_png_encode(const uint8_t *pixels, int width, int height, int channels,
                          uint8_t **data, size_t *size) {
  heap h;
  int length = 0;
  const char *wrong = check_size(width, height);
  if (wrong) return wrong;
  unsigned char *png = encode_or_null(&h, pixels, width, height, channels, &length);
  *data = png ? malloc((size_t)length) : NULL;
  if (*data) {
    memcpy(*data, png, (size_t)length);
    *size = (size_t)length;
  }
  heap_close();
  return *data ? NULL : "out of memory";
}

static uint32_t big_endian(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t crc32_of(const uint8_t *p, size_t n) {
  static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                      0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < n; i++) {
    crc ^= p[i];
    crc = nibble[crc & 15] ^ crc >> 4;
    crc = nibble[crc & 15] ^ crc >> 4;
  }
  return ~crc;
}

/* stb_image reads no checksums: walk the chunks up to IEND and check each. */
static const char *check_chunks(const uint8_t *data, size_t size) {
  static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  if (size < 8 || memcmp(data, signature, 8) != 0) return "not a PNG image";
  for (size_t at = 8;;) {
    if (size - at < 12) return "the PNG data is cut short";
    const uint8_t *chunk = data + at;
    size_t length = big_endian(chunk);
    if (length > size - at - 12) return "the PNG data is cut short";
    if (big_endian(chunk + 8 + length) != crc32_of(chunk + 4, length + 4))
      return "the PNG data is damaged: a checksum does not match";
    if (at == 8 && (memcmp(chunk + 4, "IHDR", 4) != 0 || length != 13))
      return "the PNG data is damaged: no header";
    /* stb_image would copy nothing to a null pointer. */
    if (length == 0 && memcmp(chunk + 4, "IDAT", 4) == 0)
      return "the PNG data is damaged: an empty chunk of pixels";
    if (memcmp(chunk + 4, "IEND", 4) == 0) return NULL;
    at += 12 + length;
  }
}

const char *pl_png_info(const uint8_t *data, size_t size, int *width, int *height, int *channels) {
  heap h;
  int in_file = 0;
  if (size > INT_MAX) return "the PNG data is larger than 2 GiB";
  const char *wrong = check_chunks(data, size);
  if (!wrong) wrong = check_size(big_endian(data + 16), big_endian(data + 20));
  if (wrong) return wrong;
  heap_open(&h, 1 << 20, NULL);
  int known = stbi_info_from_memory(data, (int)size, width, height, &in_file);
  heap_close();
  if (!known) return "the PNG data is damaged: its header makes no sense";
  *channels = in_file == 2 ? 4 : in_file;
  return NULL;
}

const char *pl_png_decode(const uint8_t *data, size_t size, int width, int height, int channels,
                          uint8_t *pixels) {
  heap h;
  int w = 0, hh = 0, in_file = 0;
  size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
  /* The compressed data, its bytes unpacked (16 bits a channel, doubling as it grows), the image
  ** at 16 and at 8 bits, with 4 channels: no honest image needs more. */
  heap_open(&h, size + (size_t)width * (size_t)height * 48 + (4 << 20), NULL);
  stbi_uc *image = stbi_load_from_memory(data, (int)size, &w, &hh, &in_file, channels);
  bool good = image && w == width && hh == height;
  if (good) memcpy(pixels, image, bytes);
  heap_close();
  return good ? NULL : "the PNG data is damaged: its pixels cannot be unpacked";
}
