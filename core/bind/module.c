/*
** The module's entry: makes the core table, its tensor metatable and methods, and has each
** binding file add its own. It may run again and again in one state.
*/
#include "bind/bind.h"
#include "perilune.h"

int luaopen_perilune_core(lua_State *L) {
  lua_newtable(L);
  lua_pushliteral(L, PERILUNE_VERSION);
  lua_setfield(L, -2, "version");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pl_tensor_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pl_tensor_key);
  }
  lua_pushliteral(L, "tensor"); /* what error messages call it: "a tensor value" */
  lua_setfield(L, -2, "__name");
  lua_setfield(L, -2, "metatable");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, PL_METHODS);
  lua_setfield(L, -2, "methods");
  pl_bind_errors(L);
  pl_bind_runtime(L);
  pl_bind_tensor(L);
  pl_bind_elementwise(L);
  pl_bind_activation(L);
  pl_bind_reduce(L);
  pl_bind_index(L);
  pl_bind_linalg(L);
  pl_bind_conv(L);
  pl_bind_random(L);
  pl_bind_image(L);
  pl_bind_file(L);
  pl_bind_optimizer(L);
  pl_bind_dense(L);
  pl_bind_pack(L);
  pl_bind_pool(L);
  pl_bind_dropout(L);
  pl_bind_loss(L);
  pl_bind_norm(L);
  return 1;
}
