/*
** core.nn's pooling of images {n, h, w, c}:
**   max_pool2d(y, which|nil, x, window h, w, strides h, w, padding top, left)
**   max_pool2d_backward(dx, dy, which, window h, w, strides h, w, padding top, left, add)
**   avg_pool2d(y, x, …)   avg_pool2d_backward(dx, dy, …, add)
** The padding below and to the right follows from the sizes. `which` is uint8 for windows of up to
** 255 places, else int32.
*/
#include <string.h>

#include "bind/nn.h"
#include "tensor/pool2d.h"

/* Six integers from arg on, which must fit images x and y, arguments x_arg and y_arg. */
static pl_pool2d check_pool(lua_State *L, const char *fn, int arg, int x_arg, const char *x_name,
                            int y_arg, const char *y_name) {
  pl_pool2d p = {0};
  pl_nn_check_pair(L, arg, fn, "pool_size", 1, p.window);
  pl_nn_check_pair(L, arg + 2, fn, "strides", 1, p.stride);
  pl_nn_check_pair(L, arg + 4, fn, "padding", 0, p.pad);
  pl_nn_check_rank(L, x_arg, fn, x_name, 4);
  pl_nn_check_rank(L, y_arg, fn, y_name, 4);
  const pl_tensor *x = lua_touserdata(L, x_arg), *y = lua_touserdata(L, y_arg);
  bool fits = x->dtype == y->dtype && x->shape[0] == y->shape[0] && x->shape[3] == y->shape[3];
  p.channels = x->shape[3];
  for (int i = 0; i < 2; i++) {
    p.in[i] = x->shape[i + 1];
    p.out[i] = y->shape[i + 1];
    /* every window holds a pixel */
    fits = fits && p.pad[i] < p.window[i] &&
           (p.out[i] == 0 || (p.out[i] - 1) <= (p.in[i] + p.pad[i] - 1) / p.stride[i]) &&
           (p.out[i] == 0 || p.in[i] > 0);
  }
  p.wide = p.window[0] * p.window[1] > 255;
  if (!fits) {
    const char *shape = pl_push_shape_text(L, x->rank, x->shape);
    pl_arg_error(L, y_arg, fn, y_name, "images that these windows can give of %s %s", shape,
                 pl_dtype_name(x->dtype));
  }
  return p;
}

static pl_dtype place_dtype(lua_State *L, const char *fn, const pl_pool2d *p) {
  if (p->window[0] * p->window[1] > INT32_MAX)
    pl_raise(L,
             "%s: argument 'pool_size': expected windows of at most %d places, got %I times %I; "
             "one as large as the image sees all of it",
             fn, INT32_MAX, (lua_Integer)p->window[0], (lua_Integer)p->window[1]);
  return p->wide ? PL_INT32 : PL_UINT8;
}

static int bind_max_pool2d(lua_State *L) {
  static const char fn[] = "max_pool2d";
  lua_settop(L, 9);
  const pl_tensor *y = pl_nn_output(L, 1, fn, "y");
  const pl_tensor *x = pl_nn_input(L, 3, fn, "self", y->dtype);
  const pl_pool2d p = check_pool(L, fn, 4, 3, "self", 1, "y");
  const pl_tensor *which =
      pl_nn_opt_output(L, 2, fn, "which", place_dtype(L, fn, &p), y->rank, y->shape);
  pl_max_pool2d(&p, x, y, which);
  return 0;
}

static int bind_max_pool2d_backward(lua_State *L) {
  static const char fn[] = "max_pool2d_backward";
  lua_settop(L, 10);
  const pl_tensor *dx = pl_nn_output(L, 1, fn, "dx");
  const pl_tensor *dy = pl_nn_input(L, 2, fn, "dy", dx->dtype);
  const pl_pool2d p = check_pool(L, fn, 4, 1, "dx", 2, "dy");
  const pl_tensor *which = pl_nn_input(L, 3, fn, "which", place_dtype(L, fn, &p));
  pl_nn_check_shape(L, 3, fn, "which", dy->rank, dy->shape);
  pl_max_pool2d_backward(&p, dy, which, dx, pl_opt_boolean(L, 10, fn, "add", false));
  return 0;
}

static int bind_avg_pool2d(lua_State *L) {
  static const char fn[] = "avg_pool2d";
  lua_settop(L, 8);
  const pl_tensor *y = pl_nn_output(L, 1, fn, "y");
  const pl_tensor *x = pl_nn_input(L, 2, fn, "self", y->dtype);
  const pl_pool2d p = check_pool(L, fn, 3, 2, "self", 1, "y");
  pl_avg_pool2d(&p, x, y);
  return 0;
}

static int bind_avg_pool2d_backward(lua_State *L) {
  static const char fn[] = "avg_pool2d_backward";
  lua_settop(L, 9);
  const pl_tensor *dx = pl_nn_output(L, 1, fn, "dx");
  const pl_tensor *dy = pl_nn_input(L, 2, fn, "dy", dx->dtype);
  const pl_pool2d p = check_pool(L, fn, 3, 1, "dx", 2, "dy");
  pl_avg_pool2d_backward(&p, dy, dx, pl_opt_boolean(L, 9, fn, "add", false));
  return 0;
}

void pl_bind_pool(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"max_pool2d", bind_max_pool2d},
      {"max_pool2d_backward", bind_max_pool2d_backward},
      {"avg_pool2d", bind_avg_pool2d},
      {"avg_pool2d_backward", bind_avg_pool2d_backward},
      {NULL, NULL},
  };
  pl_nn_add(L, functions);
}
