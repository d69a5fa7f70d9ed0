/*
** Convolutions of images: core.nn.conv2d, core.nn.depthwise_conv2d and their _backward, which write
** into tensors of the caller's.
*/
#include <string.h>

#include "bind/bind.h"
#include "tensor/conv2d.h"
#include "tensor/conv2d_pool.h"

/* Of padded images and of steps through them: far beyond use, and products of two fit easily. */
enum { MOST = 1 << 24, GEOMETRY = 9 };

/* Whether the function is the depthwise one, by its upvalue. Its kernel {height, width, channels,
** multiplier} lies in memory as that of a convolution with a group for each channel. */
static bool is_depthwise(lua_State *L) { return lua_toboolean(L, lua_upvalueindex(1)); }

/* The tensor at arg: of that rank and of the same dtype as x. */
static const pl_tensor *check_operand(lua_State *L, int arg, const char *fn, const char *name,
                                      int rank, const pl_tensor *x) {
  const pl_tensor *t = pl_check_tensor(L, arg, fn, name);
  if (x == NULL && !pl_dtype_is_float(t->dtype))
    pl_raise(L, "%s: not defined for %s tensors; cast with :to(\"float32\")", fn,
             pl_dtype_name(t->dtype));
  if (x != NULL && t->dtype != x->dtype)
    pl_raise(L, "%s: dtypes differ: x is %s, %s is %s; cast one with :to(\"%s\")", fn,
             pl_dtype_name(x->dtype), name, pl_dtype_name(t->dtype), pl_dtype_name(x->dtype));
  if (t->rank != rank)
    pl_arg_error(L, arg, fn, name,
                 strcmp(name, "kernel") == 0
                     ? is_depthwise(L) ? "a tensor {height, width, channels, multiplier}"
                                       : "a tensor {height, width, channels in, channels out}"
                 : rank == 4 ? "images {batch, height, width, channels} (one image: "
                               "image:unsqueeze(1))"
                             : "a tensor of rank 1, a number for each output channel");
  return t;
}

/* One that is read: a contiguous copy takes its place where it is not contiguous itself. */
static const pl_tensor *check_input(lua_State *L, int arg, const char *fn, const char *name,
                                    int rank, const pl_tensor *x) {
  const pl_tensor *t = check_operand(L, arg, fn, name, rank, x);
  if (pl_is_contiguous(t)) return t;
  t = pl_push_contiguous(L, fn, arg);
  lua_replace(L, arg);
  return t;
}

/* One that is written. */
static const pl_tensor *check_output(lua_State *L, int arg, const char *fn, const char *name,
                                     int rank, const pl_tensor *x) {
  const pl_tensor *t = check_operand(L, arg, fn, name, rank, x);
  if (!pl_is_contiguous(t)) pl_arg_error(L, arg, fn, name, "a contiguous tensor");
  return t;
}

static const pl_tensor *opt_output(lua_State *L, int arg, const char *fn, const char *name,
                                   int rank, const pl_tensor *x) {
  return lua_isnoneornil(L, arg) ? NULL : check_output(L, arg, fn, name, rank, x);
}

static _Noreturn void raise_channels(lua_State *L, const char *fn, const pl_conv2d *g,
                                     const pl_tensor *kernel) {
  const char *shape = pl_push_shape_text(L, 4, kernel->shape);
  const lua_Integer channels = g->in_channels, groups = g->groups, expected = kernel->shape[2];
  if (kernel->numel == 0) pl_raise(L, "%s: kernel %s has an axis of size 0", fn, shape);
  if (groups == 1 || is_depthwise(L))
    pl_raise(L, "%s: x has %I channels (last axis), kernel %s expects %I (its third axis)", fn,
             channels, shape, expected);
  if (channels % groups != 0 || g->out_channels % groups != 0)
    pl_raise(L, "%s: %I channels of x and %I of the output do not divide into %I groups", fn,
             channels, (lua_Integer)g->out_channels, groups);
  pl_raise(L,
           "%s: x has %I channels, %I in each of %I groups; kernel %s expects %I (its third axis)",
           fn, channels, channels / groups, groups, shape, expected);
}

static void check_channels(lua_State *L, const char *fn, const pl_conv2d *g,
                           const pl_tensor *kernel) {
  const int64_t groups = is_depthwise(L) ? 1 : g->groups;
  if (kernel->numel == 0 || g->in_channels % groups != 0 || g->out_channels % groups != 0 ||
      g->in_channels / groups != kernel->shape[2])
    raise_channels(L, fn, g, kernel);
}

/* The nine integers from arg on: strides, padding top, bottom, left, right, dilation, groups (not
** looked at when depthwise). */
static pl_conv2d check_geometry(lua_State *L, int arg, const char *fn, const pl_tensor *x,
                                const pl_tensor *kernel) {
  static const char *const names[2] = {"height", "width"};
  pl_conv2d g = {.batch = x->shape[0], .in_channels = x->shape[3]};
  for (int a = 0; a < 2; a++) {
    g.in[a] = x->shape[1 + a];
    g.kernel[a] = kernel->shape[a];
    g.stride[a] = pl_check_integer(L, arg + a, fn, "strides", 1, MOST);
    g.before[a] = pl_check_integer(L, arg + 2 + 2 * a, fn, "padding", 0, MOST);
    g.after[a] = pl_check_integer(L, arg + 3 + 2 * a, fn, "padding", 0, MOST);
    g.dilation[a] = pl_check_integer(L, arg + 6 + a, fn, "dilation", 1, MOST);
  }
  if (is_depthwise(L)) {
    g.groups = g.in_channels;
    g.out_channels = kernel->shape[2] * kernel->shape[3];
  } else {
    g.groups = pl_check_integer(L, arg + 8, fn, "groups", 1, INT64_MAX);
    g.out_channels = kernel->shape[3];
  }
  check_channels(L, fn, &g, kernel);
  for (int a = 0; a < 2; a++) {
    if (g.in[a] > MOST || g.kernel[a] > MOST)
      pl_raise(L, "%s: %s %I of x with a kernel of %I is more than %d", fn, names[a],
               (lua_Integer)g.in[a], (lua_Integer)g.kernel[a], MOST);
    const int64_t padded = g.in[a] + g.before[a] + g.after[a];
    const int64_t reach = (g.kernel[a] - 1) * g.dilation[a] + 1;
    if (padded < reach)
      pl_raise(L,
               "%s: the kernel's %s %I%s is more than the %s %I of x%s; a smaller kernel or "
               "padding = \"same\" would fit",
               fn, names[a], (lua_Integer)reach, g.dilation[a] > 1 ? " (dilated)" : "", names[a],
               (lua_Integer)padded, padded > g.in[a] ? " (padded)" : "");
    g.out[a] = (padded - reach) / g.stride[a] + 1;
  }
  return g;
}

static void check_shape(lua_State *L, const char *fn, const char *name, const pl_tensor *t,
                        int rank, const int64_t *shape) {
  for (int i = 0; i < rank; i++) {
    if (t->shape[i] == shape[i]) continue;
    const char *expected = pl_push_shape_text(L, rank, shape);
    const char *got = pl_push_shape_text(L, rank, t->shape);
    pl_raise(L, "%s: argument '%s': expected shape %s, got %s", fn, name, expected, got);
  }
}

static void check_bias(lua_State *L, const char *fn, const char *name, const pl_tensor *bias,
                       const pl_conv2d *g) {
  if (bias != NULL && bias->shape[0] != g->out_channels)
    pl_raise(L, "%s: %s has %I numbers; the kernel has %I output channels", fn, name,
             (lua_Integer)bias->shape[0], (lua_Integer)g->out_channels);
}

/* What is written shares no memory with what is read. */
static void check_apart(lua_State *L, const char *fn, const char *name, const pl_tensor *out,
                        const pl_tensor *const *others, int n) {
  for (int i = 0; i < n; i++) {
    if (out != NULL && others[i] != NULL && pl_overlaps(out, others[i]))
      pl_raise(L, "%s: argument '%s' shares memory with another argument", fn, name);
  }
}

static _Noreturn void raise_room(lua_State *L, const char *fn) {
  pl_raise(L, "%s: the padded images have more elements than memory can hold", fn);
}

/* Whether 2×2 max pooling follows, the boolean at arg. What is written then is pooled. */
static bool check_pooled(lua_State *L, int arg, const char *fn, const pl_conv2d *g,
                         int64_t shape[4]) {
  const bool pooled = pl_opt_boolean(L, arg, fn, "pooled", false);
  for (int a = 0; a < 2; a++) {
    if (pooled) shape[1 + a] /= 2;
    if (pooled && shape[1 + a] == 0) pl_raise(L, "%s: there are less than 2x2 pixels to pool", fn);
  }
  if (pooled && (is_depthwise(L) || !pl_conv2d_is_plain(g)))
    pl_raise(L, "%s: pooling goes with strides, dilation and groups of 1", fn);
  return pooled;
}

static pl_tensor *check_which(lua_State *L, int arg, const char *fn, const int64_t *shape) {
  pl_tensor *which = pl_check_tensor(L, arg, fn, "which");
  if (which->dtype != PL_UINT8 || which->rank != 4 || !pl_is_contiguous(which))
    pl_arg_error(L, arg, fn, "which", "a contiguous uint8 tensor of rank 4");
  check_shape(L, fn, "which", which, 4, shape);
  return which;
}

/* core.nn.conv2d(y, x, kernel, bias|nil, stride_y, stride_x, top, bottom, left, right,
** dilation_y, dilation_x, groups, relu, pooled, which|nil): which := the place 0..3 of each maximum */
static int bind_conv2d(lua_State *L) {
  const char *fn = is_depthwise(L) ? "depthwise_conv2d" : "conv2d";
  enum { FLAGS = 5 + GEOMETRY };
  lua_settop(L, FLAGS + 2);
  const pl_tensor *x = check_input(L, 2, fn, "x", 4, NULL);
  const pl_tensor *kernel = check_input(L, 3, fn, "kernel", 4, x);
  const pl_tensor *bias = lua_isnil(L, 4) ? NULL : check_input(L, 4, fn, "bias", 1, x);
  const pl_conv2d g = check_geometry(L, 5, fn, x, kernel);
  const bool relu = pl_opt_boolean(L, FLAGS, fn, "relu", false);
  const pl_tensor *y = check_output(L, 1, fn, "y", 4, x);
  int64_t shape[] = {g.batch, g.out[0], g.out[1], g.out_channels};
  const bool pooled = check_pooled(L, FLAGS + 1, fn, &g, shape);
  pl_tensor *which =
      pooled && !lua_isnil(L, FLAGS + 2) ? check_which(L, FLAGS + 2, fn, shape) : NULL;
  check_bias(L, fn, "bias", bias, &g);
  check_shape(L, fn, "y", y, 4, shape);
  check_apart(L, fn, "y", y, (const pl_tensor *[]){x, kernel, bias, which}, 4);
  check_apart(L, fn, "which", which, (const pl_tensor *[]){x, kernel, bias}, 3);
  if (y->numel == 0) return 0;
  pl_conv2d_plan plan;
  if (!pl_conv2d_plan_make(&plan, &g, x->dtype, pooled ? PL_CONV2D_POOLED : PL_CONV2D_FORWARD))
    raise_room(L, fn);
  void *workspace = pl_push_scratch(L, fn, plan.bytes);
  pl_conv2d_forward(&plan, x->data, kernel->data, bias != NULL ? bias->data : NULL, relu, y->data,
                    which != NULL ? which->data : NULL, workspace);
  return 0;
}

/* dx and dkernel, either may be NULL, from the gradient of the pooled result. */
static void back_through_pool(lua_State *L, const char *fn, const pl_conv2d *g, const pl_tensor *x,
                              const pl_tensor *kernel, const void *d, const pl_tensor *which,
                              const pl_tensor *dx, const pl_tensor *dkernel, const bool *add) {
  pl_conv2d_pool_plan plan;
  if (dkernel != NULL) {
    if (!pl_conv2d_pool_plan_make(&plan, g, x->dtype, false)) raise_room(L, fn);
    void *workspace = pl_push_scratch(L, fn, plan.bytes);
    pl_conv2d_pool_backward_kernel(&plan, x->data, d, which->data, add[1], dkernel->data,
                                   workspace);
    lua_pop(L, 1);
  }
  if (dx != NULL && dx->numel > 0) {
    if (!pl_conv2d_pool_plan_make(&plan, g, x->dtype, true)) raise_room(L, fn);
    void *workspace = pl_push_scratch(L, fn, plan.bytes);
    pl_conv2d_pool_backward_data(&plan, d, which->data, kernel->data, add[0], dx->data, workspace);
  }
}

/* core.nn.conv2d_backward(dx|nil, dkernel|nil, dbias|nil, dy, x, kernel, y|nil, stride_y, …,
** groups, relu, add_dx, add_dkernel, add_dbias, pooled, which|nil, dz|nil): y, the result of the
** forward pass, is needed with relu, and dz, memory for the masked gradient, unless dbias alone is
** asked for; which is needed with pooled. */
static int bind_conv2d_backward(lua_State *L) {
  const char *fn = is_depthwise(L) ? "depthwise_conv2d_backward" : "conv2d_backward";
  enum { FLAGS = 8 + GEOMETRY };
  lua_settop(L, FLAGS + 6);
  const pl_tensor *x = check_input(L, 5, fn, "x", 4, NULL);
  const pl_tensor *kernel = check_input(L, 6, fn, "kernel", 4, x);
  const pl_conv2d g = check_geometry(L, 8, fn, x, kernel);
  const pl_tensor *dy = check_input(L, 4, fn, "dy", 4, x);
  const pl_tensor *dx = opt_output(L, 1, fn, "dx", 4, x);
  const pl_tensor *dkernel = opt_output(L, 2, fn, "dkernel", 4, x);
  const pl_tensor *dbias = opt_output(L, 3, fn, "dbias", 1, x);
  const bool relu = pl_opt_boolean(L, FLAGS, fn, "relu", false);
  const pl_tensor *y = relu ? check_input(L, 7, fn, "y", 4, x) : NULL;
  int64_t shape[] = {g.batch, g.out[0], g.out[1], g.out_channels};
  const bool pooled = check_pooled(L, FLAGS + 4, fn, &g, shape);
  const pl_tensor *which = pooled ? check_which(L, FLAGS + 5, fn, shape) : NULL;
  check_shape(L, fn, "dy", dy, 4, shape);
  if (y != NULL) check_shape(L, fn, "y", y, 4, shape);
  if (dx != NULL) check_shape(L, fn, "dx", dx, 4, x->shape);
  if (dkernel != NULL) check_shape(L, fn, "dkernel", dkernel, 4, kernel->shape);
  check_bias(L, fn, "dbias", dbias, &g);
  const pl_tensor *dz = NULL;
  if (relu && (dx != NULL || dkernel != NULL)) {
    dz = check_output(L, FLAGS + 6, fn, "dz", 4, x);
    check_shape(L, fn, "dz", dz, 4, shape);
  }
  const pl_tensor *const all[] = {dy, x, kernel, y, which, dx, dkernel, dbias, dz};
  static const char *const written[] = {"dx", "dkernel", "dbias", "dz"};
  for (int i = 5; i < 9; i++) check_apart(L, fn, written[i - 5], all[i], all, i);

  bool add[3];
  static const char *const names[] = {"add_dx", "add_dkernel", "add_dbias"};
  for (int i = 0; i < 3; i++) add[i] = pl_opt_boolean(L, FLAGS + 1 + i, fn, names[i], false);
  const void *d = dz != NULL ? dz->data : dy->data;
  if (dy->numel > 0 && (dbias != NULL || dz != NULL)) {
    const int64_t pixels = dy->numel / g.out_channels;
    void *workspace =
        pl_push_scratch(L, fn, pl_conv2d_mask_bytes(pixels, g.out_channels, dy->dtype));
    pl_conv2d_mask(pixels, g.out_channels, dy->dtype, dy->data, y != NULL ? y->data : NULL,
                   dz != NULL ? dz->data : NULL, dbias != NULL ? dbias->data : NULL, add[2],
                   workspace);
  } else if (dbias != NULL && !add[2]) {
    memset(dbias->data, 0, (size_t)dbias->numel * pl_dtype_size(dbias->dtype));
  }
  if (pooled) {
    back_through_pool(L, fn, &g, x, kernel, d, which, dx, dkernel, add);
    return 0;
  }
  if (dkernel != NULL) {
    pl_conv2d_kernel_plan plan;
    if (!pl_conv2d_kernel_plan_make(&plan, &g, x->dtype)) raise_room(L, fn);
    void *workspace = pl_push_scratch(L, fn, plan.bytes);
    pl_conv2d_backward_kernel(&plan, x->data, d, add[1], dkernel->data, workspace);
    lua_pop(L, 1);
  }
  if (dx != NULL && dx->numel > 0) {
    pl_conv2d_plan plan;
    if (!pl_conv2d_plan_make(&plan, &g, x->dtype, PL_CONV2D_BACKWARD)) raise_room(L, fn);
    void *workspace = pl_push_scratch(L, fn, plan.bytes);
    pl_conv2d_backward_data(&plan, d, kernel->data, add[0], dx->data, workspace);
  }
  return 0;
}

void pl_bind_conv(lua_State *L) {
  static const luaL_Reg functions[2][3] = {
      {{"conv2d", bind_conv2d}, {"conv2d_backward", bind_conv2d_backward}, {NULL, NULL}},
      {{"depthwise_conv2d", bind_conv2d},
       {"depthwise_conv2d_backward", bind_conv2d_backward},
       {NULL, NULL}},
  };
  luaL_getsubtable(L, -1, "nn");
  for (int depthwise = 0; depthwise < 2; depthwise++) {
    lua_pushboolean(L, depthwise);
    luaL_setfuncs(L, functions[depthwise], 1);
  }
  lua_pop(L, 1);
}
