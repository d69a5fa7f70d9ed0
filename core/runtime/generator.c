/* Draws that are built alike on both generators; see generator.h. */
#include "runtime/no_contract.h"

#include "runtime/generator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/pool.h"

enum { CHUNK = 1 << 15 }; /* elements a task takes: fixed, so that only the order can vary */

/* ==== One draw ==== */

/* The number of the first of n new elements. */
static uint64_t advance(pl_philox *g, int64_t n) {
  uint64_t first = g->position;
  g->position = (first + (uint64_t)n) & (uint64_t)(PL_PHILOX_ELEMENTS - 1);
  return first;
}

double pl_generator_uniform(pl_generator *g) {
  double draw;
  if (g->kind == PL_MT19937) return pl_mt19937_uniform(&g->as.mt19937);
  pl_philox_uniform64(&g->as.philox, advance(&g->as.philox, 1), 1, &draw);
  return draw;
}

uint64_t pl_generator_integer(pl_generator *g, uint64_t max) {
  if (g->kind == PL_MT19937) return pl_mt19937_integer(&g->as.mt19937, max);
  uint64_t index = advance(&g->as.philox, 1);
  if (max > UINT32_MAX) return pl_philox_integer64(&g->as.philox, index, max);
  uint32_t draw;
  pl_philox_integer32(&g->as.philox, index, 1, (uint32_t)max, &draw);
  return draw;
}

/* ==== Many draws ==== */

typedef struct fill {
  const pl_philox *g;
  uint64_t first;
  int64_t n;
  bool normal;
  double offset, scale;
  uint32_t max;
  float *f32; /* one of the three is set */
  double *f64;
  int32_t *i32;
} fill;

static void fill_chunk(void *context, int64_t chunk) {
  const fill *job = context;
  int64_t start = chunk * CHUNK, left = job->n - start;
  int64_t n = left < CHUNK ? left : CHUNK;
  uint64_t first = job->first + (uint64_t)start;
  bool plain = job->offset == 0 && job->scale == 1;
  if (job->f32 != NULL) {
    float *out = job->f32 + start;
    (job->normal ? pl_philox_normal32 : pl_philox_uniform32)(job->g, first, n, out);
    for (int64_t i = 0; i < n && !plain; i++) out[i] = (float)(job->offset + job->scale * out[i]);
  } else if (job->f64 != NULL) {
    double *out = job->f64 + start;
    (job->normal ? pl_philox_normal64 : pl_philox_uniform64)(job->g, first, n, out);
    for (int64_t i = 0; i < n && !plain; i++) out[i] = job->offset + job->scale * out[i];
  } else {
    uint32_t draws[256];
    int32_t *out = job->i32 + start;
    for (int64_t done = 0; done < n;) {
      int64_t some = n - done < 256 ? n - done : 256;
      pl_philox_integer32(job->g, first + (uint64_t)done, some, job->max, draws);
      for (int64_t i = 0; i < some; i++)
        out[done + i] = (int32_t)((int64_t)job->offset + (int64_t)draws[i]);
      done += some;
    }
  }
}

static void run_fill(pl_philox *g, fill *job) {
  job->g = g;
  job->first = advance(g, job->n);
  pl_parallel_for((job->n + CHUNK - 1) / CHUNK, fill_chunk, job);
}

void pl_generator_fill32(pl_generator *g, bool normal, double offset, double scale, int64_t n,
                         float *out) {
  if (g->kind == PL_PHILOX) {
    fill job = {.n = n, .normal = normal, .offset = offset, .scale = scale, .f32 = out};
    run_fill(&g->as.philox, &job);
    return;
  }
  double (*draw)(pl_mt19937 *) = normal ? pl_mt19937_normal : pl_mt19937_uniform;
  for (int64_t i = 0; i < n; i++) out[i] = (float)(offset + scale * draw(&g->as.mt19937));
}

void pl_generator_fill64(pl_generator *g, bool normal, double offset, double scale, int64_t n,
                         double *out) {
  if (g->kind == PL_PHILOX) {
    fill job = {.n = n, .normal = normal, .offset = offset, .scale = scale, .f64 = out};
    run_fill(&g->as.philox, &job);
    return;
  }
  double (*draw)(pl_mt19937 *) = normal ? pl_mt19937_normal : pl_mt19937_uniform;
  for (int64_t i = 0; i < n; i++) out[i] = offset + scale * draw(&g->as.mt19937);
}

void pl_generator_integers(pl_generator *g, int64_t low, uint32_t max, int64_t n, int32_t *out) {
  if (g->kind == PL_PHILOX) {
    fill job = {.n = n, .offset = (double)low, .max = max, .i32 = out};
    run_fill(&g->as.philox, &job);
    return;
  }
  for (int64_t i = 0; i < n; i++)
    out[i] = (int32_t)(low + (int64_t)pl_mt19937_integer(&g->as.mt19937, max));
}

/* ==== Orders and choices ==== */

static void swap_bytes(char *a, char *b, size_t n) {
  char kept[256];
  while (n > 0) {
    size_t some = n < sizeof kept ? n : sizeof kept;
    memcpy(kept, a, some);
    memcpy(a, b, some);
    memcpy(b, kept, some);
    a += some;
    b += some;
    n -= some;
  }
}

void pl_generator_shuffle(pl_generator *g, int64_t rows, size_t row_bytes, void *data) {
  if (row_bytes == 0) return;
  for (int64_t i = rows - 1; i > 0; i--) {
    int64_t j = (int64_t)pl_generator_integer(g, (uint64_t)i);
    if (j != i)
      swap_bytes((char *)data + (size_t)i * row_bytes, (char *)data + (size_t)j * row_bytes,
                 row_bytes);
  }
}

void pl_generator_permutation(pl_generator *g, int32_t n, int32_t *out) {
  for (int32_t i = 0; i < n; i++) out[i] = i + 1;
  for (int32_t i = n - 1; i > 0; i--) {
    int32_t j = (int32_t)pl_generator_integer(g, (uint64_t)i);
    int32_t kept = out[i];
    out[i] = out[j];
    out[j] = kept;
  }
}

static void accumulate(int32_t n, const double *p, double *cdf) {
  double sum = 0;
  for (int32_t i = 0; i < n; i++) cdf[i] = sum += p[i];
  for (int32_t i = 0; i < n; i++) cdf[i] /= sum;
}

/* The first index whose cdf is above x. The last one counts as such. */
static int32_t search(int32_t n, const double *cdf, double x) {
  int32_t low = 0, high = n - 1;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (cdf[middle] > x) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

void pl_generator_choose(pl_generator *g, int32_t n, const double *p, double *cdf, int64_t count,
                         int32_t *out) {
  accumulate(n, p, cdf);
  for (int64_t i = 0; i < count; i++) out[i] = search(n, cdf, pl_generator_uniform(g)) + 1;
}

void pl_generator_choose_distinct(pl_generator *g, int32_t n, double *p, double *cdf, int64_t count,
                                  int32_t *out) {
  /* NumPy's way: rounds of as many draws as are still missing; what a round finds again is thrown
  ** away, what it finds at first cannot be found by the next one. */
  int64_t found = 0;
  while (found < count) {
    int64_t draws = count - found;
    accumulate(n, p, cdf);
    for (int64_t i = 0; i < draws; i++) {
      int32_t index = search(n, cdf, pl_generator_uniform(g));
      if (p[index] == 0) continue;
      p[index] = 0;
      out[found++] = index + 1;
    }
  }
}

/* ==== The state as text: lower-case hex fields of fixed width with colons between ====
**   philox:SEED:STREAM:POSITION                16 digits each
**   mt19937:POS:HAS_GAUSS:GAUSS:WORD...        4, 1, 16 and 624 times 8 digits */

static char *put_hex(char *text, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--) *text++ = "0123456789abcdef"[value >> (4 * i) & 15];
  return text;
}

/* Reads that many digits; NULL when one is none, or when text is NULL already. */
static const char *get_hex(const char *text, uint64_t *value, int digits) {
  *value = 0;
  for (int i = 0; i < digits && text != NULL; i++, text++) {
    unsigned digit;
    if (*text >= '0' && *text <= '9') {
      digit = (unsigned)(*text - '0');
    } else if (*text >= 'a' && *text <= 'f') {
      digit = (unsigned)(*text - 'a') + 10;
    } else {
      return NULL;
    }
    *value = *value << 4 | digit;
  }
  return text;
}

static const char *get_mark(const char *text, const char *mark) {
  size_t length = strlen(mark);
  return text != NULL && memcmp(text, mark, length) == 0 ? text + length : NULL;
}

enum { PHILOX_TEXT = 7 + 16 + 1 + 16 + 1 + 16 };

size_t pl_generator_save(const pl_generator *g, char text[PL_GENERATOR_TEXT]) {
  char *end = text;
  if (g->kind == PL_PHILOX) {
    end = put_hex(stpcpy(end, "philox:"), g->as.philox.seed, 16);
    end = put_hex(stpcpy(end, ":"), g->as.philox.stream, 16);
    end = put_hex(stpcpy(end, ":"), g->as.philox.position, 16);
  } else {
    const pl_mt19937 *mt = &g->as.mt19937;
    uint64_t gauss;
    memcpy(&gauss, &mt->gauss, sizeof gauss);
    end = put_hex(stpcpy(end, "mt19937:"), (uint64_t)mt->pos, 4);
    end = put_hex(stpcpy(end, ":"), mt->has_gauss, 1);
    end = put_hex(stpcpy(end, ":"), gauss, 16);
    end = stpcpy(end, ":");
    for (int i = 0; i < PL_MT19937_WORDS; i++) end = put_hex(end, mt->key[i], 8);
  }
  *end = '\0';
  return (size_t)(end - text);
}

bool pl_generator_load(pl_generator *g, const char *text, size_t length) {
  pl_generator loaded = {.kind = g->kind};
  if (g->kind == PL_PHILOX) {
    pl_philox *philox = &loaded.as.philox;
    if (length != PHILOX_TEXT) return false;
    text = get_hex(get_mark(text, "philox:"), &philox->seed, 16);
    text = get_hex(get_mark(text, ":"), &philox->stream, 16);
    text = get_hex(get_mark(text, ":"), &philox->position, 16);
    if (text == NULL || philox->position >= (uint64_t)PL_PHILOX_ELEMENTS) return false;
  } else {
    pl_mt19937 *mt = &loaded.as.mt19937;
    uint64_t pos, has_gauss, gauss, word;
    if (length != PL_GENERATOR_TEXT - 1) return false;
    text = get_hex(get_mark(text, "mt19937:"), &pos, 4);
    text = get_hex(get_mark(text, ":"), &has_gauss, 1);
    text = get_hex(get_mark(text, ":"), &gauss, 16);
    text = get_mark(text, ":");
    for (int i = 0; i < PL_MT19937_WORDS && text != NULL; i++) {
      text = get_hex(text, &word, 8);
      mt->key[i] = (uint32_t)word;
    }
    if (text == NULL || has_gauss > 1) return false;
    mt->pos = (int)pos;
    mt->has_gauss = has_gauss == 1;
    memcpy(&mt->gauss, &gauss, sizeof gauss);
    if (!pl_mt19937_is_valid(mt)) return false;
  }
  *g = loaded;
  return true;
}
