/*
** core.nn.optimizer_step: one update of one parameter, by the name of its rule; core.nn.norm.
*/
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "tensor/optimizer.h"

static const char fn[] = "optimizer_step";

#define COUNTS(name, states, state_names, scalars, scalar_names, statements)                       \
  {#name, states, scalars},
static const struct {
  const char *name;
  int states, scalars;
} rules[] = {PL_OPTIMIZER(COUNTS)};
#undef COUNTS

static pl_optimizer_rule check_rule(lua_State *L, int arg) {
  if (lua_type(L, arg) == LUA_TSTRING) {
    const char *name = lua_tostring(L, arg);
    for (int rule = 0; rule < PL_OPTIMIZER_COUNT; rule++) {
      if (strcmp(rules[rule].name, name) == 0) return (pl_optimizer_rule)rule;
    }
  }
  pl_arg_error(L, arg, fn, "rule", "the name of an update rule, such as \"adam\"");
}

static void check_list(lua_State *L, int arg, const char *name, int length, const char *what) {
  if (!lua_istable(L, arg) || lua_rawlen(L, arg) != (size_t)length)
    pl_arg_error(L, arg, fn, name, "a list of %d %s", length, what);
}

/* The tensor on the stack's top has the parameter's dtype and shape, and its numbers in a row. */
static void check_like(lua_State *L, const pl_tensor *parameter, const char *name) {
  const int arg = lua_gettop(L);
  const pl_tensor *t = pl_to_tensor(L, arg);
  if (t == NULL || t->dtype != parameter->dtype || !pl_same_shape(t, parameter))
    pl_arg_error(L, arg, fn, name, "a tensor %s %s, as the parameter",
                 pl_push_shape_text(L, parameter->rank, parameter->shape),
                 pl_dtype_name(parameter->dtype));
}

/* core.nn.optimizer_step(rule, parameter, gradient, states, scalars [, scale [, limit
** [, decay]]]): see kernels/optimizer.h. `states` is a list of tensors, `scalars` of numbers. */
static int bind_optimizer_step(lua_State *L) {
  const pl_optimizer_rule rule = check_rule(L, 1);
  const pl_tensor *operand[2 + PL_OPTIMIZER_STATES];
  double scalar[PL_OPTIMIZER_COMMON + PL_OPTIMIZER_SCALARS] = {1, HUGE_VAL, 0};
  static const char *const common[PL_OPTIMIZER_COMMON] = {"scale", "limit", "decay"};
  lua_settop(L, 8);
  const pl_tensor *parameter = pl_check_tensor(L, 2, fn, "parameter");
  if (!pl_dtype_is_float(parameter->dtype) || !pl_is_contiguous(parameter))
    pl_arg_error(L, 2, fn, "parameter", "a contiguous tensor of dtype float32 or float64");
  for (int k = 0; k < PL_OPTIMIZER_COMMON; k++) {
    if (!lua_isnil(L, 6 + k)) scalar[k] = pl_check_number(L, 6 + k, fn, common[k]);
  }
  const int states = rules[rule].states, scalars = rules[rule].scalars;
  check_list(L, 4, "states", states, "tensors");
  check_list(L, 5, "scalars", scalars, "numbers");
  for (int k = 0; k < scalars; k++) {
    lua_rawgeti(L, 5, k + 1);
    scalar[PL_OPTIMIZER_COMMON + k] = pl_check_number(L, -1, fn, "scalars");
    lua_pop(L, 1);
  }
  operand[0] = parameter;
  lua_pushvalue(L, 3);
  check_like(L, parameter, "gradient");
  operand[1] = pl_push_contiguous(L, fn, 3);
  for (int k = 0; k < states; k++) {
    lua_rawgeti(L, 4, k + 1);
    check_like(L, parameter, "states");
    operand[2 + k] = lua_touserdata(L, -1);
    if (!pl_is_contiguous(operand[2 + k])) pl_arg_error(L, -1, fn, "states", "contiguous tensors");
  }
  for (int i = 0; i < 2 + states; i++) {
    for (int j = i + 1; j < 2 + states; j++) {
      if (pl_overlaps(operand[i], operand[j]))
        pl_raise(L, "%s: the parameter, its gradient and its states share memory", fn);
    }
  }
  pl_optimizer_step(rule, 2 + states, operand, scalar);
  lua_settop(L, 2);
  return 1;
}

/* core.nn.norm(t): the Euclidean norm of all numbers, as t:norm(), but without workspace */
static int bind_norm(lua_State *L) {
  const pl_tensor *t = pl_check_tensor(L, 1, "norm", "self");
  if (!pl_dtype_is_float(t->dtype))
    pl_arg_error(L, 1, "norm", "self", "a tensor of dtype float32 or float64");
  lua_pushnumber(L, pl_norm(pl_push_contiguous(L, "norm", 1)));
  return 1;
}

void pl_bind_optimizer(lua_State *L) {
  luaL_getsubtable(L, -1, "nn");
  lua_pushcfunction(L, bind_norm);
  lua_setfield(L, -2, "norm");
  lua_pushcfunction(L, bind_optimizer_step);
  lua_setfield(L, -2, "optimizer_step");
  lua_pop(L, 1);
}
