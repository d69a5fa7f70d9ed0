/*
** core.nn's dense layers:
**   dense(y {…, u}, x {…, d}, w {d, u}, bias {u}|nil, relu)
**   dense_backward(dx|nil, dw|nil, db|nil, dy, x, w, y|nil, dz|nil, add_x, add_w, add_b)
**     y, the output of a ReLU, and dz, memory of y's shape, only where the layer has one
*/
#include <limits.h>
#include <string.h>

#include "bind/nn.h"
#include "tensor/dense.h"
#include "tensor/matmul.h"

static pl_tensor matrix(const pl_tensor *t) {
  pl_tensor m;
  const int64_t columns = t->shape[t->rank - 1];
  const int64_t shape[] = {columns > 0 ? t->numel / columns : 0, columns};
  pl_init_contiguous(&m, t->dtype, 2, shape);
  m.data = t->data;
  return m;
}

/* Argument w_arg is a kernel for x; fills in the shape of the output. */
static void check_kernel(lua_State *L, const char *fn, int x_arg, int w_arg, int64_t *shape) {
  const pl_tensor *x = lua_touserdata(L, x_arg);
  if (x->rank < 1) pl_arg_error(L, x_arg, fn, "self", "a tensor {…, d}");
  const pl_tensor *w = lua_touserdata(L, w_arg);
  const int64_t d = x->shape[x->rank - 1];
  if (w->rank != 2 || w->shape[0] != d)
    pl_arg_error(L, w_arg, fn, "kernel", "a tensor {%I, units} for inputs of %I numbers",
                 (lua_Integer)d, (lua_Integer)d);
  memcpy(shape, x->shape, sizeof x->shape);
  shape[x->rank - 1] = w->shape[1];
  const int64_t rows = d > 0 ? x->numel / d : 0;
  if (rows > INT_MAX || d > INT_MAX || w->shape[1] > INT_MAX)
    pl_arg_error(L, x_arg, fn, "self", "axes of less than 2^31");
}

static int bind_dense(lua_State *L) {
  static const char fn[] = "dense";
  lua_settop(L, 5);
  const pl_tensor *y = pl_nn_output(L, 1, fn, "y");
  const pl_tensor *x = pl_nn_input(L, 2, fn, "self", y->dtype);
  const pl_tensor *w = pl_nn_input(L, 3, fn, "kernel", y->dtype);
  int64_t shape[PL_MAX_RANK];
  check_kernel(L, fn, 2, 3, shape);
  const pl_tensor *bias = pl_nn_opt_input(L, 4, fn, "bias", y->dtype, 1, &w->shape[1]);
  pl_nn_check_shape(L, 1, fn, "y", x->rank, shape);
  pl_matmul_extra extra = {.bias = bias != NULL ? bias->data : NULL};
  extra.relu = pl_opt_boolean(L, 5, fn, "relu", false);
  if (y->numel == 0) return 0;
  const pl_tensor to = matrix(y);
  pl_tensor from = *x;
  if (x->numel > 0) {
    from = matrix(x);
  } else { /* no inputs: the bias alone */
    from.rank = 2;
    from.shape[0] = to.shape[0];
    from.shape[1] = 0;
  }
  pl_matmul_with(&to, &from, w, extra);
  return 0;
}

static int bind_dense_backward(lua_State *L) {
  static const char fn[] = "dense_backward";
  lua_settop(L, 11);
  const pl_tensor *dy = pl_check_tensor(L, 4, fn, "dy");
  if (!pl_dtype_is_float(dy->dtype)) pl_arg_error(L, 4, fn, "dy", "a tensor of floats");
  const pl_dtype dtype = dy->dtype;
  dy = pl_nn_input(L, 4, fn, "dy", dtype);
  const pl_tensor *x = pl_nn_input(L, 5, fn, "self", dtype);
  const pl_tensor *w = pl_nn_input(L, 6, fn, "kernel", dtype);
  int64_t shape[PL_MAX_RANK];
  check_kernel(L, fn, 5, 6, shape);
  pl_nn_check_shape(L, 4, fn, "dy", x->rank, shape);
  const pl_tensor *dx = pl_nn_opt_output(L, 1, fn, "dx", dtype, x->rank, x->shape);
  const pl_tensor *dw = pl_nn_opt_output(L, 2, fn, "dw", dtype, 2, w->shape);
  const pl_tensor *db = pl_nn_opt_output(L, 3, fn, "db", dtype, 1, &w->shape[1]);
  const pl_tensor *y = pl_nn_opt_input(L, 7, fn, "y", dtype, x->rank, shape);
  const pl_tensor *dz = pl_nn_opt_output(L, 8, fn, "dz", dtype, x->rank, shape);
  if (y != NULL && dz == NULL) pl_arg_error(L, 8, fn, "dz", "memory for the masked gradient");
  bool add[3];
  for (int i = 0; i < 3; i++) add[i] = pl_opt_boolean(L, 9 + i, fn, "add", false);
  const pl_tensor *const outputs[] = {dx, dw, db};
  if (dy->numel == 0 || x->numel == 0) {
    for (int i = 0; i < 3; i++) {
      if (outputs[i] == NULL || add[i] || (i == 2 && dy->numel > 0)) continue;
      memset(outputs[i]->data, 0, (size_t)outputs[i]->numel * pl_dtype_size(dtype));
    }
    if (dy->numel == 0) return 0;
  }
  void *workspace = db != NULL ? pl_push_scratch(L, fn, pl_dense_workspace(dy)) : NULL;
  pl_dense_bias_backward(dy, y, dz, db, add[2], workspace);
  if (x->numel == 0) return 0;
  const pl_tensor grad = matrix(y != NULL ? dz : dy), in = matrix(x);
  if (dx != NULL) {
    const pl_tensor to = matrix(dx), transposed = pl_view_permute(w, (int[]){1, 0});
    pl_matmul_with(&to, &grad, &transposed,
                   (pl_matmul_extra){.input = add[0] ? &to : NULL, .beta = 1});
  }
  if (dw != NULL) {
    const pl_tensor transposed = pl_view_permute(&in, (int[]){1, 0});
    pl_matmul_with(dw, &transposed, &grad,
                   (pl_matmul_extra){.input = add[1] ? dw : NULL, .beta = 1});
  }
  return 0;
}

void pl_bind_dense(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"dense", bind_dense}, {"dense_backward", bind_dense_backward}, {NULL, NULL}};
  pl_nn_add(L, functions);
}
