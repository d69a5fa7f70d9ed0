/*
** See nn.h for the contract.
*/
#include "bind/nn.h"

#include <limits.h>
#include <string.h>

const pl_tensor *pl_nn_output(lua_State *L, int arg, const char *fn, const char *name) {
  const pl_tensor *t = pl_to_tensor(L, arg);
  if (t == NULL || !pl_dtype_is_float(t->dtype) || !pl_is_contiguous(t))
    pl_arg_error(L, arg, fn, name, "a contiguous tensor of dtype float32 or float64");
  return t;
}

const pl_tensor *pl_nn_output_of(lua_State *L, int arg, const char *fn, const char *name,
                                 pl_dtype dtype) {
  const pl_tensor *t = pl_to_tensor(L, arg);
  if (t == NULL || t->dtype != dtype || !pl_is_contiguous(t))
    pl_arg_error(L, arg, fn, name, "a contiguous tensor of dtype %s", pl_dtype_name(dtype));
  return t;
}

const pl_tensor *pl_nn_input(lua_State *L, int arg, const char *fn, const char *name,
                             pl_dtype dtype) {
  const pl_tensor *t = pl_check_dtype(L, arg, fn, name, dtype);
  if (pl_is_contiguous(t)) return t;
  t = pl_push_contiguous(L, fn, arg);
  lua_replace(L, arg);
  return t;
}

void pl_nn_check_rank(lua_State *L, int arg, const char *fn, const char *name, int rank) {
  const pl_tensor *t = lua_touserdata(L, arg);
  if (t->rank != rank) pl_arg_error(L, arg, fn, name, "a tensor of rank %d", rank);
}

void pl_nn_check_shape(lua_State *L, int arg, const char *fn, const char *name, int rank,
                       const int64_t *shape) {
  const pl_tensor *t = lua_touserdata(L, arg);
  if (t->rank == rank && memcmp(t->shape, shape, (size_t)rank * sizeof *shape) == 0) return;
  luaL_checkstack(L, 8, NULL);
  const char *wanted = pl_push_shape_text(L, rank, shape);
  pl_arg_error(L, arg, fn, name, "a tensor of shape %s", wanted);
}

const pl_tensor *pl_nn_opt_output(lua_State *L, int arg, const char *fn, const char *name,
                                  pl_dtype dtype, int rank, const int64_t *shape) {
  if (lua_isnoneornil(L, arg)) return NULL;
  const pl_tensor *t = pl_nn_output_of(L, arg, fn, name, dtype);
  pl_nn_check_shape(L, arg, fn, name, rank, shape);
  return t;
}

const pl_tensor *pl_nn_opt_input(lua_State *L, int arg, const char *fn, const char *name,
                                 pl_dtype dtype, int rank, const int64_t *shape) {
  if (lua_isnoneornil(L, arg)) return NULL;
  const pl_tensor *t = pl_nn_input(L, arg, fn, name, dtype);
  pl_nn_check_shape(L, arg, fn, name, rank, shape);
  return t;
}

void pl_nn_check_pair(lua_State *L, int arg, const char *fn, const char *name, int64_t low,
                      int64_t pair[2]) {
  for (int i = 0; i < 2; i++) pair[i] = pl_check_integer(L, arg + i, fn, name, low, INT_MAX);
}

void pl_nn_add(lua_State *L, const luaL_Reg *functions) {
  luaL_getsubtable(L, -1, "nn");
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}
