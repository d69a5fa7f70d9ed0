/*
** core.nn's dropout:
**   dropout(y, x, rate, rng) -> seed, stream, position of the draw; advances rng by x's elements
**   dropout_backward(dx, dy, rate, seed, stream, position, add)
** and spatial_dropout2d(_backward) alike for images {n, h, w, c}, which draw for n * c planes.
*/
#include "bind/nn.h"
#include "runtime/generator.h"
#include "tensor/dropout.h"

static double check_rate(lua_State *L, int arg, const char *fn) {
  const double rate = lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : -1;
  if (!(rate >= 0 && rate < 1)) pl_arg_error(L, arg, fn, "rate", "a number from 0 up to below 1");
  return rate;
}

static void run(lua_State *L, const char *fn, const pl_dropout *d, bool planes, const pl_tensor *x,
                const pl_tensor *y, bool add) {
  if (!planes) {
    pl_dropout_elements(d, x, y, add);
    return;
  }
  const int64_t count = x->shape[0] * x->shape[3];
  void *workspace = pl_push_scratch(L, fn, (size_t)count * pl_dtype_size(x->dtype));
  pl_dropout_channels(d, x, y, add, workspace);
}

static int forward(lua_State *L, const char *fn, bool planes) {
  lua_settop(L, 4);
  const pl_tensor *y = pl_nn_output(L, 1, fn, "y");
  const pl_tensor *x = pl_nn_input(L, 2, fn, "self", y->dtype);
  if (planes) pl_nn_check_rank(L, 2, fn, "self", 4);
  pl_nn_check_shape(L, 1, fn, "y", x->rank, x->shape);
  const double rate = check_rate(L, 3, fn);
  pl_generator *g = pl_to_generator(L, 4);
  if (g == NULL || g->kind != PL_PHILOX)
    pl_arg_error(L, 4, fn, "rng", "a generator that pl.rng(seed) made");
  const pl_philox before = g->as.philox;
  const pl_dropout d = pl_dropout_make(before.seed, before.stream, before.position, rate);
  run(L, fn, &d, planes, x, y, false);
  const int64_t drawn = planes ? x->shape[0] * x->shape[3] : x->numel;
  g->as.philox.position = (before.position + (uint64_t)drawn) & (uint64_t)(PL_PHILOX_ELEMENTS - 1);
  lua_pushinteger(L, (lua_Integer)before.seed);
  lua_pushinteger(L, (lua_Integer)before.stream);
  lua_pushinteger(L, (lua_Integer)before.position);
  return 3;
}

static int backward(lua_State *L, const char *fn, bool planes) {
  lua_settop(L, 7);
  const pl_tensor *dx = pl_nn_output(L, 1, fn, "dx");
  const pl_tensor *dy = pl_nn_input(L, 2, fn, "dy", dx->dtype);
  if (planes) pl_nn_check_rank(L, 2, fn, "dy", 4);
  pl_nn_check_shape(L, 1, fn, "dx", dy->rank, dy->shape);
  const double rate = check_rate(L, 3, fn);
  uint64_t place[3];
  static const char *const names[] = {"seed", "stream", "position"};
  for (int i = 0; i < 3; i++)
    place[i] = (uint64_t)pl_check_integer(L, 4 + i, fn, names[i], INT64_MIN, INT64_MAX);
  const pl_dropout d = pl_dropout_make(place[0], place[1], place[2], rate);
  run(L, fn, &d, planes, dy, dx, pl_opt_boolean(L, 7, fn, "add", false));
  return 0;
}

static int bind_dropout(lua_State *L) { return forward(L, "dropout", false); }
static int bind_dropout_backward(lua_State *L) { return backward(L, "dropout_backward", false); }
static int bind_spatial_dropout2d(lua_State *L) { return forward(L, "spatial_dropout2d", true); }
static int bind_spatial_dropout2d_backward(lua_State *L) {
  return backward(L, "spatial_dropout2d_backward", true);
}

void pl_bind_dropout(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"dropout", bind_dropout},
      {"dropout_backward", bind_dropout_backward},
      {"spatial_dropout2d", bind_spatial_dropout2d},
      {"spatial_dropout2d_backward", bind_spatial_dropout2d_backward},
      {NULL, NULL},
  };
  pl_nn_add(L, functions);
}
