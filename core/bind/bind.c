/*
** The helpers that every binding file uses. See bind.h for the contract.
*/
#include "bind/bind.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bind/garbage.h"
#include "tensor/map.h"

enum { ALIGNMENT = 64, LARGE = 1 << 20 };

static const char library_key[] = "perilune.library"; /* source prefix of the library's own Lua */

/* {==== Errors ==== */

/* Pushes "file:line: " of the innermost frame that is the user's. */
static void push_position(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, library_key);
  const char *prefix = lua_tostring(L, -1);
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0) continue; /* C */
    if (prefix != NULL && strncmp(frame.source, prefix, strlen(prefix)) == 0) continue;
    lua_pop(L, 1);
    lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    return;
  }
  lua_pop(L, 1);
  lua_pushliteral(L, "");
}

static _Noreturn void raise_top(lua_State *L) {
  push_position(L);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

void pl_raise(lua_State *L, const char *format, ...) {
  luaL_checkstack(L, 8, NULL);
  va_list values;
  va_start(values, format);
  lua_pushvfstring(L, format, values);
  va_end(values);
  raise_top(L);
}

const char *pl_push_shape_text(lua_State *L, int rank, const int64_t *shape) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addchar(&text, '{');
  for (int i = 0; i < rank; i++) {
    char number[32];
    snprintf(number, sizeof number, i > 0 ? ", %lld" : "%lld", (long long)shape[i]);
    luaL_addstring(&text, number);
  }
  luaL_addchar(&text, '}');
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

const char *pl_describe(lua_State *L, int arg) {
  arg = lua_absindex(L, arg);
  const pl_tensor *t = pl_to_tensor(L, arg);
  if (t != NULL) {
    const char *shape = pl_push_shape_text(L, t->rank, t->shape);
    lua_pushfstring(L, "tensor %s %s", shape, pl_dtype_name(t->dtype));
    lua_remove(L, -2);
    return lua_tostring(L, -1);
  }
  switch (lua_type(L, arg)) {
    case LUA_TNONE: return lua_pushliteral(L, "nothing");
    case LUA_TNIL: return lua_pushliteral(L, "nil");
    case LUA_TBOOLEAN: return lua_pushstring(L, lua_toboolean(L, arg) ? "true" : "false");
    case LUA_TNUMBER:
      if (lua_isinteger(L, arg)) return lua_pushfstring(L, "%I", lua_tointeger(L, arg));
      return lua_pushfstring(L, "%f", lua_tonumber(L, arg));
    case LUA_TSTRING: {
      size_t length;
      const char *text = lua_tolstring(L, arg, &length);
      char shown[41];
      size_t n = length < 40 ? length : 40;
      for (size_t i = 0; i < n; i++) {
        shown[i] = (text[i] >= 0 && text[i] < ' ') || text[i] == 127 ? '?' : text[i];
      }
      shown[n] = '\0';
      return lua_pushfstring(L, "\"%s\"%s", shown, length > n ? "…" : "");
    }
    default: {
      const bool named = luaL_getmetafield(L, arg, "__name") == LUA_TSTRING;
      const char *name = named ? lua_tostring(L, -1) : luaL_typename(L, arg);
      const bool vowel = name[0] != '\0' && strchr("AEIOUaeiou", name[0]) != NULL;
      return lua_pushfstring(L, vowel ? "an %s" : "a %s", name);
    }
  }
}

void pl_arg_error(lua_State *L, int arg, const char *fn, const char *name, const char *expected,
                  ...) {
  arg = lua_absindex(L, arg);
  luaL_checkstack(L, 16, NULL);
  if (arg > lua_gettop(L)) lua_settop(L, arg); /* an argument left out is nil */
  va_list values;
  va_start(values, expected);
  const char *wanted = lua_pushvfstring(L, expected, values);
  va_end(values);
  const char *got = pl_describe(L, arg);
  lua_pushfstring(L, "%s: argument '%s': expected %s, got %s", fn, name, wanted, got);
  raise_top(L);
}

void pl_dtype_error(lua_State *L, const char *fn, pl_dtype self_dtype, pl_dtype other_dtype,
                    const char *other) {
  pl_raise(L, "%s: dtypes differ, %s and %s; cast one, as in %s:to(\"%s\")", fn,
           pl_dtype_name(self_dtype), pl_dtype_name(other_dtype), other, pl_dtype_name(self_dtype));
}

/* core.raise(message): for the library's Lua, the same position as C's own errors */
static int bind_raise(lua_State *L) {
  lua_settop(L, 1);
  luaL_tolstring(L, 1, NULL);
  raise_top(L);
}

/* core.describe(value) -> string */
static int bind_describe(lua_State *L) {
  pl_describe(L, 1);
  return 1;
}

/* core.mark_library(): the caller's folder holds the library's own Lua */
static int bind_mark_library(lua_State *L) {
  lua_Debug frame;
  if (lua_getstack(L, 1, &frame)) {
    lua_getinfo(L, "S", &frame);
    const char *end = strrchr(frame.source, '/');
    if (frame.source[0] == '@' && end != NULL) {
      lua_pushlstring(L, frame.source, (size_t)(end - frame.source) + 1);
      lua_setfield(L, LUA_REGISTRYINDEX, library_key);
    }
  }
  return 0;
}

/* }==== Memory ==== {*/

static int allocate(lua_State *L) {
  lua_newuserdatauv(L, (size_t)lua_tointeger(L, 1), 0);
  return 1;
}

/* A pass over many small pages spends its time looking them up. A wish: it is no loss when it is not heard. */
static void ask_for_huge_pages(void *block, size_t bytes) {
#ifdef MADV_HUGEPAGE
  enum { HUGE_PAGE = 1 << 21 };
  const uintptr_t start = ((uintptr_t)block + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
  const uintptr_t end = ((uintptr_t)block + bytes) & ~(uintptr_t)(HUGE_PAGE - 1);
  if (end > start) madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
  (void)block;
  (void)bytes;
#endif
}

/* Pushes a block; false, with nothing pushed, when there is no memory for a large one (a small
** one raises Lua's own error). */
static bool push_block(lua_State *L, size_t bytes) {
  pl_make_room(L, bytes);
  if (bytes < LARGE) {
    lua_newuserdatauv(L, bytes, 0);
    return true;
  }
  lua_pushcfunction(L, allocate);
  lua_pushinteger(L, (lua_Integer)bytes);
  int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_OK) {
    ask_for_huge_pages(lua_touserdata(L, -1), bytes);
    return true;
  }
  if (status != LUA_ERRMEM) lua_error(L); /* what a hook raised: Ctrl-C */
  lua_pop(L, 1);
  return false;
}

static void *align(void *p) {
  return (void *)(((uintptr_t)p + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

void *pl_push_workspace(lua_State *L, const char *fn, size_t bytes) {
  if (!push_block(L, bytes + ALIGNMENT))
    pl_raise(L, "%s: not enough memory for %f MB of workspace", fn, (double)bytes / 1e6);
  return align(lua_touserdata(L, -1));
}

void *pl_push_scratch(lua_State *L, const char *fn, size_t bytes) {
  static const char key = 0;
  enum { MOST = 1 << 28 };
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  if (lua_rawlen(L, -1) >= bytes + ALIGNMENT) return align(lua_touserdata(L, -1));
  lua_pop(L, 1);
  if (bytes < MOST) { /* what was kept may go before the larger one comes */
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  void *scratch = pl_push_workspace(L, fn, bytes);
  if (bytes < MOST) {
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  }
  return scratch;
}

const char pl_tensor_key = 0;

static void set_metatable(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_tensor_key);
  lua_setmetatable(L, -2);
}

pl_tensor *pl_push_tensor(lua_State *L, const char *fn, pl_dtype dtype, int rank,
                          const int64_t *shape) {
  luaL_checkstack(L, 8, NULL);
  pl_tensor header;
  bool fits = pl_init_contiguous(&header, dtype, rank, shape);
  size_t bytes = fits ? (size_t)header.numel * pl_dtype_size(dtype) : 0;
  if (!fits || !push_block(L, sizeof(pl_tensor) + bytes + ALIGNMENT)) {
    const char *text = pl_push_shape_text(L, rank, shape);
    if (!fits)
      pl_raise(L, "%s: a tensor %s %s has more elements than memory can hold", fn, text,
               pl_dtype_name(dtype));
    pl_raise(L, "%s: not enough memory for a tensor %s %s (%f MB)", fn, text, pl_dtype_name(dtype),
             (double)bytes / 1e6);
  }
  pl_tensor *t = lua_touserdata(L, -1);
  *t = header;
  t->data = align(t + 1);
  set_metatable(L);
  return t;
}

pl_tensor *pl_push_view(lua_State *L, int owner, const pl_tensor *view) {
  owner = lua_absindex(L, owner);
  pl_tensor *t = lua_newuserdatauv(L, sizeof(pl_tensor), 1);
  *t = *view;
  /* a view of a view hangs on the owner itself, so that chains do not grow */
  if (lua_getiuservalue(L, owner, 1) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    lua_pushvalue(L, owner);
  }
  lua_setiuservalue(L, -2, 1);
  set_metatable(L);
  return t;
}

void pl_copy(const pl_tensor *to, const pl_tensor *from) {
  pl_tensor source;
  pl_view_expand(from, to->rank, to->shape, &source);
  const pl_tensor *operands[] = {to, &source};
  pl_map(pl_kernels_get()->cast[from->dtype][to->dtype], 2, operands, NULL);
}

pl_tensor *pl_push_contiguous(lua_State *L, const char *fn, int arg) {
  pl_tensor *t = lua_touserdata(L, arg);
  if (pl_is_contiguous(t)) {
    lua_pushvalue(L, arg);
    return t;
  }
  pl_tensor *copy = pl_push_tensor(L, fn, t->dtype, t->rank, t->shape);
  pl_copy(copy, t);
  return copy;
}

/* }==== Arguments ==== {*/

pl_tensor *pl_to_tensor(lua_State *L, int arg) {
  if (lua_type(L, arg) != LUA_TUSERDATA || !lua_getmetatable(L, arg)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_tensor_key);
  const bool is_tensor = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is_tensor ? lua_touserdata(L, arg) : NULL;
}

pl_tensor *pl_check_tensor(lua_State *L, int arg, const char *fn, const char *name) {
  pl_tensor *t = pl_to_tensor(L, arg);
  if (t == NULL) pl_arg_error(L, arg, fn, name, "a tensor");
  return t;
}

pl_tensor *pl_check_dtype(lua_State *L, int arg, const char *fn, const char *name, pl_dtype dtype) {
  pl_tensor *t = pl_to_tensor(L, arg);
  if (t == NULL || t->dtype != dtype)
    pl_arg_error(L, arg, fn, name, "a tensor of dtype %s", pl_dtype_name(dtype));
  return t;
}

pl_tensor *pl_check_writable(lua_State *L, int arg, const char *fn) {
  pl_tensor *t = pl_check_tensor(L, arg, fn, "self");
  if (pl_is_expanded(t))
    pl_raise(L, "%s: an expanded tensor shares its elements and cannot be written; clone() it", fn);
  return t;
}

int64_t pl_check_integer(lua_State *L, int arg, const char *fn, const char *name, int64_t low,
                         int64_t high) {
  int is_integer = 0;
  lua_Integer value = 0;
  if (lua_type(L, arg) == LUA_TNUMBER) value = lua_tointegerx(L, arg, &is_integer);
  if (!is_integer || value < low || value > high) {
    if (high == INT64_MAX && low == INT64_MIN) pl_arg_error(L, arg, fn, name, "an integer");
    if (high == INT64_MAX)
      pl_arg_error(L, arg, fn, name, "an integer from %I up", (lua_Integer)low);
    pl_arg_error(L, arg, fn, name, "an integer from %I to %I", (lua_Integer)low, (lua_Integer)high);
  }
  return value;
}

double pl_check_number(lua_State *L, int arg, const char *fn, const char *name) {
  if (lua_type(L, arg) != LUA_TNUMBER) pl_arg_error(L, arg, fn, name, "a number");
  return lua_tonumber(L, arg);
}

bool pl_opt_boolean(lua_State *L, int arg, const char *fn, const char *name, bool fallback) {
  if (lua_isnoneornil(L, arg)) return fallback;
  if (!lua_isboolean(L, arg)) pl_arg_error(L, arg, fn, name, "true or false");
  return lua_toboolean(L, arg);
}

int pl_check_shape(lua_State *L, int arg, const char *fn, int64_t shape[PL_MAX_RANK]) {
  int rank = 1;
  if (lua_type(L, arg) == LUA_TNUMBER) {
    shape[0] = pl_check_integer(L, arg, fn, "shape", 0, INT64_MAX);
  } else {
    if (!lua_istable(L, arg))
      pl_arg_error(L, arg, fn, "shape", "a list of sizes such as {2, 3}, or one size");
    size_t n = lua_rawlen(L, arg);
    if (n > PL_MAX_RANK)
      pl_raise(L, "%s: argument 'shape': expected at most %d sizes, got %I", fn, PL_MAX_RANK,
               (lua_Integer)n);
    rank = (int)n;
    for (int i = 0; i < rank; i++) {
      lua_rawgeti(L, arg, i + 1);
      shape[i] = pl_check_integer(L, -1, fn, "shape", 0, INT64_MAX);
      lua_pop(L, 1);
    }
  }
  pl_tensor probe;
  if (!pl_init_contiguous(&probe, PL_FLOAT64, rank, shape)) {
    const char *text = pl_push_shape_text(L, rank, shape);
    pl_raise(L, "%s: argument 'shape': %s has more elements than memory can hold", fn, text);
  }
  return rank;
}

pl_dtype pl_opt_dtype(lua_State *L, int arg, const char *fn, pl_dtype fallback) {
  if (lua_isnoneornil(L, arg)) return fallback;
  pl_dtype dtype = fallback;
  const char *name = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
  if (!pl_dtype_parse(name, &dtype) || strlen(name) != lua_rawlen(L, arg)) /* "uint8\0" is none */
    pl_arg_error(L, arg, fn, "dtype", "\"float32\", \"float64\", \"uint8\" or \"int32\"");
  return dtype;
}

int pl_check_axis(lua_State *L, int arg, const char *fn, int rank) {
  int is_integer = 0;
  lua_Integer axis = 0;
  if (lua_type(L, arg) == LUA_TNUMBER) axis = lua_tointegerx(L, arg, &is_integer);
  if (is_integer && axis < 0) axis += rank + 1;
  if (!is_integer || axis < 1 || axis > rank)
    pl_arg_error(L, arg, fn, "axis", "an axis from 1 to %d, or -1 for the last", rank);
  return (int)axis - 1;
}

int pl_opt_axis(lua_State *L, int arg, const char *fn, const pl_tensor *t) {
  if (t->rank == 0) pl_arg_error(L, 1, fn, "self", "a tensor of rank 1 or more");
  return lua_isnoneornil(L, arg) ? t->rank - 1 : pl_check_axis(L, arg, fn, t->rank);
}

bool pl_find_other_key(lua_State *L, int arg, lua_Integer n, lua_Integer limit) {
  arg = lua_absindex(L, arg);
  luaL_checkstack(L, 4, NULL);
  if (n > 0)
    lua_pushinteger(L, n); /* what Lua keeps as an array comes before, named keys come after */
  else
    lua_pushnil(L);
  while (lua_next(L, arg) != 0) {
    lua_pop(L, 1);
    if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > limit)
      return true;
  }
  return false;
}

void pl_add_method(lua_State *L, const char *name, lua_CFunction function, int upvalues) {
  lua_pushcclosure(L, function, upvalues);
  lua_getfield(L, LUA_REGISTRYINDEX, PL_METHODS);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/* }==== */

void pl_bind_errors(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"raise", bind_raise},
      {"describe", bind_describe},
      {"mark_library", bind_mark_library},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
