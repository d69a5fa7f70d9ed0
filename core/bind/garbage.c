/*
** See garbage.h for the contract. When `enough` bytes of blocks have been made, Lua's collector looks
** through the young objects, which takes microseconds. What it meets there twice it takes for old and
** leaves alone for long: so where that was to little avail, as in the midst of a large step, `enough` is
** doubled. After some collections that paid less is tried again, the more seldom the more often it failed.
*/
#include "bind/garbage.h"

#include <limits.h>
#include <stdbool.h>

#include "perilune.h"
#include "runtime/clock.h"

enum {
  SMALL = 1 << 12, /* bytes of a block that is not counted */
  LEAST = 1 << 22, /* for a collection; at most a part of what is in use, before Lua's own fifth */
  PART = 8,
  FEWEST = 2, /* collections that paid, before less is tried */
  MOST = 64,
  SHARE = 16 /* of the time, that collections may take */
};

typedef struct {
  size_t made, enough; /* bytes since the last collection; for one */
  size_t left, all;    /* bytes in use after it; after the old were seen to */
  int paid, wanted;    /* collections that did; before less is tried */
  bool tried;          /* less, the last time that `enough` changed */
  int64_t when;        /* the last collection ended */
} garbage;

static const char key = 0; /* in the registry */

void perilune_collect_young(lua_State *L) {
  garbage *g = lua_newuserdatauv(L, sizeof *g, 0);
  *g = (garbage){.enough = LEAST, .wanted = FEWEST, .when = pl_clock()};
  lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}

static size_t bytes_in_use(lua_State *L) {
  return ((size_t)lua_gc(L, LUA_GCCOUNT) << 10) + (size_t)lua_gc(L, LUA_GCCOUNTB);
}

static void collect_later(garbage *g) {
  const size_t most = g->left / PART > LEAST ? g->left / PART : LEAST;
  g->enough = g->enough < most / 2 ? g->enough * 2 : most;
  if (g->tried && g->wanted < MOST) g->wanted *= 2;
  g->tried = false;
  g->paid = 0;
}

static void collect_sooner(garbage *g) {
  if (++g->paid < g->wanted || g->enough / 2 < LEAST) return;
  g->enough /= 2;
  g->tried = true;
  g->paid = 0;
}

/* The young; and it paid when half of what was made is gone, in reasonable time. */
static void collect(lua_State *L, garbage *g) {
  const int64_t start = pl_clock();
  const size_t before = bytes_in_use(L);
  lua_gc(L, LUA_GCSTEP, 0);
  const int64_t end = pl_clock();
  const bool soon = (end - start) * SHARE < end - g->when;
  const bool judged = before >= g->left + g->made / 2; /* else Lua collected meanwhile */
  g->left = bytes_in_use(L);
  g->when = end;
  if (soon && g->left + g->made / 2 <= before)
    collect_sooner(g);
  else if (judged)
    collect_later(g);
}

/* Young objects that are collected so often never fill Lua's own measure, by which it would look at the old:
** it is told that they did. */
static void see_to_the_old(lua_State *L, garbage *g) {
  const size_t all = bytes_in_use(L) >> 10;
  lua_gc(L, LUA_GCSTEP, all < INT_MAX ? (int)all : INT_MAX);
  g->all = g->left = bytes_in_use(L);
}

void pl_make_room(lua_State *L, size_t bytes) {
  if (bytes < SMALL) return;
  const bool asked = lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TUSERDATA;
  garbage *g = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (!asked) return;
  if (g->made >= g->enough && lua_gc(L, LUA_GCISRUNNING) == 1) {
    collect(L, g);
    if (g->left < g->all) g->all = g->left;
    if (g->left / 2 > g->all) see_to_the_old(L, g);
    g->made = 0;
  }
  g->made += bytes;
}
