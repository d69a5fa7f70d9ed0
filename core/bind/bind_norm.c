/*
** core.nn's normalisation of {…, columns}, gamma and beta one number a column or nil:
**   batch_norm(y, mean, variance, inverse, x, gamma, beta, epsilon, given)
**     each column over its rows; inverse is 1 / sqrt(variance + epsilon). Where they are given, mean and
**     variance are read, else written.
**   batch_norm_backward(dx, dgamma, dbeta, dy, x, mean, inverse, gamma, given, add_x, add_gamma,
**     add_beta), gradients nil where none is wanted
**   layer_norm(y, mean, inverse, x, gamma, beta, epsilon)
**     each row of as many numbers as gamma has by itself; mean and inverse are one a row
**   layer_norm_backward(dx, dgamma, dbeta, dy, x, mean, inverse, gamma, add_x, add_gamma, add_beta)
*/
#include "bind/nn.h"
#include "tensor/norm.h"

/* A contiguous tensor of n numbers of x's dtype; NULL for nil where that may be. */
static const pl_tensor *check_vector(lua_State *L, int arg, const char *fn, const char *name,
                                     const pl_tensor *x, int64_t n, bool written, bool optional) {
  if (optional && lua_isnil(L, arg)) return NULL;
  const pl_tensor *t = written ? pl_nn_output_of(L, arg, fn, name, x->dtype)
                               : pl_nn_input(L, arg, fn, name, x->dtype);
  if (t->numel != n) pl_arg_error(L, arg, fn, name, "a tensor of %I numbers", (lua_Integer)n);
  return t;
}

/* Columns of x: the last axis, or the numbers of each of `rows`. */
static int64_t columns_of(lua_State *L, int arg, const char *fn, const pl_tensor *x, int64_t rows) {
  if (x->rank < 1 || x->numel == 0 || x->numel % rows != 0)
    pl_arg_error(L, arg, fn, "self", "a tensor {..., columns} with elements");
  return x->numel / rows;
}

static double check_epsilon(lua_State *L, int arg, const char *fn) {
  const double epsilon = pl_check_number(L, arg, fn, "epsilon");
  if (!(epsilon >= 0)) pl_arg_error(L, arg, fn, "epsilon", "a number from 0 up");
  return epsilon;
}

static int bind_batch_norm(lua_State *L) {
  static const char fn[] = "batch_norm";
  lua_settop(L, 9);
  pl_norm_tensors t = {.y = pl_nn_output(L, 1, fn, "y")};
  const bool given = pl_opt_boolean(L, 9, fn, "given", false);
  t.x = pl_nn_input(L, 5, fn, "self", t.y->dtype);
  pl_nn_check_shape(L, 1, fn, "y", t.x->rank, t.x->shape);
  const int64_t n = t.columns = t.x->rank > 0 ? t.x->shape[t.x->rank - 1] : 0;
  t.mean = check_vector(L, 2, fn, "mean", t.x, n, !given, false);
  const pl_tensor *variance = check_vector(L, 3, fn, "variance", t.x, n, !given, false);
  t.inverse = check_vector(L, 4, fn, "inverse", t.x, n, true, false);
  t.gamma = check_vector(L, 6, fn, "gamma", t.x, n, false, true);
  t.beta = check_vector(L, 7, fn, "beta", t.x, n, false, true);
  const double epsilon = check_epsilon(L, 8, fn);
  if (!given) {
    columns_of(L, 5, fn, t.x, 1);
    pl_batch_norm_statistics(&t, variance,
                             pl_push_scratch(L, fn, pl_norm_workspace(t.x, t.columns)));
  }
  pl_batch_norm(&t, variance, epsilon);
  return 0;
}

/* dx, dgamma, dbeta, dy, x at 1 .. 5 */
static pl_norm_tensors check_gradients(lua_State *L, const char *fn, pl_norm_gradients *to) {
  pl_norm_tensors t = {0};
  t.y = pl_check_tensor(L, 4, fn, "dy");
  if (!pl_dtype_is_float(t.y->dtype)) pl_arg_error(L, 4, fn, "dy", "a tensor of floats");
  t.y = pl_nn_input(L, 4, fn, "dy", t.y->dtype);
  t.x = pl_nn_input(L, 5, fn, "self", t.y->dtype);
  pl_nn_check_shape(L, 4, fn, "dy", t.x->rank, t.x->shape);
  to->x = pl_nn_opt_output(L, 1, fn, "dx", t.x->dtype, t.x->rank, t.x->shape);
  return t;
}

/* add_x, add_gamma, add_beta from arg on, and where gamma's and beta's gradients go */
static void check_targets(lua_State *L, int arg, const char *fn, const pl_norm_tensors *t,
                          pl_norm_gradients *to) {
  to->gamma = check_vector(L, 2, fn, "dgamma", t->x, t->columns, true, true);
  to->beta = check_vector(L, 3, fn, "dbeta", t->x, t->columns, true, true);
  to->add_x = pl_opt_boolean(L, arg, fn, "add_x", false);
  to->add_gamma = pl_opt_boolean(L, arg + 1, fn, "add_gamma", false);
  to->add_beta = pl_opt_boolean(L, arg + 2, fn, "add_beta", false);
}

static int bind_batch_norm_backward(lua_State *L) {
  static const char fn[] = "batch_norm_backward";
  lua_settop(L, 12);
  pl_norm_gradients to = {0};
  pl_norm_tensors t = check_gradients(L, fn, &to);
  const int64_t n = t.columns = t.x->rank > 0 ? t.x->shape[t.x->rank - 1] : 0;
  t.mean = check_vector(L, 6, fn, "mean", t.x, n, false, false);
  t.inverse = check_vector(L, 7, fn, "inverse", t.x, n, false, false);
  t.gamma = check_vector(L, 8, fn, "gamma", t.x, n, false, true);
  check_targets(L, 10, fn, &t, &to);
  void *workspace = pl_push_scratch(L, fn, pl_norm_workspace(t.x, n));
  pl_batch_norm_backward(&t, pl_opt_boolean(L, 9, fn, "given", false), &to, workspace);
  return 0;
}

static int bind_layer_norm(lua_State *L) {
  static const char fn[] = "layer_norm";
  lua_settop(L, 7);
  pl_norm_tensors t = {.y = pl_nn_output(L, 1, fn, "y")};
  t.x = pl_nn_input(L, 4, fn, "self", t.y->dtype);
  pl_nn_check_shape(L, 1, fn, "y", t.x->rank, t.x->shape);
  t.mean = pl_nn_output_of(L, 2, fn, "mean", t.x->dtype);
  const int64_t rows = t.mean->numel;
  if (rows == 0) pl_arg_error(L, 2, fn, "mean", "a tensor of a number for each row");
  t.inverse = check_vector(L, 3, fn, "inverse", t.x, rows, true, false);
  t.columns = columns_of(L, 4, fn, t.x, rows);
  t.gamma = check_vector(L, 5, fn, "gamma", t.x, t.columns, false, true);
  t.beta = check_vector(L, 6, fn, "beta", t.x, t.columns, false, true);
  pl_layer_norm(&t, check_epsilon(L, 7, fn));
  return 0;
}

static int bind_layer_norm_backward(lua_State *L) {
  static const char fn[] = "layer_norm_backward";
  lua_settop(L, 11);
  pl_norm_gradients to = {0};
  pl_norm_tensors t = check_gradients(L, fn, &to);
  t.mean = pl_nn_input(L, 6, fn, "mean", t.x->dtype);
  const int64_t rows = t.mean->numel;
  if (rows == 0) pl_arg_error(L, 6, fn, "mean", "a tensor of a number for each row");
  t.inverse = check_vector(L, 7, fn, "inverse", t.x, rows, false, false);
  t.columns = columns_of(L, 5, fn, t.x, rows);
  t.gamma = check_vector(L, 8, fn, "gamma", t.x, t.columns, false, true);
  check_targets(L, 9, fn, &t, &to);
  pl_layer_norm_backward(&t, &to, pl_push_scratch(L, fn, pl_norm_workspace(t.x, t.columns)));
  return 0;
}

void pl_bind_norm(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"batch_norm", bind_batch_norm},
      {"batch_norm_backward", bind_batch_norm_backward},
      {"layer_norm", bind_layer_norm},
      {"layer_norm_backward", bind_layer_norm_backward},
      {NULL, NULL},
  };
  pl_nn_add(L, functions);
}
