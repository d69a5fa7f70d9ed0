/*
** Tensors made, converted and looked at: creation, tables, bytes, casts and copies.
*/
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "tensor/map.h"

/* {==== Single elements ==== */

static void push_element(lua_State *L, const pl_tensor *t, const void *p) {
  switch (t->dtype) {
    case PL_FLOAT32: lua_pushnumber(L, *(const float *)p); break;
    case PL_FLOAT64: lua_pushnumber(L, *(const double *)p); break;
    case PL_UINT8: lua_pushinteger(L, *(const uint8_t *)p); break;
    default: lua_pushinteger(L, *(const int32_t *)p); break;
  }
}

void pl_push_item(lua_State *L, const pl_tensor *t) { push_element(L, t, t->data); }

static const char *const scalar_text[PL_DTYPE_COUNT] = {
    [PL_FLOAT32] = "a number",
    [PL_FLOAT64] = "a number",
    [PL_UINT8] = "an integer from 0 to 255",
    [PL_INT32] = "an integer from -2147483648 to 2147483647",
};

/* False when the value at arg is not a number of that dtype (true and false are uint8's). */
static bool to_scalar(lua_State *L, int arg, pl_dtype dtype, pl_scalar *scalar) {
  if (lua_isboolean(L, arg) && dtype == PL_UINT8) {
    scalar->u8 = (uint8_t)lua_toboolean(L, arg);
    return true;
  }
  if (lua_type(L, arg) != LUA_TNUMBER) return false;
  int exact;
  lua_Integer integer = lua_tointegerx(L, arg, &exact);
  switch (dtype) {
    case PL_FLOAT32: scalar->f32 = (float)lua_tonumber(L, arg); return true;
    case PL_FLOAT64: scalar->f64 = lua_tonumber(L, arg); return true;
    case PL_UINT8: scalar->u8 = (uint8_t)integer; return exact && integer == scalar->u8;
    default: scalar->i32 = (int32_t)integer; return exact && integer == scalar->i32;
  }
}

void pl_check_scalar(lua_State *L, int arg, const char *fn, const char *name, pl_dtype dtype,
                     pl_scalar *scalar) {
  if (!to_scalar(L, arg, dtype, scalar)) pl_arg_error(L, arg, fn, name, "%s", scalar_text[dtype]);
}

pl_tensor pl_scalar_tensor(pl_dtype dtype, pl_scalar *scalar) {
  pl_tensor t;
  pl_init_contiguous(&t, dtype, 0, NULL);
  t.data = scalar;
  return t;
}

/* }==== Creation ==== {*/

/* core.empty(shape [, dtype [, fn]]): uninitialised */
static int bind_empty(lua_State *L) {
  const char *fn = luaL_optstring(L, 3, "empty");
  int64_t shape[PL_MAX_RANK];
  int rank = pl_check_shape(L, 1, fn, shape);
  pl_push_tensor(L, fn, pl_opt_dtype(L, 2, fn, PL_FLOAT32), rank, shape);
  return 1;
}

/* core.full(shape, value [, dtype [, fn]]) */
static int bind_full(lua_State *L) {
  const char *fn = luaL_optstring(L, 4, "full");
  int64_t shape[PL_MAX_RANK];
  int rank = pl_check_shape(L, 1, fn, shape);
  pl_dtype dtype = pl_opt_dtype(L, 3, fn, PL_FLOAT32);
  pl_scalar scalar;
  pl_check_scalar(L, 2, fn, "value", dtype, &scalar);
  pl_tensor from = pl_scalar_tensor(dtype, &scalar);
  pl_tensor *t = pl_push_tensor(L, fn, dtype, rank, shape);
  pl_copy(t, &from);
  return 1;
}

/* core.ramp(fn, n, first, step [, dtype]): first + i * step for i = 0 .. n-1 */
static int bind_ramp(lua_State *L) {
  const char *fn = luaL_checkstring(L, 1);
  int64_t n = pl_check_integer(L, 2, fn, "n", 0, INT64_MAX);
  double first = pl_check_number(L, 3, fn, "first"), step = pl_check_number(L, 4, fn, "step");
  pl_tensor *t = pl_push_tensor(L, fn, pl_opt_dtype(L, 5, fn, PL_FLOAT32), 1, &n);
  pl_ramp(t, first, step);
  return 1;
}

/* {==== From and to nested tables ==== */

typedef struct {
  const char *fn;
  pl_tensor *t;
  int64_t at[PL_MAX_RANK]; /* 1-based path of the element being read */
} table_reader;

static _Noreturn void raise_at(lua_State *L, const table_reader *reader, int depth,
                               const char *expected) {
  luaL_Buffer path;
  const char *got = pl_describe(L, -1);
  luaL_buffinit(L, &path);
  for (int i = 0; i < depth; i++) {
    lua_pushfstring(L, "[%I]", (lua_Integer)reader->at[i]);
    luaL_addvalue(&path);
  }
  luaL_pushresult(&path);
  pl_raise(L, "%s: element %s: expected %s, got %s", reader->fn, lua_tostring(L, -1), expected,
           got);
}

/* Reads the table on the stack's top into memory from *p on. */
static void read_table(lua_State *L, table_reader *reader, int depth, char **p) {
  const pl_tensor *t = reader->t;
  if (depth == t->rank) {
    pl_scalar scalar;
    if (!to_scalar(L, -1, t->dtype, &scalar)) raise_at(L, reader, depth, scalar_text[t->dtype]);
    memcpy(*p, &scalar, pl_dtype_size(t->dtype));
    *p += pl_dtype_size(t->dtype);
    return;
  }
  if (!lua_istable(L, -1)) raise_at(L, reader, depth, "a table, as at the first elements");
  if ((int64_t)lua_rawlen(L, -1) != t->shape[depth]) {
    lua_pushfstring(L, "a table of %I elements like the first", (lua_Integer)t->shape[depth]);
    lua_pushfstring(L, "one of %I", (lua_Integer)lua_rawlen(L, -2));
    pl_raise(L, "%s: ragged table at depth %d: expected %s, got %s", reader->fn, depth + 1,
             lua_tostring(L, -2), lua_tostring(L, -1));
  }
  if (pl_find_other_key(L, -1, t->shape[depth], t->shape[depth]))
    pl_raise(L, "%s: argument 'values': expected lists of numbers, got one with a field %s",
             reader->fn, pl_describe(L, -1));
  for (int64_t i = 0; i < t->shape[depth]; i++) {
    reader->at[depth] = i + 1;
    lua_rawgeti(L, -1, i + 1);
    read_table(L, reader, depth + 1, p);
    lua_pop(L, 1);
  }
}

/* Pushes a tensor made of the number or nested table at arg. */
pl_tensor *pl_push_from_table(lua_State *L, int arg, const char *fn, pl_dtype dtype) {
  int64_t shape[PL_MAX_RANK];
  int rank = 0;
  arg = lua_absindex(L, arg);
  luaL_checkstack(L, 2 * PL_MAX_RANK + 16, NULL);
  int top = lua_gettop(L);
  lua_pushvalue(L, arg);
  while (lua_istable(L, -1)) {
    if (rank == PL_MAX_RANK)
      pl_raise(L, "%s: argument 'values': tables nested deeper than %d", fn, PL_MAX_RANK);
    shape[rank] = (int64_t)lua_rawlen(L, -1);
    if (shape[rank++] == 0) break;
    lua_rawgeti(L, -1, 1);
  }
  lua_settop(L, top);
  if (rank == 0 && lua_type(L, arg) != LUA_TNUMBER)
    pl_arg_error(L, arg, fn, "values", "a number or a table of numbers");
  table_reader reader = {.fn = fn, .t = pl_push_tensor(L, fn, dtype, rank, shape)};
  char *p = reader.t->data;
  lua_pushvalue(L, arg);
  read_table(L, &reader, 0, &p);
  lua_pop(L, 1);
  return reader.t;
}

/* core.from_table(values [, dtype]) */
static int bind_from_table(lua_State *L) {
  pl_push_from_table(L, 1, "tensor", pl_opt_dtype(L, 2, "tensor", PL_FLOAT32));
  return 1;
}

static void push_table(lua_State *L, const pl_tensor *t, int depth, const char *p) {
  if (depth == t->rank) {
    push_element(L, t, p);
    return;
  }
  int64_t step = t->stride[depth] * (int64_t)pl_dtype_size(t->dtype), n = t->shape[depth];
  lua_createtable(L, n < INT32_MAX ? (int)n : INT32_MAX, 0);
  for (int64_t i = 0; i < n; i++) {
    push_table(L, t, depth + 1, p + i * step);
    lua_rawseti(L, -2, i + 1);
  }
}

/* t:totable() -> nested table, or a number for rank 0 */
static int bind_totable(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "totable", "self");
  luaL_checkstack(L, PL_MAX_RANK + 8, NULL);
  push_table(L, t, 0, t->data);
  return 1;
}

/* }==== Bytes, casts, copies ==== {*/

/* t:tobytes() -> string, row-major, in the machine's byte order (little-endian) */
static int bind_tobytes(lua_State *L) {
  pl_check_tensor(L, 1, "tobytes", "self");
  lua_settop(L, 1);
  const pl_tensor *t = pl_push_contiguous(L, "tobytes", 1);
  lua_pushlstring(L, t->data, (size_t)t->numel * pl_dtype_size(t->dtype));
  return 1;
}

/* core.frombytes(string, dtype, shape) */
static int bind_frombytes(lua_State *L) {
  size_t length;
  if (lua_type(L, 1) != LUA_TSTRING) pl_arg_error(L, 1, "frombytes", "bytes", "a string");
  const char *bytes = lua_tolstring(L, 1, &length);
  pl_dtype dtype = pl_opt_dtype(L, 2, "frombytes", PL_FLOAT32);
  int64_t shape[PL_MAX_RANK];
  int rank = pl_check_shape(L, 3, "frombytes", shape);
  pl_tensor probe;
  pl_init_contiguous(&probe, dtype, rank, shape);
  if ((uint64_t)probe.numel * pl_dtype_size(dtype) != length)
    pl_raise(L, "frombytes: argument 'bytes': expected %I bytes for a tensor %s %s, got %I",
             (lua_Integer)((size_t)probe.numel * pl_dtype_size(dtype)),
             pl_push_shape_text(L, rank, shape), pl_dtype_name(dtype), (lua_Integer)length);
  const pl_tensor *t = pl_push_tensor(L, "frombytes", dtype, rank, shape);
  memcpy(t->data, bytes, length);
  return 1;
}

/* t:to(dtype): itself when it has that dtype already */
static int bind_to(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "to", "self");
  if (lua_isnoneornil(L, 2)) pl_arg_error(L, 2, "to", "dtype", "a dtype such as \"float64\"");
  pl_dtype dtype = pl_opt_dtype(L, 2, "to", t->dtype);
  lua_settop(L, 1);
  if (dtype != t->dtype) pl_copy(pl_push_tensor(L, "to", dtype, t->rank, t->shape), t);
  return 1;
}

/* t:clone() -> a contiguous copy */
static int bind_clone(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "clone", "self");
  pl_copy(pl_push_tensor(L, "clone", t->dtype, t->rank, t->shape), t);
  return 1;
}

/* t:contiguous() -> itself when contiguous, or else a copy */
static int bind_contiguous(lua_State *L) {
  pl_check_tensor(L, 1, "contiguous", "self");
  pl_push_contiguous(L, "contiguous", 1);
  return 1;
}

bool pl_overlaps(const pl_tensor *a, const pl_tensor *b) {
  const char *low_a, *high_a, *low_b, *high_b;
  pl_extent(a, &low_a, &high_a);
  pl_extent(b, &low_b, &high_b);
  return low_a < high_b && low_b < high_a;
}

void pl_assign(lua_State *L, const char *fn, const pl_tensor *to, int arg) {
  const pl_tensor *from = lua_touserdata(L, arg);
  pl_tensor view;
  if (!pl_view_expand(from, to->rank, to->shape, &view)) {
    const char *got = pl_push_shape_text(L, from->rank, from->shape);
    const char *expected = pl_push_shape_text(L, to->rank, to->shape);
    pl_raise(L, "%s: argument 'source': shape %s does not broadcast to %s", fn, got, expected);
  }
  if (pl_overlaps(to, from)) { /* through a copy: the order of the loop must not show */
    pl_tensor *copy = pl_push_tensor(L, fn, from->dtype, from->rank, from->shape);
    pl_copy(copy, from);
    pl_copy(to, copy);
    lua_pop(L, 1);
  } else {
    pl_copy(to, from);
  }
}

/* t:copy_(source): broadcasts and casts */
static int bind_copy(lua_State *L) {
  const pl_tensor *to = pl_check_writable(L, 1, "copy_");
  pl_check_tensor(L, 2, "copy_", "source");
  pl_assign(L, "copy_", to, 2);
  lua_settop(L, 1);
  return 1;
}

/* t:fill_(value) */
static int bind_fill(lua_State *L) {
  const pl_tensor *t = pl_check_writable(L, 1, "fill_");
  pl_scalar scalar;
  pl_check_scalar(L, 2, "fill_", "value", t->dtype, &scalar);
  pl_tensor from = pl_scalar_tensor(t->dtype, &scalar);
  pl_copy(t, &from);
  lua_settop(L, 1);
  return 1;
}

/* }==== Facts ==== {*/

static int push_list(lua_State *L, int n, const int64_t *values) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, values[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int bind_shape(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "shape", "self");
  return push_list(L, t->rank, t->shape);
}

static int bind_stride(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "stride", "self");
  return push_list(L, t->rank, t->stride);
}

static int bind_size(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "size", "self");
  lua_pushinteger(L, t->shape[pl_check_axis(L, 2, "size", t->rank)]);
  return 1;
}

static int bind_length(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "#", "self");
  if (t->rank == 0) pl_raise(L, "#: a tensor of rank 0 has no length");
  lua_pushinteger(L, t->shape[0]);
  return 1;
}

static int bind_dtype(lua_State *L) {
  lua_pushstring(L, pl_dtype_name(pl_check_tensor(L, 1, "dtype", "self")->dtype));
  return 1;
}

static int bind_rank(lua_State *L) {
  lua_pushinteger(L, pl_check_tensor(L, 1, "rank", "self")->rank);
  return 1;
}

static int bind_numel(lua_State *L) {
  lua_pushinteger(L, pl_check_tensor(L, 1, "numel", "self")->numel);
  return 1;
}

static int bind_is_contiguous(lua_State *L) {
  lua_pushboolean(L, pl_is_contiguous(pl_check_tensor(L, 1, "is_contiguous", "self")));
  return 1;
}

/* t:item() -> the number of a tensor that has one element */
static int bind_item(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "item", "self");
  if (t->numel != 1) pl_arg_error(L, 1, "item", "self", "a tensor of one element");
  pl_push_item(L, t);
  return 1;
}

/* core.is_tensor(value) */
static int bind_is_tensor(lua_State *L) {
  lua_pushboolean(L, pl_to_tensor(L, 1) != NULL);
  return 1;
}

/* core.fits(value, shape, dtype?, lead?): whether the value is a tensor of that dtype whose shape, after its
** first `lead` axes, is that list, or that of that tensor. In one call, for what is asked at every step. */
static int bind_fits(lua_State *L) {
  static const char fn[] = "fits";
  lua_settop(L, 4);
  const pl_tensor *t = pl_to_tensor(L, 1), *like = pl_to_tensor(L, 2);
  if (like == NULL && !lua_istable(L, 2)) pl_arg_error(L, 2, fn, "shape", "a list or a tensor");
  const char *dtype = lua_tostring(L, 3);
  const int lead = lua_isnil(L, 4) ? 0 : (int)pl_check_integer(L, 4, fn, "lead", 0, PL_MAX_RANK);
  bool fits = t != NULL && (dtype == NULL || strcmp(dtype, pl_dtype_name(t->dtype)) == 0);
  const lua_Integer rank = !fits ? 0 : like != NULL ? like->rank : (lua_Integer)lua_rawlen(L, 2);
  fits = fits && t->rank == lead + rank;
  for (int i = 0; fits && i < rank; i++) {
    if (like == NULL) lua_rawgeti(L, 2, i + 1);
    fits = t->shape[lead + i] == (like != NULL ? like->shape[i] : lua_tointeger(L, -1));
    if (like == NULL) lua_pop(L, 1);
  }
  lua_pushboolean(L, fits);
  return 1;
}

/* }==== */

void pl_bind_tensor(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"empty", bind_empty},         {"full", bind_full},
      {"ramp", bind_ramp},           {"from_table", bind_from_table},
      {"frombytes", bind_frombytes}, {"is_tensor", bind_is_tensor},
      {"fits", bind_fits},           {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"totable", bind_totable},
      {"tobytes", bind_tobytes},
      {"to", bind_to},
      {"clone", bind_clone},
      {"contiguous", bind_contiguous},
      {"copy_", bind_copy},
      {"fill_", bind_fill},
      {"shape", bind_shape},
      {"stride", bind_stride},
      {"size", bind_size},
      {"dtype", bind_dtype},
      {"rank", bind_rank},
      {"numel", bind_numel},
      {"is_contiguous", bind_is_contiguous},
      {"item", bind_item},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  for (const luaL_Reg *m = methods; m->name != NULL; m++) pl_add_method(L, m->name, m->func, 0);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_tensor_key);
  lua_pushcfunction(L, bind_length);
  lua_setfield(L, -2, "__len");
  lua_pop(L, 1);
  pl_bind_view(L);
}
