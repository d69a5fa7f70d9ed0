/*
** perilune.core's file functions, over runtime/file.h:
**   write_file(path, content) -> true             read_file(path [, max_bytes]) -> string
**   read_tensor(path, offset, dtype, shape) -> tensor      file_size(path) -> integer
**   mkdirs(path) -> true       md5(content) -> hex         md5_file(path) -> hex
** content is a string, a tensor (its bytes in row-major order) or a list of them. What the world
** refuses returns nil, message; a wrong argument raises.
*/
#include <limits.h>
#include <string.h>

#include "bind/bind.h"
#include "runtime/file.h"

enum { ERROR_SIZE = 4096 + 512 }; /* a whole path and what went wrong with it */

static int failed(lua_State *L, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  return 2;
}

/* A string, and one that C sees whole. */
static const char *check_path(lua_State *L, int arg, const char *fn) {
  size_t length = 0;
  const char *path = lua_type(L, arg) == LUA_TSTRING ? lua_tolstring(L, arg, &length) : NULL;
  if (path == NULL || length == 0 || strlen(path) != length)
    pl_arg_error(L, arg, fn, "path", "a path (a string without zero bytes)");
  return path;
}

/* The value at the top as a piece; false when it is none. A copy that had to be made is put into
** the table at index keep under key. Leaves the stack as it was. */
static bool to_piece(lua_State *L, const char *fn, int keep, lua_Integer key, pl_piece *piece) {
  if (lua_type(L, -1) == LUA_TSTRING) {
    piece->data = lua_tolstring(L, -1, &piece->size);
    return true;
  }
  if (pl_to_tensor(L, -1) == NULL) return false;
  const pl_tensor *t = pl_push_contiguous(L, fn, lua_gettop(L));
  piece->data = t->data;
  piece->size = (size_t)t->numel * pl_dtype_size(t->dtype);
  lua_rawseti(L, keep, key);
  return true;
}

/* The argument content as pieces, which live until the function returns. */
static const pl_piece *check_content(lua_State *L, int arg, const char *fn, int *count) {
  static const char expected[] = "a string, a tensor or a list of them";
  lua_settop(L, arg); /* an argument that was left out is nil from here on */
  bool list = lua_type(L, arg) == LUA_TTABLE;
  lua_Unsigned n = list ? lua_rawlen(L, arg) : 1;
  if (n > INT_MAX) pl_arg_error(L, arg, fn, "content", "at most 2^31 - 1 pieces");
  pl_piece *pieces = pl_push_workspace(L, fn, ((size_t)n + 1) * sizeof *pieces);
  lua_newtable(L);
  int keep = lua_gettop(L);
  for (lua_Integer i = 1; i <= (lua_Integer)n; i++) {
    if (list) {
      lua_rawgeti(L, arg, i);
    } else {
      lua_pushvalue(L, arg);
    }
    if (!to_piece(L, fn, keep, i, &pieces[i - 1])) {
      if (!list) pl_arg_error(L, arg, fn, "content", expected);
      pl_raise(L, "%s: argument 'content': expected a string or a tensor at [%I], got %s", fn, i,
               pl_describe(L, -1));
    }
    lua_pop(L, 1);
  }
  *count = (int)n;
  return pieces;
}

static int write_file(lua_State *L) {
  static const char fn[] = "core.write_file";
  char err[ERROR_SIZE];
  const char *path = check_path(L, 1, fn);
  int count = 0;
  const pl_piece *pieces = check_content(L, 2, fn, &count);
  if (!pl_make_parents(path, err, sizeof err) ||
      !pl_write_file_atomic(path, pieces, count, err, sizeof err))
    return failed(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int read_file(lua_State *L) {
  static const char fn[] = "core.read_file";
  char err[ERROR_SIZE];
  int64_t size = 0;
  const char *path = check_path(L, 1, fn);
  int64_t limit =
      lua_isnoneornil(L, 2) ? INT64_MAX : pl_check_integer(L, 2, fn, "max_bytes", 0, INT64_MAX);
  if (!pl_file_size(path, &size, err, sizeof err)) return failed(L, err);
  if (size > limit) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: expected at most %I bytes, got %I", path, (lua_Integer)limit,
                    (lua_Integer)size);
    return 2;
  }
  /* The buffer is Lua's, and no file is open while it is made: no error can leak anything. */
  luaL_Buffer buffer;
  char *memory = luaL_buffinitsize(L, &buffer, (size_t)size);
  if (!pl_read_file(path, 0, memory, (size_t)size, err, sizeof err)) return failed(L, err);
  luaL_pushresultsize(&buffer, (size_t)size);
  return 1;
}

static int read_tensor(lua_State *L) {
  static const char fn[] = "core.read_tensor";
  char err[ERROR_SIZE];
  int64_t shape[PL_MAX_RANK], size = 0, bytes = 0;
  const char *path = check_path(L, 1, fn);
  int64_t offset = pl_check_integer(L, 2, fn, "offset", 0, INT64_MAX);
  pl_dtype dtype = pl_opt_dtype(L, 3, fn, PL_UINT8);
  int rank = pl_check_shape(L, 4, fn, shape);
  pl_tensor wanted;
  if (!pl_init_contiguous(&wanted, dtype, rank, shape) ||
      !pl_size_mul(wanted.numel, (int64_t)pl_dtype_size(dtype), &bytes))
    pl_arg_error(L, 4, fn, "shape", "a shape whose size fits in memory");
  if (!pl_file_size(path, &size, err, sizeof err)) return failed(L, err);
  /* Asked first, so that a wrong shape does not claim its memory. */
  if (offset > size || bytes > size - offset) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: expected %I bytes from offset %I on, got %I", path, (lua_Integer)bytes,
                    (lua_Integer)offset, (lua_Integer)(size > offset ? size - offset : 0));
    return 2;
  }
  const pl_tensor *t = pl_push_tensor(L, fn, dtype, rank, shape);
  if (!pl_read_file(path, offset, t->data, (size_t)bytes, err, sizeof err)) return failed(L, err);
  return 1;
}

static int file_size(lua_State *L) {
  char err[ERROR_SIZE];
  int64_t size = 0;
  if (!pl_file_size(check_path(L, 1, "core.file_size"), &size, err, sizeof err))
    return failed(L, err);
  lua_pushinteger(L, (lua_Integer)size);
  return 1;
}

static int mkdirs(lua_State *L) {
  char err[ERROR_SIZE];
  if (!pl_make_dirs(check_path(L, 1, "core.mkdirs"), err, sizeof err)) return failed(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int md5(lua_State *L) {
  char hex[PL_MD5_HEX];
  int count = 0;
  const pl_piece *pieces = check_content(L, 1, "core.md5", &count);
  pl_md5(pieces, count, hex);
  lua_pushstring(L, hex);
  return 1;
}

static int md5_file(lua_State *L) {
  char hex[PL_MD5_HEX], err[ERROR_SIZE];
  if (!pl_md5_file(check_path(L, 1, "core.md5_file"), hex, err, sizeof err)) return failed(L, err);
  lua_pushstring(L, hex);
  return 1;
}

void pl_bind_file(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"write_file", write_file},   {"read_file", read_file},
      {"read_tensor", read_tensor}, {"file_size", file_size},
      {"mkdirs", mkdirs},           {"md5", md5},
      {"md5_file", md5_file},       {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
