/*
** core.nn's activation functions, for each name in kernels/activation.h:
**   name(y, x [, a [, b]])   name_backward(dx, dy, x, y, a, b, add)
** a and b are the formula's numbers, 0 where it has none.
*/
#include "bind/nn.h"
#include "kernels/kernels.h"
#include "tensor/map.h"

/* The upvalue of a closure is its place in the list. */
static const struct {
  const char *name, *backward;
  pl_map_op forward_op;
  pl_slope_op slope_op;
} activations[] = {
#define ROW(name, formula, slope) {#name, #name "_backward", PL_##name, PL_SLOPE_##name},
    PL_ACTIVATION(ROW)
#undef ROW
};

/* a and b from arg on */
static void check_numbers(lua_State *L, int arg, const char *fn, double number[2]) {
  static const char *const names[2] = {"a", "b"};
  for (int i = 0; i < 2; i++)
    number[i] = lua_isnil(L, arg + i) ? 0 : pl_check_number(L, arg + i, fn, names[i]);
}

static int bind_forward(lua_State *L) {
  const lua_Integer which = lua_tointeger(L, lua_upvalueindex(1));
  const char *fn = activations[which].name;
  double number[3] = {0};
  lua_settop(L, 4);
  const pl_tensor *y = pl_nn_output(L, 1, fn, "y");
  const pl_tensor *x = pl_check_dtype(L, 2, fn, "self", y->dtype);
  pl_nn_check_shape(L, 1, fn, "y", x->rank, x->shape);
  check_numbers(L, 3, fn, number);
  pl_map(pl_kernels_get()->map[activations[which].forward_op][y->dtype], 2,
         (const pl_tensor *[]){y, x}, number);
  return 0;
}

static int bind_backward(lua_State *L) {
  const lua_Integer which = lua_tointeger(L, lua_upvalueindex(1));
  const char *fn = activations[which].backward;
  static const char *const names[] = {"dx", "dy", "self", "y"};
  double number[3] = {0};
  lua_settop(L, 7);
  const pl_tensor *operand[4] = {pl_nn_output(L, 1, fn, "dx")};
  for (int i = 1; i < 4; i++) {
    operand[i] = pl_check_dtype(L, i + 1, fn, names[i], operand[0]->dtype);
    pl_nn_check_shape(L, i + 1, fn, names[i], operand[0]->rank, operand[0]->shape);
  }
  check_numbers(L, 5, fn, number);
  number[2] = pl_opt_boolean(L, 7, fn, "add", false);
  pl_map(pl_kernels_get()->slope[activations[which].slope_op][operand[0]->dtype], 4, operand,
         number);
  return 0;
}

static void add(lua_State *L, size_t which, const char *name, lua_CFunction function) {
  lua_pushinteger(L, (lua_Integer)which);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

void pl_bind_activation(lua_State *L) {
  luaL_getsubtable(L, -1, "nn");
  for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
    add(L, i, activations[i].name, bind_forward);
    add(L, i, activations[i].backward, bind_backward);
  }
  lua_pop(L, 1);
}
