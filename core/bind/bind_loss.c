/*
** core.nn's losses:
**   softmax_cross_entropy(p {n, c}, logits {n, c}, labels, smoothing, weights|nil) -> mean loss
**   softmax_cross_entropy_backward(dx, p, labels, smoothing, weights|nil, dloss, add)
**   softmax_backward(dx, dy, y, axis, add)   log_softmax_backward(…)
** labels are int32 {n}, 1 to c, or numbers {n, c} of the logits' dtype.
*/
#include "bind/nn.h"
#include "tensor/loss.h"

static void check_labels(lua_State *L, const char *fn, const pl_tensor *labels, int64_t classes) {
  const int32_t *label = labels->data;
  for (int64_t i = 0; i < labels->numel; i++) {
    if (label[i] < 1 || label[i] > classes)
      pl_raise(L, "%s: argument 'labels': expected classes from 1 to %I, got %d in row %I%s", fn,
               (lua_Integer)classes, (int)label[i], (lua_Integer)i + 1,
               label[i] == 0 ? "; labels that count from 0 need + 1" : "");
  }
}

/* labels, smoothing and weights from arg on, for scores {n, classes}, argument x_arg. */
static pl_cross_entropy check_entropy(lua_State *L, const char *fn, int arg, int x_arg) {
  const pl_tensor *x = lua_touserdata(L, x_arg);
  pl_cross_entropy e = {.classes = x->shape[1]};
  const pl_tensor *labels = pl_to_tensor(L, arg);
  if (labels != NULL && labels->dtype == x->dtype) {
    labels = pl_nn_input(L, arg, fn, "labels", x->dtype);
    pl_nn_check_shape(L, arg, fn, "labels", 2, x->shape);
    e.target = labels->data;
  } else if (labels != NULL && labels->dtype == PL_INT32) {
    labels = pl_nn_input(L, arg, fn, "labels", PL_INT32);
    pl_nn_check_shape(L, arg, fn, "labels", 1, x->shape);
    check_labels(L, fn, labels, e.classes);
    e.label = labels->data;
  } else {
    pl_arg_error(L, arg, fn, "labels", "a tensor of dtype int32 (classes) or %s (their shares)",
                 pl_dtype_name(x->dtype));
  }
  e.smoothing = pl_check_number(L, arg + 1, fn, "label_smoothing");
  if (!(e.smoothing >= 0 && e.smoothing <= 1))
    pl_arg_error(L, arg + 1, fn, "label_smoothing", "a number from 0 to 1");
  const pl_tensor *weights = pl_nn_opt_input(L, arg + 2, fn, "weights", x->dtype, 1, x->shape);
  if (weights != NULL) e.weight = weights->data;
  return e;
}

static int bind_softmax_cross_entropy(lua_State *L) {
  static const char fn[] = "softmax_cross_entropy";
  lua_settop(L, 5);
  const pl_tensor *p = pl_nn_output(L, 1, fn, "p");
  const pl_tensor *x = pl_nn_input(L, 2, fn, "self", p->dtype);
  pl_nn_check_rank(L, 2, fn, "self", 2);
  if (x->numel == 0) pl_arg_error(L, 2, fn, "self", "logits {n, classes} with elements");
  pl_nn_check_shape(L, 1, fn, "p", 2, x->shape);
  const pl_cross_entropy e = check_entropy(L, fn, 3, 2);
  void *workspace = pl_push_scratch(L, fn, pl_cross_entropy_workspace(x));
  lua_pushnumber(L, pl_cross_entropy_sum(&e, x, p, workspace) / (double)x->shape[0]);
  return 1;
}

static int bind_softmax_cross_entropy_backward(lua_State *L) {
  static const char fn[] = "softmax_cross_entropy_backward";
  lua_settop(L, 7);
  const pl_tensor *dx = pl_nn_output(L, 1, fn, "dx");
  const pl_tensor *p = pl_nn_input(L, 2, fn, "p", dx->dtype);
  pl_nn_check_rank(L, 2, fn, "p", 2);
  pl_nn_check_shape(L, 1, fn, "dx", 2, p->shape);
  if (p->numel == 0) return 0;
  const pl_cross_entropy e = check_entropy(L, fn, 3, 2);
  const double scale = pl_check_number(L, 6, fn, "dloss") / (double)p->shape[0];
  pl_cross_entropy_backward(&e, p, dx, scale, pl_opt_boolean(L, 7, fn, "add", false));
  return 0;
}

static int softmax_gradient(lua_State *L, const char *fn, bool logarithm) {
  lua_settop(L, 5);
  const pl_tensor *dx = pl_nn_output(L, 1, fn, "dx");
  const pl_tensor *dy = pl_nn_input(L, 2, fn, "dy", dx->dtype);
  const pl_tensor *y = pl_nn_input(L, 3, fn, "y", dx->dtype);
  pl_nn_check_shape(L, 1, fn, "dx", y->rank, y->shape);
  pl_nn_check_shape(L, 2, fn, "dy", y->rank, y->shape);
  const int axis = pl_check_axis(L, 4, fn, y->rank);
  pl_softmax_backward(dy, y, axis, dx, pl_opt_boolean(L, 5, fn, "add", false), logarithm);
  return 0;
}

static int bind_softmax_backward(lua_State *L) {
  return softmax_gradient(L, "softmax_backward", false);
}

static int bind_log_softmax_backward(lua_State *L) {
  return softmax_gradient(L, "log_softmax_backward", true);
}

void pl_bind_loss(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"softmax_cross_entropy", bind_softmax_cross_entropy},
      {"softmax_cross_entropy_backward", bind_softmax_cross_entropy_backward},
      {"softmax_backward", bind_softmax_backward},
      {"log_softmax_backward", bind_log_softmax_backward},
      {NULL, NULL},
  };
  pl_nn_add(L, functions);
}
