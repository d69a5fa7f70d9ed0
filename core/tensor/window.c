/*
** Padded copies, slots and joined sums. See window.h for the contract.
*/
#include "tensor/window.h"

#include <string.h>

#include "kernels/kernels.h"

enum { JOIN_GRAIN = 16384, APART = 4096 };

bool pl_add_room(size_t *bytes, int64_t count, size_t size) {
  int64_t room;
  if (!pl_size_mul(count, (int64_t)size, &room) || room > (INT64_C(1) << 48)) return false;
  *bytes += ((size_t)room + 63) & ~(size_t)63;
  return true;
}

bool pl_add_slots(size_t *bytes, pl_slots *slots, int64_t tasks) {
  slots->count = pl_most(1, pl_least(tasks, pl_threads()));
  slots->bytes += APART;
  slots->at = *bytes + APART;
  *bytes = slots->at;
  return pl_add_room(bytes, slots->count, slots->bytes);
}

char *pl_slot_of(const pl_slots *slots, char *workspace) {
  return workspace + slots->at + (size_t)pl_slot(slots->count) * slots->bytes;
}

void pl_copy_window(char *out, const char *image, const int64_t size[2], int64_t pixel_bytes,
                    int64_t y, int64_t x, int64_t rows, int64_t columns) {
  const int64_t left = pl_least(pl_most(-x, 0), columns);
  const int64_t right = pl_most(pl_least(size[1] - x, columns), left);
  if (left == 0 && right == columns && columns == size[1]) { /* whole rows, side by side */
    const int64_t row_bytes = columns * pixel_bytes;
    const int64_t above = pl_least(pl_most(-y, 0), rows);
    const int64_t inside = pl_most(pl_least(size[0] - y, rows), above);
    memset(out, 0, (size_t)(above * row_bytes));
    if (inside > above)
      memcpy(out + above * row_bytes, image + (y + above) * row_bytes,
             (size_t)((inside - above) * row_bytes));
    memset(out + inside * row_bytes, 0, (size_t)((rows - inside) * row_bytes));
    return;
  }
  for (int64_t r = 0; r < rows; r++, out += columns * pixel_bytes) {
    if (y + r < 0 || y + r >= size[0] || right == left) {
      memset(out, 0, (size_t)(columns * pixel_bytes));
      continue;
    }
    const char *row = image + ((y + r) * size[1] + x) * pixel_bytes;
    memset(out, 0, (size_t)(left * pixel_bytes));
    memcpy(out + left * pixel_bytes, row + left * pixel_bytes,
           (size_t)((right - left) * pixel_bytes));
    memset(out + right * pixel_bytes, 0, (size_t)((columns - right) * pixel_bytes));
  }
}

static void join_task(void *context, int64_t chunk) {
  const pl_join *job = context;
  const int64_t size = (int64_t)pl_dtype_size(job->dtype), first = chunk * JOIN_GRAIN;
  pl_kernels_get()->conv2d[job->dtype].join(pl_least(JOIN_GRAIN, job->n - first), job->parts,
                                            job->apart, job->part + first * size,
                                            job->out + first * size, job->add);
}

void pl_join_parts(pl_join job) {
  pl_parallel_for(pl_divide_up(job.n, JOIN_GRAIN), join_task, &job);
}
