/*
** Selecting and scattering elements, sorting, joining and cutting. Indices are checked here,
** before anything is written.
*/
#include "tensor/index.h"

#include "bind/bind.h"
#include "tensor/map.h"

/* {==== Indices ==== */

/* Every index lies within an axis of that size. Comes after all allocation: a finalizer run by it
** may still write to the index. */
static void check_range(lua_State *L, const char *fn, const pl_tensor *index, int64_t size,
                        int axis) {
  const int32_t *list = index->data;
  int64_t at = pl_index_outside(list, index->numel, size), place[PL_MAX_RANK];
  if (at < 0) return;
  const int value = list[at];
  for (int i = index->rank - 1; i >= 0; i--) {
    place[i] = at % index->shape[i] + 1;
    at /= index->shape[i];
  }
  pl_raise(L, "%s: argument 'index': element %s is %d; expected 1 to %I, the size of axis %d", fn,
           pl_push_shape_text(L, index->rank, place), value, (lua_Integer)size, axis + 1);
}

/* The indices at arg, a list or a tensor of rank 1, contiguous and apart from self's memory;
** pushes what holds them. */
static pl_tensor read_indices(lua_State *L, int arg, const char *fn, const pl_tensor *self) {
  const pl_tensor *index = pl_to_tensor(L, arg);
  if (index != NULL && index->dtype == PL_INT32 && index->rank == 1) {
    if (!pl_overlaps(index, self)) return *pl_push_contiguous(L, fn, arg);
    const pl_tensor *copy = pl_push_tensor(L, fn, PL_INT32, 1, index->shape);
    pl_copy(copy, index);
    return *copy;
  }
  if (!lua_istable(L, arg))
    pl_arg_error(L, arg, fn, "index", "a list of integers or a tensor of rank 1 and dtype int32");
  const int64_t count = (int64_t)lua_rawlen(L, arg);
  const pl_tensor *list = pl_push_tensor(L, fn, PL_INT32, 1, &count);
  for (int64_t i = 0; i < count; i++) {
    int is_integer = 0;
    lua_Integer value = 0;
    if (lua_rawgeti(L, arg, i + 1) == LUA_TNUMBER) value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || value != (int32_t)value)
      pl_raise(L, "%s: argument 'index': element {%I}: expected an index from 1 up, got %s", fn,
               (lua_Integer)(i + 1), pl_describe(L, -1));
    ((int32_t *)list->data)[i] = (int32_t)value;
    lua_pop(L, 1);
  }
  return *list;
}

/* self's shape with another size along an axis. */
static void shape_with(const pl_tensor *self, int axis, int64_t size, int64_t *shape) {
  for (int i = 0; i < self->rank; i++) shape[i] = i == axis ? size : self->shape[i];
}

/* t:index_select(axis, index) */
static int bind_index_select(lua_State *L) {
  static const char fn[] = "index_select";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const int axis = pl_check_axis(L, 2, fn, t->rank);
  int64_t shape[PL_MAX_RANK];
  lua_settop(L, 3);
  const pl_tensor index = read_indices(L, 3, fn, t);
  shape_with(t, axis, index.numel, shape);
  const pl_tensor *out = pl_push_tensor(L, fn, t->dtype, t->rank, shape);
  check_range(L, fn, &index, t->shape[axis], axis);
  pl_take(t, axis, index.data, index.numel, out);
  return 1;
}

/* t:index_add_(axis, index, source [, scale]): repeated indices accumulate, in order */
static int bind_index_add(lua_State *L) {
  static const char fn[] = "index_add_";
  const pl_tensor *t = pl_check_writable(L, 1, fn);
  const int axis = pl_check_axis(L, 2, fn, t->rank);
  int64_t shape[PL_MAX_RANK];
  lua_settop(L, 5);
  const pl_tensor index = read_indices(L, 3, fn, t);
  const pl_tensor *source = pl_check_dtype(L, 4, fn, "source", t->dtype);
  shape_with(t, axis, index.numel, shape);
  bool same = source->rank == t->rank;
  for (int i = 0; same && i < t->rank; i++) same = source->shape[i] == shape[i];
  if (!same)
    pl_arg_error(L, 4, fn, "source", "a tensor of shape %s", pl_push_shape_text(L, t->rank, shape));
  double scale = 1;
  if (!lua_isnil(L, 5)) {
    if (pl_dtype_is_float(t->dtype))
      scale = pl_check_number(L, 5, fn, "scale");
    else
      scale = (double)pl_check_integer(L, 5, fn, "scale", INT32_MIN, INT32_MAX);
  }
  if (pl_overlaps(t, source)) {
    pl_tensor *copy = pl_push_tensor(L, fn, source->dtype, source->rank, source->shape);
    pl_copy(copy, source);
    source = copy;
  }
  check_range(L, fn, &index, t->shape[axis], axis);
  pl_index_add(t, axis, index.data, index.numel, source, scale);
  lua_settop(L, 1);
  return 1;
}

/* t:gather(axis, index): result[i][j] = t[index[i][j]][j] for axis 1 */
static int bind_gather(lua_State *L) {
  static const char fn[] = "gather";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const int axis = pl_check_axis(L, 2, fn, t->rank);
  const pl_tensor *index = pl_check_dtype(L, 3, fn, "index", PL_INT32);
  lua_settop(L, 3);
  bool same = index->rank == t->rank;
  for (int i = 0; same && i < t->rank; i++) same = i == axis || index->shape[i] == t->shape[i];
  if (!same) {
    const char *shape = pl_push_shape_text(L, t->rank, t->shape);
    pl_arg_error(L, 3, fn, "index", "a tensor of shape %s, but for axis %d", shape, axis + 1);
  }
  index = pl_push_contiguous(L, fn, 3);
  const pl_tensor *out = pl_push_tensor(L, fn, t->dtype, index->rank, index->shape);
  check_range(L, fn, index, t->shape[axis], axis);
  pl_gather(t, axis, index, out);
  return 1;
}

/* }==== Masks ==== {*/

/* The mask at arg, stretched to self's shape. */
static pl_tensor check_mask(lua_State *L, int arg, const char *fn, const pl_tensor *self) {
  const pl_tensor *mask = pl_check_dtype(L, arg, fn, "mask", PL_UINT8);
  pl_tensor stretched;
  if (!pl_view_expand(mask, self->rank, self->shape, &stretched))
    pl_arg_error(L, arg, fn, "mask", "a mask that broadcasts to self's shape %s",
                 pl_push_shape_text(L, self->rank, self->shape));
  return stretched;
}

/* t:masked_select(mask): rank 1, in row-major order */
static int bind_masked_select(lua_State *L) {
  static const char fn[] = "masked_select";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const pl_tensor mask = check_mask(L, 2, fn, t);
  int64_t *found = pl_push_workspace(L, fn, pl_find_workspace(&mask));
  const int64_t count = pl_find(&mask, found);
  const pl_tensor *out = pl_push_tensor(L, fn, t->dtype, 1, &count);
  pl_masked_select(t, &mask, found, out);
  return 1;
}

/* out := value where the mask is not 0, t elsewhere */
static void fill(const pl_tensor *out, const pl_tensor *mask, pl_scalar *value,
                 const pl_tensor *t) {
  pl_tensor scalar = pl_scalar_tensor(t->dtype, value), stretched;
  pl_view_expand(&scalar, t->rank, t->shape, &stretched);
  const pl_tensor *operands[] = {out, mask, &stretched, t};
  pl_map(pl_kernels_get()->map[PL_where][t->dtype], 4, operands, NULL);
}

/* t:masked_fill(mask, value) */
static int bind_masked_fill(lua_State *L) {
  static const char fn[] = "masked_fill";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const pl_tensor mask = check_mask(L, 2, fn, t);
  pl_scalar value;
  lua_settop(L, 3);
  pl_check_scalar(L, 3, fn, "value", t->dtype, &value);
  fill(pl_push_tensor(L, fn, t->dtype, t->rank, t->shape), &mask, &value, t);
  return 1;
}

/* t:masked_fill_(mask, value) */
static int bind_masked_fill_in_place(lua_State *L) {
  static const char fn[] = "masked_fill_";
  const pl_tensor *t = pl_check_writable(L, 1, fn);
  pl_tensor mask = check_mask(L, 2, fn, t);
  pl_scalar value;
  lua_settop(L, 3);
  pl_check_scalar(L, 3, fn, "value", t->dtype, &value);
  if (pl_overlaps(t, &mask)) {
    const pl_tensor *copy = pl_push_tensor(L, fn, PL_UINT8, mask.rank, mask.shape);
    pl_copy(copy, &mask);
    mask = *copy;
  }
  fill(t, &mask, &value, t);
  lua_settop(L, 1);
  return 1;
}

/* t:nonzero() -> int32 {n, rank}, row-major order */
static int bind_nonzero(lua_State *L) {
  static const char fn[] = "nonzero";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  for (int i = 0; i < t->rank; i++) {
    if (t->shape[i] > INT32_MAX)
      pl_arg_error(L, 1, fn, "self", "a tensor whose sizes int32 indices can count");
  }
  int64_t *found = pl_push_workspace(L, fn, pl_find_workspace(t));
  const int64_t shape[] = {pl_find(t, found), t->rank};
  pl_nonzero(t, found, pl_push_tensor(L, fn, PL_INT32, 2, shape));
  return 1;
}

/* }==== Sorting ==== {*/

static int check_sort_axis(lua_State *L, int arg, const char *fn, const pl_tensor *t) {
  const int axis = pl_opt_axis(L, arg, fn, t);
  if (t->shape[axis] > INT32_MAX)
    pl_arg_error(L, 1, fn, "self", "a tensor whose sizes int32 indices can count");
  return axis;
}

/* Pushes values, if wanted, and indices; returns how many. */
static int push_sorted(lua_State *L, const char *fn, const pl_tensor *t, int axis, int64_t k,
                       bool descending, bool want_values) {
  int64_t shape[PL_MAX_RANK];
  shape_with(t, axis, k, shape);
  void *workspace = pl_push_workspace(L, fn, pl_sort_workspace(t, axis));
  const pl_tensor *values = want_values ? pl_push_tensor(L, fn, t->dtype, t->rank, shape) : NULL;
  const pl_tensor *indices = pl_push_tensor(L, fn, PL_INT32, t->rank, shape);
  pl_sort(t, axis, k, descending, values, indices, workspace);
  return want_values ? 2 : 1;
}

static int sort(lua_State *L, const char *fn, bool want_values) {
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const int axis = check_sort_axis(L, 2, fn, t);
  const bool descending = pl_opt_boolean(L, 3, fn, "descending", false);
  return push_sorted(L, fn, t, axis, t->shape[axis], descending, want_values);
}

/* t:sort([axis [, descending]]) -> values, indices */
static int bind_sort(lua_State *L) { return sort(L, "sort", true); }

/* t:argsort([axis [, descending]]) -> indices */
static int bind_argsort(lua_State *L) { return sort(L, "argsort", false); }

/* t:topk(k [, axis [, largest]]) -> values, indices */
static int bind_topk(lua_State *L) {
  static const char fn[] = "topk";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const int axis = check_sort_axis(L, 3, fn, t);
  lua_settop(L, 4);
  const int64_t k = pl_check_integer(L, 2, fn, "k", 0, t->shape[axis]);
  const bool largest = pl_opt_boolean(L, 4, fn, "largest", true);
  return push_sorted(L, fn, t, axis, k, largest, true);
}

/* }==== Joining and cutting ==== {*/

static lua_Integer check_list(lua_State *L, const char *fn) {
  const lua_Integer n = lua_istable(L, 1) ? (lua_Integer)lua_rawlen(L, 1) : 0;
  if (n == 0) {
    if (lua_istable(L, 1)) pl_raise(L, "%s: argument 'list': expected tensors, got {}", fn);
    pl_arg_error(L, 1, fn, "list", "a list of tensors");
  }
  return n;
}

/* Entry i of the list at argument 1, left on the stack's top: of the first's dtype and of its
** shape, but for the axis unless that is -1. */
static const pl_tensor *check_entry(lua_State *L, const char *fn, lua_Integer i,
                                    const pl_tensor *first, int axis) {
  lua_rawgeti(L, 1, i);
  const pl_tensor *t = pl_to_tensor(L, -1);
  if (t == NULL)
    pl_raise(L, "%s: argument 'list': entry %I: expected a tensor, got %s", fn, i,
             pl_describe(L, -1));
  if (first == NULL) return t;
  if (t->dtype != first->dtype)
    pl_raise(L, "%s: argument 'list': entry %I has dtype %s, but entry 1 has %s", fn, i,
             pl_dtype_name(t->dtype), pl_dtype_name(first->dtype));
  bool fits = t->rank == first->rank;
  for (int k = 0; fits && k < t->rank; k++) fits = k == axis || t->shape[k] == first->shape[k];
  if (!fits) {
    const char *got = pl_push_shape_text(L, t->rank, t->shape);
    const char *expected = pl_push_shape_text(L, first->rank, first->shape);
    const char *but = "";
    if (axis >= 0) but = lua_pushfstring(L, " (axis %d may differ)", axis + 1);
    pl_raise(L, "%s: argument 'list': entry %I has shape %s, but entry 1 has %s%s", fn, i, got,
             expected, but);
  }
  return t;
}

/* core.concatenate(list [, axis]) */
static int bind_concatenate(lua_State *L) {
  static const char fn[] = "concatenate";
  if (pl_defer_list(L, fn)) return lua_gettop(L);
  const lua_Integer n = check_list(L, fn);
  lua_settop(L, 2);
  const pl_tensor *first = check_entry(L, fn, 1, NULL, -1); /* stays at 3 */
  if (first->rank == 0)
    pl_raise(L, "%s: argument 'list': tensors of rank 0 have no axis; use stack", fn);
  const int axis = lua_isnil(L, 2) ? 0 : pl_check_axis(L, 2, fn, first->rank);
  int64_t shape[PL_MAX_RANK], size = 0;
  for (lua_Integer i = 1; i <= n; i++) {
    const pl_tensor *t = check_entry(L, fn, i, first, axis);
    if (__builtin_add_overflow(size, t->shape[axis], &size))
      pl_raise(L, "%s: the result has more elements than memory can hold", fn);
    lua_pop(L, 1);
  }
  shape_with(first, axis, size, shape);
  const pl_tensor *out = pl_push_tensor(L, fn, first->dtype, first->rank, shape);
  int64_t at = 0;
  for (lua_Integer i = 1; i <= n; i++) { /* checked again: allocation may run finalizers */
    const pl_tensor *t = check_entry(L, fn, i, first, axis);
    if (t->shape[axis] > size - at) pl_raise(L, "%s: the list changed meanwhile", fn);
    const pl_tensor part = pl_view_slice(out, axis, at, t->shape[axis], 1);
    pl_copy(&part, t);
    at += t->shape[axis];
    lua_pop(L, 1);
  }
  return 1;
}

/* core.stack(list [, axis]) */
static int bind_stack(lua_State *L) {
  static const char fn[] = "stack";
  if (pl_defer_list(L, fn)) return lua_gettop(L);
  const lua_Integer n = check_list(L, fn);
  lua_settop(L, 2);
  const pl_tensor *first = check_entry(L, fn, 1, NULL, -1); /* stays at 3 */
  if (first->rank == PL_MAX_RANK)
    pl_raise(L, "%s: argument 'list': expected tensors of rank %d at most, got rank %d", fn,
             PL_MAX_RANK - 1, first->rank);
  const int axis = lua_isnil(L, 2) ? 0 : pl_check_axis(L, 2, fn, first->rank + 1);
  for (lua_Integer i = 1; i <= n; i++) {
    check_entry(L, fn, i, first, -1);
    lua_pop(L, 1);
  }
  pl_tensor base = pl_view_unsqueeze(first, axis);
  base.shape[axis] = n;
  const pl_tensor *out = pl_push_tensor(L, fn, first->dtype, base.rank, base.shape);
  for (lua_Integer i = 1; i <= n; i++) {
    const pl_tensor part = pl_view_select(out, axis, i - 1);
    pl_copy(&part, check_entry(L, fn, i, first, -1));
    lua_pop(L, 1);
  }
  return 1;
}

/* Appends the view of `size` from `at` on to the table on the stack's top. */
static void append_piece(lua_State *L, const pl_tensor *t, int axis, int64_t at, int64_t size,
                         lua_Integer place) {
  const pl_tensor piece = pl_view_slice(t, axis, at, size, 1);
  pl_push_view(L, 1, &piece);
  lua_rawseti(L, -2, place);
}

/* t:split(size | sizes [, axis]) -> list of views */
static int bind_split(lua_State *L) {
  static const char fn[] = "split";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  if (t->rank == 0) pl_arg_error(L, 1, fn, "self", "a tensor of rank 1 or more");
  lua_settop(L, 3);
  const int axis = lua_isnil(L, 3) ? 0 : pl_check_axis(L, 3, fn, t->rank);
  const int64_t whole = t->shape[axis];
  lua_Integer count = 0;
  if (!lua_istable(L, 2)) {
    if (lua_type(L, 2) != LUA_TNUMBER)
      pl_arg_error(L, 2, fn, "sizes", "a size or a list of sizes such as {2, 3}");
    const int64_t size = pl_check_integer(L, 2, fn, "sizes", 1, INT64_MAX);
    lua_newtable(L);
    for (int64_t at = 0; at < whole;) {
      const int64_t piece = whole - at < size ? whole - at : size;
      append_piece(L, t, axis, at, piece, ++count);
      at += piece;
    }
    return 1;
  }
  count = (lua_Integer)lua_rawlen(L, 2);
  int64_t total = 0;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    total += pl_check_integer(L, -1, fn, "sizes", 0, whole);
    lua_pop(L, 1);
    if (total > whole) break;
  }
  if (total != whole)
    pl_raise(L, "%s: argument 'sizes': expected a sum of %I, the size of axis %d, got %s%I", fn,
             (lua_Integer)whole, axis + 1, total > whole ? "at least " : "", (lua_Integer)total);
  lua_newtable(L);
  total = 0;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    const int64_t size = pl_check_integer(L, -1, fn, "sizes", 0, whole - total);
    lua_pop(L, 1);
    append_piece(L, t, axis, total, size, i);
    total += size;
  }
  return 1;
}

/* }==== */

void pl_bind_index(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"concatenate", bind_concatenate},
      {"stack", bind_stack},
      {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"index_select", bind_index_select},
      {"index_add_", bind_index_add},
      {"gather", bind_gather},
      {"masked_select", bind_masked_select},
      {"masked_fill", bind_masked_fill},
      {"masked_fill_", bind_masked_fill_in_place},
      {"nonzero", bind_nonzero},
      {"sort", bind_sort},
      {"argsort", bind_argsort},
      {"topk", bind_topk},
      {"split", bind_split},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
  for (const luaL_Reg *m = methods; m->name != NULL; m++) pl_add_method(L, m->name, m->func, 0);
}
