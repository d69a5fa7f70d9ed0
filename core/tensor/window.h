/*
** What the passes of a convolution share: padded copies of pieces of images, and memory for them.
*/
#ifndef PL_WINDOW_H
#define PL_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/pool.h"

/* Memory for as many tasks as run at a time; which task gets which slot changes no bit. */
typedef struct pl_slots {
  int64_t count; /* at most PL_MAX_THREADS */
  atomic_flag taken[PL_MAX_THREADS];
} pl_slots;

void pl_slots_open(pl_slots *slots, int64_t count);
int64_t pl_slots_take(pl_slots *slots);
void pl_slots_give(pl_slots *slots, int64_t slot);

/* *bytes += count * size, up to a multiple of 64; false when memory cannot hold that. */
bool pl_add_room(size_t *bytes, int64_t count, size_t size);

/* out := rows × columns pixels of an image of that size from (y, x) on; outside there are zeros. */
void pl_copy_window(char *out, const char *image, const int64_t size[2], int64_t pixel_bytes,
                    int64_t y, int64_t x, int64_t rows, int64_t columns);

static inline int64_t pl_least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t pl_most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t pl_divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif
