/*
** Reductions, scans along an axis, and comparisons of whole tensors.
*/
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "tensor/reduce.h"

/* {==== Reductions ==== */

static const char *const names[PL_REDUCTION_COUNT] = {
    [PL_SUM] = "sum",
    [PL_MEAN] = "mean",
    [PL_PROD] = "prod",
    [PL_VAR] = "var",
    [PL_STD] = "std",
    [PL_MIN] = "min",
    [PL_MAX] = "max",
    [PL_ANY] = "any",
    [PL_ARGMIN] = "argmin",
    [PL_ARGMAX] = "argmax",
    [PL_ALL] = "all",
    [PL_NORM] = "norm",
    [PL_LOGSUMEXP] = "logsumexp",
};

typedef struct {
  unsigned axes; /* the reduced axes' bits */
  bool all;      /* they are every axis */
  bool keepdims;
  double correction;
} reduce_args;

static bool has_correction(pl_reduction_op op) { return op == PL_VAR || op == PL_STD; }

/* Adds the axis at arg; a table's entries are named by their place. */
static void add_axis(lua_State *L, int arg, const char *fn, int rank, unsigned *axes) {
  const unsigned axis = 1u << pl_check_axis(L, arg, fn, rank);
  if (*axes & axis)
    pl_raise(L, "%s: argument 'axes': axis %I is given twice", fn, lua_tointeger(L, arg));
  *axes |= axis;
}

/* Reads {1, 2, keepdims = true, correction = 1} at argument 2. */
static void read_table(lua_State *L, pl_reduction_op op, int rank, reduce_args *args) {
  const char *fn = names[op];
  const lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    add_axis(L, lua_gettop(L), fn, rank, &args->axes);
    lua_pop(L, 1);
  }
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    const int value = lua_gettop(L), key = value - 1;
    const char *name = lua_type(L, key) == LUA_TSTRING ? lua_tostring(L, key) : "";
    const bool is_keepdims = strcmp(name, "keepdims") == 0;
    if (is_keepdims || (has_correction(op) && strcmp(name, "correction") == 0)) {
      const int place = is_keepdims ? 3 : 4;
      if (!lua_isnil(L, place)) pl_raise(L, "%s: argument '%s' is given twice", fn, name);
      lua_replace(L, place);
    } else if (!lua_isinteger(L, key) || lua_tointeger(L, key) < 1 || lua_tointeger(L, key) > n) {
      pl_raise(L,
               "%s: unknown option %s; known are: keepdims%s; axes stand first: t:%s{1, keepdims = "
               "true}",
               fn, pl_describe(L, key), has_correction(op) ? ", correction" : "", fn);
    } else {
      lua_pop(L, 1);
    }
  }
}

static reduce_args check_args(lua_State *L, pl_reduction_op op, const pl_tensor *t) {
  const char *fn = names[op];
  reduce_args args = {0};
  lua_settop(L, 4); /* self, axes, keepdims, correction */
  if (lua_istable(L, 2)) {
    read_table(L, op, t->rank, &args);
  } else if (!lua_isnil(L, 2)) {
    if (lua_type(L, 2) != LUA_TNUMBER)
      pl_arg_error(L, 2, fn, "axes", "an axis or a list of axes such as {1, 2}");
    add_axis(L, 2, fn, t->rank, &args.axes);
  }
  const unsigned every = (1u << t->rank) - 1;
  if (args.axes == 0) args.axes = every;
  args.all = args.axes == every;
  if (lua_istable(L, 3))
    pl_arg_error(L, 3, fn, "keepdims",
                 "true or false (options stand with the axes: "
                 "t:%s{1, keepdims = true})",
                 fn);
  args.keepdims = pl_opt_boolean(L, 3, fn, "keepdims", false);
  if (has_correction(op) && !lua_isnil(L, 4)) {
    args.correction = pl_check_number(L, 4, fn, "correction");
    if (!(args.correction >= 0 && args.correction < INFINITY))
      pl_arg_error(L, 4, fn, "correction", "a number from 0 up");
  }
  return args;
}

static bool needs_elements(pl_reduction_op op) {
  return op == PL_MIN || op == PL_MAX || op == PL_ARGMIN || op == PL_ARGMAX;
}

/* t:sum([axes [, keepdims]]), ...; the operation is the closure's upvalue */
static int bind_reduce(lua_State *L) {
  const pl_reduction_op op = (pl_reduction_op)lua_tointeger(L, lua_upvalueindex(1));
  const char *fn = names[op];
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const reduce_args args = check_args(L, op, t);
  const pl_dtype dtype = pl_reduction_dtype(op, t->dtype);
  pl_reduction reduction;
  pl_reduction_make(&reduction, op, t, args.axes, args.correction);
  if (needs_elements(op) && reduction.reduced.count == 0 && reduction.kept.count > 0)
    pl_raise(L, "%s: a tensor %s has no elements along the axes to reduce", fn,
             pl_push_shape_text(L, t->rank, t->shape));
  if (t->dtype == PL_INT32 && (op == PL_SUM || op == PL_MEAN) &&
      reduction.reduced.count > INT64_C(1) << 32)
    pl_raise(L, "%s: more than 2^32 int32 elements to a sum; use :double()", fn);
  const size_t bytes = pl_reduction_workspace(&reduction);
  void *workspace = bytes > 0 ? pl_push_scratch(L, fn, bytes) : NULL;

  if (args.all && !args.keepdims) {
    pl_acc result;
    bool integer;
    if (!pl_reduce_all(&reduction, workspace, &result, &integer))
      pl_raise(L, "%s: the result does not fit a 64-bit integer; use :double()", fn);
    if (op == PL_ANY || op == PL_ALL)
      lua_pushboolean(L, result.i != 0);
    else if (integer)
      lua_pushinteger(L, result.i);
    else
      lua_pushnumber(L, result.f);
    return 1;
  }
  int rank = 0;
  int64_t shape[PL_MAX_RANK];
  for (int i = 0; i < t->rank; i++) {
    if (!(args.axes >> i & 1))
      shape[rank++] = t->shape[i];
    else if (args.keepdims)
      shape[rank++] = 1;
  }
  const pl_tensor *out = pl_push_tensor(L, fn, dtype, rank, shape);
  if (!pl_reduce(&reduction, out, workspace))
    pl_raise(L, "%s: a result does not fit int32; use :double()", fn);
  return 1;
}

/* }==== Scans ==== {*/

/* t:cumsum([axis]) */
static int bind_cumsum(lua_State *L) {
  static const char fn[] = "cumsum";
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  const int axis = pl_opt_axis(L, 2, fn, t);
  const pl_dtype dtype = pl_reduction_dtype(PL_SUM, t->dtype);
  const pl_tensor *out = pl_push_tensor(L, fn, dtype, t->rank, t->shape);
  if (!pl_scan(pl_kernels_get()->cumsum[t->dtype], t, axis, out))
    pl_raise(L, "%s: a result does not fit int32; use :double()", fn);
  return 1;
}

static int scan_floats(lua_State *L, const char *fn, pl_scan_fn *const *scan) {
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  if (!pl_dtype_is_float(t->dtype))
    pl_arg_error(L, 1, fn, "self", "a tensor of dtype float32 or float64");
  const int axis = pl_opt_axis(L, 2, fn, t);
  const pl_tensor *out = pl_push_tensor(L, fn, t->dtype, t->rank, t->shape);
  pl_scan(scan[t->dtype], t, axis, out);
  return 1;
}

/* t:softmax([axis]) */
static int bind_softmax(lua_State *L) {
  return scan_floats(L, "softmax", pl_kernels_get()->softmax);
}

/* t:log_softmax([axis]) */
static int bind_log_softmax(lua_State *L) {
  return scan_floats(L, "log_softmax", pl_kernels_get()->log_softmax);
}

/* }==== Comparisons ==== {*/

/* t:equal(other): shape, dtype and all elements */
static int bind_equal(lua_State *L) {
  const pl_tensor *a = pl_check_tensor(L, 1, "equal", "self");
  const pl_tensor *b = pl_check_tensor(L, 2, "equal", "other");
  lua_pushboolean(L, a->dtype == b->dtype && pl_same_shape(a, b) && pl_compare(a, b, NULL));
  return 1;
}

/* Reads {rtol = , atol = , equal_nan = } at argument 3. */
static void check_tolerance(lua_State *L, const char *fn, double param[3]) {
  if (lua_isnoneornil(L, 3)) return;
  if (!lua_istable(L, 3))
    pl_arg_error(L, 3, fn, "options", "a table such as {rtol = 1e-5, atol = 1e-8}");
  lua_pushnil(L);
  while (lua_next(L, 3) != 0) {
    const int value = lua_gettop(L), key = value - 1;
    const char *name = lua_type(L, key) == LUA_TSTRING ? lua_tostring(L, key) : "";
    if (strcmp(name, "equal_nan") == 0) {
      param[2] = pl_opt_boolean(L, value, fn, name, false);
    } else if (strcmp(name, "rtol") == 0 || strcmp(name, "atol") == 0) {
      const double tolerance = pl_check_number(L, value, fn, name);
      if (!(tolerance >= 0)) pl_arg_error(L, value, fn, name, "a number from 0 up");
      param[name[0] == 'a'] = tolerance;
    } else {
      pl_raise(L, "%s: unknown option %s; known are: rtol, atol, equal_nan", fn,
               pl_describe(L, key));
    }
    lua_pop(L, 1);
  }
}

/* t:allclose(other [, {rtol = 1e-5, atol = 1e-8, equal_nan = false}]) */
static int bind_allclose(lua_State *L) {
  static const char fn[] = "allclose";
  const pl_tensor *a = pl_check_tensor(L, 1, fn, "self");
  const pl_tensor *b = pl_check_dtype(L, 2, fn, "other", a->dtype);
  double param[3] = {1e-5, 1e-8, 0};
  check_tolerance(L, fn, param);
  if (!pl_same_shape(a, b)) {
    const char *shape = pl_push_shape_text(L, a->rank, a->shape);
    pl_arg_error(L, 2, fn, "other", "a tensor of self's shape %s", shape);
  }
  lua_pushboolean(L, pl_compare(a, b, param));
  return 1;
}

/* }==== */

void pl_bind_reduce(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"cumsum", bind_cumsum}, {"softmax", bind_softmax},   {"log_softmax", bind_log_softmax},
      {"equal", bind_equal},   {"allclose", bind_allclose}, {NULL, NULL},
  };
  for (int op = 0; op < PL_REDUCTION_COUNT; op++) {
    lua_pushinteger(L, op);
    pl_add_method(L, names[op], bind_reduce, 1);
  }
  for (const luaL_Reg *m = methods; m->name != NULL; m++) pl_add_method(L, m->name, m->func, 0);
}
