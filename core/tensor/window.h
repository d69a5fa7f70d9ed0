/*
** What the passes of a convolution share: padded copies of pieces of images, memory for them, parts
** and the sum of what the parts made.
*/
#ifndef PL_WINDOW_H
#define PL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/pool.h"
#include "tensor/tensor.h"

/* Memory for as many threads as are at work, in a workspace: `bytes` of it each, as pl_add_room counts. */
typedef struct pl_slots {
  int64_t count;
  size_t bytes, at;
} pl_slots;

/* Those of so many tasks, at the end of a workspace of *bytes. They lie apart: a processor fetches the lines
** after those that it reads, and must not take them from the thread that writes there. */
bool pl_add_slots(size_t *bytes, pl_slots *slots, int64_t tasks);
/* The running thread's. */
char *pl_slot_of(const pl_slots *slots, char *workspace);

/* *bytes += count * size, up to a multiple of 64; false when memory cannot hold that. */
bool pl_add_room(size_t *bytes, int64_t count, size_t size);

/* out := rows × columns pixels of an image of that size from (y, x) on; outside there are zeros. */
void pl_copy_window(char *out, const char *image, const int64_t size[2], int64_t pixel_bytes,
                    int64_t y, int64_t x, int64_t rows, int64_t columns);

/* Part `index` of `total` cut into `parts` that differ by one at most: *first .. returned - 1. */
static inline int64_t pl_part(int64_t total, int64_t parts, int64_t index, int64_t *first) {
  *first = total * index / parts;
  return total * (index + 1) / parts;
}

/* out := (add ? out : 0) + the partial sums, n numbers each and `apart` from one to the next, in their
** order, on the pool */
typedef struct pl_join {
  pl_dtype dtype;
  int64_t n, parts, apart;
  const char *part;
  char *out;
  bool add;
} pl_join;
void pl_join_parts(pl_join job);

static inline int64_t pl_least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t pl_most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t pl_divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif
