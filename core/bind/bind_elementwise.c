/*
** Elementwise operations: one closure for each entry of kernels.h's lists, its in-place form
** with a trailing underscore, and the arithmetic operators.
** Upvalues of a closure: the operation, its name, whether it writes into self.
*/
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "tensor/map.h"

static pl_map_op upvalue_op(lua_State *L) {
  return (pl_map_op)lua_tointeger(L, lua_upvalueindex(1));
}

static const char *upvalue_name(lua_State *L) { return lua_tostring(L, lua_upvalueindex(2)); }

static bool upvalue_in_place(lua_State *L) { return lua_toboolean(L, lua_upvalueindex(3)); }

/* Comparisons and tests give masks of 0 and 1. */
static pl_dtype result_dtype(pl_map_op op, pl_dtype dtype) {
  switch (op) {
#define TO_MASK(name, formula) case PL_##name:
    PL_UNARY_TEST(TO_MASK)
    PL_COMPARE(TO_MASK)
#undef TO_MASK
    return PL_UINT8;
    default: return dtype;
  }
}

static pl_map_fn *find_kernel(lua_State *L, pl_map_op op, const char *fn, pl_dtype dtype) {
  pl_map_fn *kernel = pl_kernels_get()->map[op][dtype];
  if (kernel != NULL) return kernel;
  if (op == PL_div)
    pl_raise(L,
             "%s: %s tensors have no true division; cast with :to(\"float32\") or use "
             "floor_divide (//)",
             fn, pl_dtype_name(dtype));
  if (pl_kernels_get()->map[op][PL_UINT8] != NULL)
    pl_raise(L, "%s: expected uint8 masks, got %s; compare first, as in t:ne(0)", fn,
             pl_dtype_name(dtype));
  pl_raise(L, "%s: not defined for %s tensors; cast with :to(\"float32\")", fn,
           pl_dtype_name(dtype));
}

/* {==== One operand ==== */

static int run_unary(lua_State *L, pl_map_op op, const char *fn, bool in_place,
                     const double *param) {
  const pl_tensor *t = in_place ? pl_check_writable(L, 1, fn) : pl_check_tensor(L, 1, fn, "self");
  pl_map_fn *kernel = find_kernel(L, op, fn, t->dtype);
  const pl_tensor *out = t;
  if (in_place)
    lua_settop(L, 1);
  else
    out = pl_push_tensor(L, fn, result_dtype(op, t->dtype), t->rank, t->shape);
  pl_map(kernel, 2, (const pl_tensor *[]){out, t}, param);
  return 1;
}

static int bind_unary(lua_State *L) {
  return run_unary(L, upvalue_op(L), upvalue_name(L), upvalue_in_place(L), NULL);
}

/* t:clamp([low [, high]]) */
static int bind_clamp(lua_State *L) {
  const char *fn = upvalue_name(L);
  const pl_tensor *t = pl_check_tensor(L, 1, fn, "self");
  double bound[2] = {-INFINITY, INFINITY};
  if (t->dtype == PL_UINT8) bound[0] = 0, bound[1] = UINT8_MAX;
  if (t->dtype == PL_INT32) bound[0] = INT32_MIN, bound[1] = INT32_MAX;
  double floor_of = bound[0], ceiling_of = bound[1];
  lua_settop(L, 3);
  for (int i = 0; i < 2; i++) {
    const char *name = i == 0 ? "low" : "high";
    if (lua_isnil(L, i + 2)) continue;
    double value = pl_check_number(L, i + 2, fn, name);
    if (isnan(value)) pl_arg_error(L, i + 2, fn, name, "a number");
    if (!pl_dtype_is_float(t->dtype) && value != floor(value))
      pl_arg_error(L, i + 2, fn, name, "an integer for a tensor of dtype %s",
                   pl_dtype_name(t->dtype));
    bound[i] = fmin(fmax(value, floor_of), ceiling_of);
  }
  if (bound[0] > bound[1]) pl_arg_error(L, 3, fn, "high", "a number from low up");
  return run_unary(L, PL_clamp, fn, upvalue_in_place(L), bound);
}

/* }==== Two operands ==== {*/

static bool same_layout(const pl_tensor *a, const pl_tensor *b) {
  return a->data == b->data && pl_same_shape(a, b) &&
         memcmp(a->stride, b->stride, sizeof(int64_t) * (size_t)a->rank) == 0;
}

/* The tensor at arg, or a copy of it (pushed) where writing `out` would disturb reading it. */
static const pl_tensor *undisturbed(lua_State *L, const char *fn, int arg, const pl_tensor *out) {
  const pl_tensor *t = lua_touserdata(L, arg);
  if (!pl_overlaps(out, t) || same_layout(out, t)) return t;
  pl_tensor *copy = pl_push_tensor(L, fn, t->dtype, t->rank, t->shape);
  pl_copy(copy, t);
  return copy;
}

static _Noreturn void raise_shapes(lua_State *L, const char *fn, const pl_tensor *a,
                                   const pl_tensor *b) {
  const char *left = pl_push_shape_text(L, a->rank, a->shape);
  const char *right = pl_push_shape_text(L, b->rank, b->shape);
  pl_raise(L,
           "%s: shapes %s and %s do not broadcast: sizes must be equal or 1, counted from the "
           "last axis",
           fn, left, right);
}

/* Arguments 1 and 2, at least one a tensor; a number becomes a scalar of the other's dtype. */
static void check_operands(lua_State *L, const char *fn, pl_tensor operand[2], pl_scalar *scalar) {
  const char *const names[2] = {"self", "other"};
  const pl_tensor *t[2] = {pl_to_tensor(L, 1), pl_to_tensor(L, 2)};
  if (t[0] == NULL && t[1] == NULL) pl_arg_error(L, 1, fn, names[0], "a tensor");
  for (int i = 0; i < 2; i++) {
    if (t[i] != NULL) {
      operand[i] = *t[i];
      continue;
    }
    pl_dtype dtype = t[1 - i]->dtype;
    if (lua_type(L, i + 1) != LUA_TNUMBER)
      pl_arg_error(L, i + 1, fn, names[i], "a tensor or a number");
    pl_check_scalar(L, i + 1, fn, names[i], dtype, scalar);
    operand[i] = pl_scalar_tensor(dtype, scalar);
  }
  if (operand[0].dtype != operand[1].dtype)
    pl_dtype_error(L, fn, operand[0].dtype, operand[1].dtype, "other");
}

static int bind_binary(lua_State *L) {
  pl_map_op op = upvalue_op(L);
  const char *fn = upvalue_name(L);
  bool in_place = upvalue_in_place(L);
  pl_scalar scalar;
  pl_tensor in[2];
  double scale = 1;
  if (pl_defer(L, fn)) return lua_gettop(L);
  if (in_place) pl_check_writable(L, 1, fn);
  check_operands(L, fn, in, &scalar);
  if (op == PL_add && !lua_isnoneornil(L, 3)) { /* t:add(other, scale) */
    scale = pl_check_number(L, 3, fn, "scale");
    op = PL_add_scaled;
  }
  pl_map_fn *kernel = find_kernel(L, op, fn, in[0].dtype);
  int rank = in[0].rank;
  int64_t shape[PL_MAX_RANK];
  memcpy(shape, in[0].shape, sizeof shape);
  if (!pl_broadcast(&rank, shape, &in[1])) raise_shapes(L, fn, &in[0], &in[1]);
  const pl_tensor *out;
  if (in_place) {
    out = lua_touserdata(L, 1);
    pl_tensor probe;
    if (!pl_view_expand(&in[1], out->rank, out->shape, &probe)) {
      const char *have = pl_push_shape_text(L, out->rank, out->shape);
      pl_raise(L, "%s: shape %s does not broadcast to self's %s, which an operation in place keeps",
               fn, pl_push_shape_text(L, in[1].rank, in[1].shape), have);
    }
    lua_settop(L, 2);
    if (pl_to_tensor(L, 2) != NULL) in[1] = *undisturbed(L, fn, 2, out);
    lua_pushvalue(L, 1);
  } else {
    out = pl_push_tensor(L, fn, result_dtype(op, in[0].dtype), rank, shape);
  }
  for (int i = 0; i < 2; i++) pl_view_expand(&in[i], out->rank, out->shape, &in[i]);
  pl_map(kernel, 3, (const pl_tensor *[]){out, &in[0], &in[1]}, &scale);
  return 1;
}

/* core.where(condition, a, b): condition ~= 0 ? a : b, all three broadcast */
static int bind_where(lua_State *L) {
  static const char fn[] = "where";
  if (pl_defer(L, fn)) return lua_gettop(L);
  const pl_tensor *condition = pl_check_dtype(L, 1, fn, "condition", PL_UINT8);
  static const char *const names[2] = {"a", "b"};
  pl_dtype dtype = PL_FLOAT32;
  pl_scalar scalar[2];
  pl_tensor in[2];
  lua_settop(L, 3);
  for (int i = 1; i >= 0; i--) {
    const pl_tensor *t = pl_to_tensor(L, i + 2);
    if (t != NULL)
      dtype = t->dtype;
    else if (lua_type(L, i + 2) != LUA_TNUMBER)
      pl_arg_error(L, i + 2, fn, names[i], "a tensor or a number");
  }
  int rank = condition->rank;
  int64_t shape[PL_MAX_RANK];
  memcpy(shape, condition->shape, sizeof shape);
  for (int i = 0; i < 2; i++) {
    const pl_tensor *t = pl_to_tensor(L, i + 2);
    if (t == NULL) {
      pl_check_scalar(L, i + 2, fn, names[i], dtype, &scalar[i]);
      in[i] = pl_scalar_tensor(dtype, &scalar[i]);
    } else {
      in[i] = *t;
    }
    if (in[i].dtype != dtype) pl_dtype_error(L, fn, dtype, in[i].dtype, "b");
    pl_tensor before = {.rank = rank}; /* condition and a, broadcast, may be what b does not fit */
    memcpy(before.shape, shape, sizeof shape);
    if (!pl_broadcast(&rank, shape, &in[i])) raise_shapes(L, fn, &before, &in[i]);
  }
  const pl_tensor *out = pl_push_tensor(L, fn, dtype, rank, shape);
  pl_tensor mask;
  pl_view_expand(condition, rank, shape, &mask);
  for (int i = 0; i < 2; i++) pl_view_expand(&in[i], rank, shape, &in[i]);
  pl_map(pl_kernels_get()->map[PL_where][dtype], 4,
         (const pl_tensor *[]){out, &mask, &in[0], &in[1]}, NULL);
  return 1;
}

/* }==== Registration ==== {*/

/* Tensors are compared element by element, which Lua's operators cannot return. */
static int bind_no_order(lua_State *L) {
  pl_raise(L,
           "tensors are compared element by element with methods: a:lt(b), and le, gt, ge, eq, ne");
}

static void push_closure(lua_State *L, pl_map_op op, const char *name, bool in_place,
                         lua_CFunction function) {
  lua_pushinteger(L, op);
  lua_pushstring(L, name);
  lua_pushboolean(L, in_place);
  lua_pushcclosure(L, function, 3);
}

static void add_operation(lua_State *L, pl_map_op op, const char *name, lua_CFunction function) {
  lua_getfield(L, -1, "methods");
  for (int in_place = 0; in_place < 2; in_place++) {
    if (in_place && result_dtype(op, PL_FLOAT32) == PL_UINT8) break;
    lua_pushfstring(L, in_place ? "%s_" : "%s", name);
    push_closure(L, op, lua_tostring(L, -1), in_place, function);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

void pl_bind_elementwise(lua_State *L) {
  static const struct {
    const char *event;
    pl_map_op op;
    const char *name;
    lua_CFunction function;
  } operators[] = {
      {"__add", PL_add, "add (+)", bind_binary},
      {"__sub", PL_sub, "sub (-)", bind_binary},
      {"__mul", PL_mul, "mul (*)", bind_binary},
      {"__div", PL_div, "div (/)", bind_binary},
      {"__pow", PL_pow, "pow (^)", bind_binary},
      {"__mod", PL_mod, "mod (%)", bind_binary},
      {"__idiv", PL_floor_divide, "floor_divide (//)", bind_binary},
      {"__band", PL_logical_and, "logical_and (&)", bind_binary},
      {"__bor", PL_logical_or, "logical_or (|)", bind_binary},
      {"__bxor", PL_logical_xor, "logical_xor (~)", bind_binary},
      {"__unm", PL_neg, "neg (-)", bind_unary},
      {"__bnot", PL_logical_not, "logical_not (~)", bind_unary},
  };
#define ADD_UNARY(name, ...) add_operation(L, PL_##name, #name, bind_unary);
#define ADD_BINARY(name, formula) add_operation(L, PL_##name, #name, bind_binary);
  PL_UNARY_ANY(ADD_UNARY)
  PL_UNARY_FLOAT(ADD_UNARY)
  PL_UNARY_VECTOR(ADD_UNARY)
  PL_ACTIVATION_PLAIN(ADD_UNARY)
  PL_UNARY_TEST(ADD_UNARY)
  ADD_UNARY(logical_not)
  PL_BINARY_ANY(ADD_BINARY)
  PL_BINARY_FLOAT(ADD_BINARY)
  PL_COMPARE(ADD_BINARY)
  PL_LOGICAL(ADD_BINARY)
  add_operation(L, PL_clamp, "clamp", bind_clamp);
  lua_pushcfunction(L, bind_where);
  lua_setfield(L, -2, "where");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_tensor_key);
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    push_closure(L, operators[i].op, operators[i].name, false, operators[i].function);
    lua_setfield(L, -2, operators[i].event);
  }
  lua_pushcfunction(L, bind_no_order);
  lua_setfield(L, -2, "__lt");
  lua_pushcfunction(L, bind_no_order);
  lua_setfield(L, -2, "__le");
  lua_pop(L, 1);
}
/* }==== */
