/*
** Matrix products.
*/
#include <limits.h>
#include <string.h>

#include "bind/bind.h"
#include "tensor/matmul.h"

/* The tensor at arg in a layout that BLAS takes: itself, or a contiguous copy (pushed). */
static pl_tensor ready(lua_State *L, const char *fn, int arg) {
  const pl_tensor *t = lua_touserdata(L, arg);
  pl_tensor matrix = *t;
  if (t->rank == 1) matrix = pl_view_unsqueeze(t, arg == 1 ? 0 : 1);
  if (pl_matmul_ready(&matrix)) return matrix;
  matrix = *pl_push_contiguous(L, fn, arg);
  return t->rank == 1 ? pl_view_unsqueeze(&matrix, arg == 1 ? 0 : 1) : matrix;
}

static _Noreturn void raise_shapes(lua_State *L, const char *fn, const pl_tensor *a,
                                   const pl_tensor *b, const char *why) {
  const char *left = pl_push_shape_text(L, a->rank, a->shape);
  const char *right = pl_push_shape_text(L, b->rank, b->shape);
  pl_raise(L, "%s: shapes %s and %s: %s", fn, left, right, why);
}

static void check_matrices(lua_State *L, const char *fn, const pl_tensor *a, const pl_tensor *b) {
  if (a->shape[1] != b->shape[0])
    raise_shapes(L, fn, a, b,
                 "the columns of the first and the rows of the second must be as many");
  if (a->shape[0] > INT_MAX || a->shape[1] > INT_MAX || b->shape[1] > INT_MAX)
    raise_shapes(L, fn, a, b, "an axis is longer than a matrix product can take (2^31 - 1)");
}

/* a:matmul(b): vectors, matrices, and stacks of matrices whose leading axes broadcast. A vector
** counts as a row on the left and as a column on the right, and that axis is dropped again; two
** vectors give a number. */
static int bind_matmul(lua_State *L) {
  static const char fn[] = "matmul";
  if (pl_defer(L, fn)) return lua_gettop(L);
  const pl_tensor *t[2] = {pl_check_tensor(L, 1, fn, "self"), pl_check_tensor(L, 2, fn, "other")};
  lua_settop(L, 2);
  if (t[0]->dtype != t[1]->dtype) pl_dtype_error(L, fn, t[0]->dtype, t[1]->dtype, "other");
  if (!pl_dtype_is_float(t[0]->dtype))
    pl_raise(L, "matmul: not defined for %s tensors; cast with :to(\"float32\")",
             pl_dtype_name(t[0]->dtype));
  if (t[0]->rank == 0 || t[1]->rank == 0)
    raise_shapes(L, fn, t[0], t[1],
                 "expected vectors, matrices or stacks of matrices; use * for a "
                 "scalar");
  pl_tensor a = ready(L, fn, 1), b = ready(L, fn, 2);
  int64_t m = a.shape[a.rank - 2], k = a.shape[a.rank - 1], n = b.shape[b.rank - 1];
  if (b.shape[b.rank - 2] != k)
    raise_shapes(L, fn, t[0], t[1],
                 "the last axis of the first and the last but one of the second must agree "
                 "(transpose one with t())");
  int rank = a.rank - 2;
  int64_t shape[PL_MAX_RANK];
  memcpy(shape, a.shape, sizeof shape);
  pl_tensor lead = b;
  lead.rank = b.rank - 2;
  if (!pl_broadcast(&rank, shape, &lead))
    raise_shapes(L, fn, t[0], t[1], "the leading axes do not broadcast");
  if (m > INT_MAX || n > INT_MAX || k > INT_MAX)
    raise_shapes(L, fn, t[0], t[1], "an axis is longer than a matrix product can take (2^31 - 1)");
  int batch_rank = rank;
  shape[rank++] = m;
  shape[rank++] = n;
  pl_tensor *out = pl_push_tensor(L, fn, a.dtype, rank, shape);
  shape[rank - 1] = k;
  pl_view_expand(&a, rank, shape, &a);
  shape[rank - 2] = k;
  shape[rank - 1] = n;
  pl_view_expand(&b, rank, shape, &b);
  pl_matmul(out, &a, &b);
  if (t[1]->rank == 1) *out = pl_view_squeeze(out, batch_rank + 1);
  if (t[0]->rank == 1) *out = pl_view_squeeze(out, batch_rank);
  if (out->rank == 0) pl_push_item(L, out);
  return 1;
}

/* t:addmm(a, b [, beta]): beta * t + a·b, t being expanded to the product's shape */
static int bind_addmm(lua_State *L) {
  static const char fn[] = "addmm";
  static const char *const names[] = {"self", "a", "b"};
  if (pl_defer(L, fn)) return lua_gettop(L);
  const pl_tensor *t[3];
  lua_settop(L, 4);
  for (int i = 0; i < 3; i++) {
    t[i] = pl_check_tensor(L, i + 1, fn, names[i]);
    if (!pl_dtype_is_float(t[i]->dtype))
      pl_raise(L, "%s: not defined for %s tensors; cast with :to(\"float32\")", fn,
               pl_dtype_name(t[i]->dtype));
    if (t[i]->dtype != t[0]->dtype) pl_dtype_error(L, fn, t[0]->dtype, t[i]->dtype, names[i]);
    if (i > 0 && t[i]->rank != 2) pl_arg_error(L, i + 1, fn, names[i], "a matrix");
  }
  const double beta = lua_isnil(L, 4) ? 1 : pl_check_number(L, 4, fn, "beta");
  check_matrices(L, fn, t[1], t[2]);
  const int64_t shape[] = {t[1]->shape[0], t[2]->shape[1]};
  pl_tensor input;
  if (!pl_view_expand(t[0], 2, shape, &input))
    pl_arg_error(L, 1, fn, "self", "a tensor that expands to the product's shape, %s",
                 pl_push_shape_text(L, 2, shape));
  const pl_tensor a = ready(L, fn, 2), b = ready(L, fn, 3);
  pl_tensor *out = pl_push_tensor(L, fn, a.dtype, 2, shape);
  if (shape[1] > 1 && input.stride[1] != 1) { /* its rows are not contiguous */
    pl_copy(out, &input);
    input = *out;
  }
  pl_matmul_with(out, &a, &b, (pl_matmul_extra){.input = beta != 0 ? &input : NULL, .beta = beta});
  return 1;
}

/* core.nn.matmul(out, a, b): the product of two matrices, into one that is there already */
static int bind_matmul_into(lua_State *L) {
  static const char fn[] = "matmul";
  static const char *const names[] = {"out", "a", "b"};
  const pl_tensor *t[3];
  lua_settop(L, 3);
  for (int i = 0; i < 3; i++) {
    t[i] = pl_check_tensor(L, i + 1, fn, names[i]);
    if (t[i]->rank != 2 || !pl_dtype_is_float(t[i]->dtype) || t[i]->dtype != t[0]->dtype)
      pl_arg_error(L, i + 1, fn, names[i],
                   "a matrix of dtype float32 or float64, the same for all");
  }
  check_matrices(L, fn, t[1], t[2]);
  if (t[0]->shape[0] != t[1]->shape[0] || t[0]->shape[1] != t[2]->shape[1] ||
      !pl_is_contiguous(t[0]) || pl_overlaps(t[0], t[1]) || pl_overlaps(t[0], t[2]))
    pl_arg_error(L, 1, fn, "out", "a contiguous tensor {%I, %I} with memory of its own",
                 (lua_Integer)t[1]->shape[0], (lua_Integer)t[2]->shape[1]);
  const pl_tensor a = ready(L, fn, 2), b = ready(L, fn, 3);
  pl_matmul(t[0], &a, &b);
  lua_settop(L, 1);
  return 1;
}

void pl_bind_linalg(lua_State *L) {
  pl_add_method(L, "matmul", bind_matmul, 0);
  pl_add_method(L, "addmm", bind_addmm, 0);
  luaL_getsubtable(L, -1, "nn");
  lua_pushcfunction(L, bind_matmul_into);
  lua_setfield(L, -2, "matmul");
  lua_pop(L, 1);
}
