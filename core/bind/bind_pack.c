/*
** core.nn's batches:
**   pack(out {b, …}, images {n, …}, indices int32 {b}|nil, mean|nil, divisor|nil)
**     out[b] := (images[indices[b]] - mean) / divisor; mean: a tensor of an image's numbers or of
**     its channels; divisor: such a tensor, or a number
*/
#include "bind/nn.h"
#include "tensor/pack.h"

/* A tensor of an image's numbers or of its channels, or a number, as `row` numbers. */
static const void *check_row(lua_State *L, int arg, const char *fn, const char *name, bool number,
                             const pl_tensor *images, pl_dtype dtype, int64_t row) {
  if (lua_isnoneornil(L, arg)) return NULL;
  const int64_t channels = images->shape[images->rank - 1];
  pl_tensor values, full;
  pl_scalar scalar;
  if (number && lua_type(L, arg) == LUA_TNUMBER) {
    pl_check_scalar(L, arg, fn, name, dtype, &scalar);
    values = pl_scalar_tensor(dtype, &scalar);
  } else {
    const pl_tensor *t = pl_nn_input(L, arg, fn, name, dtype);
    if (t->numel == row) return t->data;
    if (t->rank != 1 || channels == 0 || row % channels != 0 || t->numel != channels)
      pl_arg_error(L, arg, fn, name, "a tensor of an image's %I numbers or of its %I channels%s",
                   (lua_Integer)row, (lua_Integer)channels, number ? ", or a number" : "");
    values = *t;
  }
  const int64_t shape[] = {values.rank == 0 ? row : row / channels,
                           values.rank == 0 ? 1 : channels};
  pl_init_contiguous(&full, dtype, 2, shape);
  full.data = pl_push_workspace(L, fn, (size_t)row * pl_dtype_size(dtype));
  pl_copy(&full, &values);
  return full.data;
}

static int bind_pack(lua_State *L) {
  static const char fn[] = "pack";
  lua_settop(L, 5);
  const pl_tensor *out = pl_nn_output(L, 1, fn, "out");
  const pl_tensor *images = pl_to_tensor(L, 2);
  if (images == NULL || (images->dtype != PL_UINT8 && images->dtype != out->dtype) ||
      images->rank == 0)
    pl_arg_error(L, 2, fn, "images", "a tensor {n, …} of dtype uint8 or %s",
                 pl_dtype_name(out->dtype));
  images = pl_nn_input(L, 2, fn, "images", images->dtype);
  const int64_t n = images->shape[0], row = n > 0 ? images->numel / n : 0;
  int64_t count = n;
  const int32_t *index = NULL;
  if (!lua_isnil(L, 3)) {
    const pl_tensor *indices = pl_nn_input(L, 3, fn, "indices", PL_INT32);
    pl_nn_check_rank(L, 3, fn, "indices", 1);
    index = indices->data;
    count = indices->numel;
    for (int64_t i = 0; i < count; i++) {
      if (index[i] < 1 || index[i] > n)
        pl_raise(L, "%s: argument 'indices': expected indices from 1 to %I, got %d at [%I]", fn,
                 (lua_Integer)n, (int)index[i], (lua_Integer)i + 1);
    }
  }
  if (out->rank == 0 || out->shape[0] != count || out->numel != count * row)
    pl_arg_error(L, 1, fn, "out", "a tensor of %I images of %I numbers", (lua_Integer)count,
                 (lua_Integer)row);
  if (out->numel == 0) return 0;
  const void *mean = check_row(L, 4, fn, "mean", false, images, out->dtype, row);
  const void *divisor = check_row(L, 5, fn, "divisor", true, images, out->dtype, row);
  pl_pack(out, images, index, mean, divisor);
  return 0;
}

void pl_bind_pack(lua_State *L) {
  static const luaL_Reg functions[] = {{"pack", bind_pack}, {NULL, NULL}};
  pl_nn_add(L, functions);
}
