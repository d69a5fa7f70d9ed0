/*
** Views and indexing: slices, transposition, reshaping, expansion, t[i] and t[{…}], and
** assignment through them. Indices and axes are 1-based; negative ones count from the end.
*/
#include "bind/bind.h"

/* {==== Slices ==== */

/* A 1-based or negative index into an axis of that size; returned 0-based. */
static int64_t check_index(lua_State *L, int arg, const char *fn, int axis, int64_t size) {
  int exact = 0;
  lua_Integer index = 0;
  if (lua_type(L, arg) == LUA_TNUMBER) index = lua_tointegerx(L, arg, &exact);
  if (exact && index < 0) index += size + 1;
  if (!exact || index < 1 || index > size) {
    if (size == 0) pl_arg_error(L, arg, fn, "index", "no index: axis %d is empty", axis + 1);
    pl_arg_error(L, arg, fn, "index", "an index from 1 to %I (axis %d), or from -1 down",
                 (lua_Integer)size, axis + 1);
  }
  return index - 1;
}

static pl_tensor slice(lua_State *L, const char *fn, const pl_tensor *t, int axis, int first_arg,
                       int last_arg, int step_arg) {
  int64_t size = t->shape[axis], bound[2], step = 1;
  int arg[2] = {first_arg, last_arg};
  if (!lua_isnoneornil(L, step_arg)) {
    step = pl_check_integer(L, step_arg, fn, "step", -INT64_MAX, INT64_MAX);
    if (step == 0) pl_arg_error(L, step_arg, fn, "step", "a step other than 0");
  }
  for (int i = 0; i < 2; i++) {
    bool at_start = (i == 0) == (step > 0);
    bound[i] = at_start ? 1 : size;
    if (lua_isnoneornil(L, arg[i])) continue;
    const char *name = i == 0 ? "first" : "last";
    int64_t value = pl_check_integer(L, arg[i], fn, name, INT64_MIN, INT64_MAX);
    if (value < 0) value += size + 1;
    /* one place beyond either end is the empty slice's */
    int64_t low = at_start ? 1 : 0, high = at_start ? size + 1 : size;
    if (value < low || value > high)
      pl_arg_error(L, arg[i], fn, name, "an index from 1 to %I (axis %d), or from -1 down",
                   (lua_Integer)size, axis + 1);
    bound[i] = value;
  }
  int64_t span = step > 0 ? bound[1] - bound[0] : bound[0] - bound[1];
  int64_t length = span < 0 ? 0 : span / (step > 0 ? step : -step) + 1;
  return pl_view_slice(t, axis, bound[0] - 1, length, step);
}

/* t:select(axis, index) -> a view of one rank less */
static int bind_select(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "select", "self");
  int axis = pl_check_axis(L, 2, "select", t->rank);
  pl_tensor view = pl_view_select(t, axis, check_index(L, 3, "select", axis, t->shape[axis]));
  pl_push_view(L, 1, &view);
  return 1;
}

/* t:slice(axis, first, last [, step]): both ends included; nil is an end of the axis */
static int bind_slice(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "slice", "self");
  lua_settop(L, 5);
  pl_tensor view = slice(L, "slice", t, pl_check_axis(L, 2, "slice", t->rank), 3, 4, 5);
  pl_push_view(L, 1, &view);
  return 1;
}

/* t:narrow(axis, first, length) */
static int bind_narrow(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "narrow", "self");
  int axis = pl_check_axis(L, 2, "narrow", t->rank);
  int64_t size = t->shape[axis];
  int64_t first = pl_check_integer(L, 3, "narrow", "first", 1, size + 1);
  int64_t length = pl_check_integer(L, 4, "narrow", "length", 0, size - first + 1);
  pl_tensor view = pl_view_slice(t, axis, first - 1, length, 1);
  pl_push_view(L, 1, &view);
  return 1;
}

/* }==== Indexing ==== {*/

static _Noreturn void raise_field(lua_State *L) {
  pl_raise(L, "index: expected {}, {first, last} or {first, last, step}, got a field %s",
           pl_describe(L, -1));
}

/* The view that the integer or list at arg selects. */
static pl_tensor resolve(lua_State *L, const pl_tensor *t, int arg) {
  static const char fn[] = "index";
  if (t->rank == 0) pl_raise(L, "index: a tensor of rank 0 has no axis to index; use item()");
  if (!lua_istable(L, arg)) return pl_view_select(t, 0, check_index(L, arg, fn, 0, t->shape[0]));
  int64_t n = (int64_t)lua_rawlen(L, arg);
  if (n > t->rank)
    pl_raise(L, "index: expected at most %d indices for a tensor of rank %d, got %I", t->rank,
             t->rank, (lua_Integer)n);
  if (pl_find_other_key(L, arg, n, n)) raise_field(L);
  pl_tensor view = *t;
  int axis = 0;
  luaL_checkstack(L, 8, NULL);
  for (int64_t i = 1; i <= n; i++) {
    int item = lua_gettop(L) + 1;
    if (lua_rawgeti(L, arg, i) == LUA_TNUMBER) {
      view = pl_view_select(&view, axis, check_index(L, item, fn, axis, view.shape[axis]));
    } else {
      if (!lua_istable(L, item))
        pl_arg_error(L, item, fn, "index", "an integer, {}, {first, last} or {first, last, step}");
      lua_Integer fields = (lua_Integer)lua_rawlen(L, item);
      if (fields == 1 || fields > 3)
        pl_raise(L, "index: expected {}, {first, last} or {first, last, step}, got %I values",
                 fields);
      if (pl_find_other_key(L, item, fields, 3)) raise_field(L);
      for (int k = 1; k <= 3; k++) lua_rawgeti(L, item, k);
      view = slice(L, fn, &view, axis++, item + 1, item + 2, item + 3);
    }
    lua_settop(L, item - 1);
  }
  return view;
}

/* A name that no method has. The metatable's `missing`, which the library's Lua sets, loads it or
** knows what may have been meant. */
static int find_missing(lua_State *L) {
  lua_settop(L, 2);
  if (luaL_getmetafield(L, 1, "missing") == LUA_TFUNCTION) {
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    if (!lua_isnil(L, -1)) return 1;
  }
  pl_raise(L, "tensor has no method %s", pl_describe(L, 2));
}

/* t[key]: a method's name; an index; a list of indices and ranges; a mask; an index tensor */
static int bind_index(lua_State *L) {
  lua_settop(L, 2);
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) return find_missing(L);
    return 1;
  }
  const pl_tensor *t = pl_check_tensor(L, 1, "index", "self");
  const pl_tensor *key = NULL;
  switch (lua_type(L, 2)) {
    case LUA_TUSERDATA:
      key = pl_to_tensor(L, 2);
      if (key != NULL && (key->dtype == PL_UINT8 || key->dtype == PL_INT32)) {
        bool is_mask = key->dtype == PL_UINT8;
        lua_getfield(L, lua_upvalueindex(1), is_mask ? "masked_select" : "index_select");
        lua_pushvalue(L, 1);
        if (!is_mask) lua_pushinteger(L, 1);
        lua_pushvalue(L, 2);
        lua_call(L, is_mask ? 2 : 3, 1);
        return 1;
      }
      break;
    case LUA_TNUMBER:
    case LUA_TTABLE: {
      pl_tensor view = resolve(L, t, 2);
      if (view.rank == 0)
        pl_push_item(L, &view);
      else
        pl_push_view(L, 1, &view);
      return 1;
    }
    default: break;
  }
  pl_arg_error(L, 2, "index", "index",
               "an integer, a list such as {1, {2, 3}, {}}, a uint8 mask or an int32 tensor");
}

/* t[key] = number | tensor of the same dtype | nested table */
static int bind_newindex(lua_State *L) {
  static const char fn[] = "assignment";
  const pl_tensor *t = pl_check_writable(L, 1, fn);
  lua_settop(L, 3);
  const pl_tensor *mask = pl_to_tensor(L, 2);
  if (mask != NULL && mask->dtype == PL_UINT8) {
    lua_getfield(L, lua_upvalueindex(1), "masked_fill_");
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    return 0;
  }
  if (lua_type(L, 2) != LUA_TNUMBER && !lua_istable(L, 2))
    pl_arg_error(L, 2, fn, "index", "an integer, a list such as {1, {2, 3}, {}} or a uint8 mask");
  pl_tensor view = resolve(L, t, 2);
  const pl_tensor *source = pl_to_tensor(L, 3);
  if (source != NULL) {
    if (source->dtype != t->dtype)
      pl_arg_error(L, 3, fn, "value", "dtype %s like the target (cast with :to(\"%s\"))",
                   pl_dtype_name(t->dtype), pl_dtype_name(t->dtype));
    pl_assign(L, fn, &view, 3);
  } else if (lua_istable(L, 3)) {
    pl_push_from_table(L, 3, fn, t->dtype);
    pl_assign(L, fn, &view, lua_gettop(L));
  } else {
    pl_scalar scalar;
    pl_check_scalar(L, 3, fn, "value", t->dtype, &scalar);
    pl_tensor from = pl_scalar_tensor(t->dtype, &scalar);
    pl_copy(&view, &from);
  }
  return 0;
}

/* }==== Axes ==== {*/

/* Collects integers from a list at arg 2 or from the arguments 2 .. top. */
static int check_list(lua_State *L, const char *fn, const char *name, int64_t low,
                      int64_t values[PL_MAX_RANK]) {
  bool is_table = lua_istable(L, 2);
  int64_t n = is_table ? (int64_t)lua_rawlen(L, 2) : lua_gettop(L) - 1;
  if (n > PL_MAX_RANK)
    pl_raise(L, "%s: argument '%s': expected at most %d integers, got %I", fn, name, PL_MAX_RANK,
             (lua_Integer)n);
  for (int i = 0; i < n; i++) {
    if (is_table)
      lua_rawgeti(L, 2, i + 1);
    else
      lua_pushvalue(L, i + 2);
    values[i] = pl_check_integer(L, -1, fn, name, low, INT64_MAX);
    lua_pop(L, 1);
  }
  return (int)n;
}

/* t:permute(axes…): axis i of the result is axis axes[i] of t */
static int bind_permute(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "permute", "self");
  int64_t values[PL_MAX_RANK];
  int axes[PL_MAX_RANK], n = check_list(L, "permute", "axes", INT64_MIN, values);
  if (n != t->rank)
    pl_raise(L, "permute: argument 'axes': expected %d axes, one for each of the tensor's, got %d",
             t->rank, n);
  bool seen[PL_MAX_RANK] = {false};
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, values[i]);
    axes[i] = pl_check_axis(L, -1, "permute", t->rank);
    if (seen[axes[i]]) pl_raise(L, "permute: argument 'axes': axis %d is named twice", axes[i] + 1);
    seen[axes[i]] = true;
  }
  pl_tensor view = pl_view_permute(t, axes);
  pl_push_view(L, 1, &view);
  return 1;
}

static int push_swapped(lua_State *L, const pl_tensor *t, int a, int b) {
  int axes[PL_MAX_RANK];
  for (int i = 0; i < t->rank; i++) axes[i] = i == a ? b : i == b ? a : i;
  pl_tensor view = pl_view_permute(t, axes);
  pl_push_view(L, 1, &view);
  return 1;
}

/* t:transpose(a, b): two axes swapped */
static int bind_transpose(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "transpose", "self");
  int a = pl_check_axis(L, 2, "transpose", t->rank);
  return push_swapped(L, t, a, pl_check_axis(L, 3, "transpose", t->rank));
}

/* t:t(): the transpose of a matrix */
static int bind_t(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "t", "self");
  if (t->rank != 2)
    pl_arg_error(L, 1, "t", "self", "a matrix (for other ranks: transpose(a, b) or permute)");
  return push_swapped(L, t, 0, 1);
}

/* t:squeeze([axis]): drops that axis, or every axis, of size 1 */
static int bind_squeeze(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "squeeze", "self");
  pl_tensor view = *t;
  if (lua_isnoneornil(L, 2)) {
    for (int i = t->rank - 1; i >= 0; i--) {
      if (t->shape[i] == 1) view = pl_view_squeeze(&view, i);
    }
  } else {
    int axis = pl_check_axis(L, 2, "squeeze", t->rank);
    if (t->shape[axis] != 1)
      pl_raise(L, "squeeze: argument 'axis': expected an axis of size 1, got size %I of axis %d",
               (lua_Integer)t->shape[axis], axis + 1);
    view = pl_view_squeeze(t, axis);
  }
  pl_push_view(L, 1, &view);
  return 1;
}

/* t:unsqueeze(axis): a new axis of size 1, which becomes that axis of the result */
static int bind_unsqueeze(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "unsqueeze", "self");
  if (t->rank == PL_MAX_RANK) pl_raise(L, "unsqueeze: a tensor has at most %d axes", PL_MAX_RANK);
  pl_tensor view = pl_view_unsqueeze(t, pl_check_axis(L, 2, "unsqueeze", t->rank + 1));
  pl_push_view(L, 1, &view);
  return 1;
}

/* }==== Shapes ==== {*/

/* The shape asked for, with one -1 inferred from the number of elements. */
static int check_reshape(lua_State *L, const char *fn, const pl_tensor *t,
                         int64_t shape[PL_MAX_RANK]) {
  int rank = check_list(L, fn, "shape", -1, shape), inferred = -1;
  int64_t known = 1;
  bool fits = true;
  for (int i = 0; i < rank; i++) {
    if (shape[i] >= 0) {
      fits = fits && pl_size_mul(known, shape[i], &known);
      continue;
    }
    if (inferred >= 0) pl_raise(L, "%s: argument 'shape': only one size can be -1", fn);
    inferred = i;
  }
  if (fits && inferred >= 0) {
    fits = known > 0 && t->numel % known == 0;
    shape[inferred] = fits ? t->numel / known : -1;
  } else {
    fits = fits && known == t->numel;
  }
  pl_tensor probe;
  if (fits && !pl_init_contiguous(&probe, PL_FLOAT64, rank, shape)) /* {0, 2^62, 2^62} */
    pl_raise(L, "%s: argument 'shape': %s has more elements than memory can hold", fn,
             pl_push_shape_text(L, rank, shape));
  if (!fits) {
    const char *wanted = pl_push_shape_text(L, rank, shape);
    const char *have = pl_push_shape_text(L, t->rank, t->shape);
    pl_raise(L, "%s: argument 'shape': %s does not hold the %I elements of a tensor %s", fn, wanted,
             (lua_Integer)t->numel, have);
  }
  return rank;
}

/* t:reshape(sizes…): a view where strides allow it, or else a copy */
static int bind_reshape(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "reshape", "self");
  int64_t shape[PL_MAX_RANK];
  int rank = check_reshape(L, "reshape", t, shape);
  pl_tensor view;
  if (pl_view_reshape(t, rank, shape, &view)) {
    pl_push_view(L, 1, &view);
  } else {
    pl_tensor *copy = pl_push_contiguous(L, "reshape", 1);
    pl_view_reshape(copy, rank, shape, copy);
  }
  return 1;
}

/* t:view(sizes…): as reshape, but never a copy */
static int bind_view(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "view", "self");
  int64_t shape[PL_MAX_RANK];
  int rank = check_reshape(L, "view", t, shape);
  pl_tensor view;
  if (!pl_view_reshape(t, rank, shape, &view))
    pl_raise(L, "view: the tensor's strides do not allow this shape without a copy; use reshape");
  pl_push_view(L, 1, &view);
  return 1;
}

static int push_expanded(lua_State *L, const char *fn, const pl_tensor *t, int rank,
                         const int64_t *shape) {
  pl_tensor view;
  if (!pl_view_expand(t, rank, shape, &view)) {
    const char *wanted = pl_push_shape_text(L, rank, shape);
    const char *have = pl_push_shape_text(L, t->rank, t->shape);
    pl_raise(L, "%s: argument 'shape': a tensor %s does not broadcast to %s", fn, have, wanted);
  }
  pl_push_view(L, 1, &view);
  return 1;
}

/* t:expand(sizes…): axes of size 1 stretched without a copy; -1 keeps a size */
static int bind_expand(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "expand", "self");
  int64_t shape[PL_MAX_RANK];
  int rank = check_list(L, "expand", "shape", -1, shape), lead = rank - t->rank;
  pl_tensor probe;
  for (int i = 0; i < rank; i++) {
    if (shape[i] < 0 && i < lead)
      pl_raise(L, "expand: argument 'shape': -1 keeps a size, but axis %d is new", i + 1);
    if (shape[i] < 0) shape[i] = t->shape[i - lead];
  }
  if (!pl_init_contiguous(&probe, PL_FLOAT64, rank, shape))
    pl_raise(L, "expand: argument 'shape': %s has more elements than memory can hold",
             pl_push_shape_text(L, rank, shape));
  return push_expanded(L, "expand", t, rank, shape);
}

/* t:expand_as(other) */
static int bind_expand_as(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "expand_as", "self");
  const pl_tensor *other = pl_check_tensor(L, 2, "expand_as", "other");
  return push_expanded(L, "expand_as", t, other->rank, other->shape);
}

/* }==== */

void pl_bind_view(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"select", bind_select},
      {"slice", bind_slice},
      {"narrow", bind_narrow},
      {"permute", bind_permute},
      {"t", bind_t},
      {"transpose", bind_transpose},
      {"squeeze", bind_squeeze},
      {"reshape", bind_reshape},
      {"unsqueeze", bind_unsqueeze},
      {"expand", bind_expand},
      {"view", bind_view},
      {"expand_as", bind_expand_as},
      {NULL, NULL},
  };
  for (const luaL_Reg *m = methods; m->name != NULL; m++) pl_add_method(L, m->name, m->func, 0);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_tensor_key);
  lua_getfield(L, -2, "methods");
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, bind_index, 1);
  lua_setfield(L, -3, "__index");
  lua_pushcclosure(L, bind_newindex, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pop(L, 1);
}
