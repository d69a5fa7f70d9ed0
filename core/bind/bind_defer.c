/*
** Calls with an operand that is no tensor but stands for one: see pl_defer in bind.h.
*/
#include <string.h>

#include "bind/bind.h"

/* Pushes the metafield of a value that stands for a tensor. */
static bool push_recorder(lua_State *L, int arg) {
  return lua_type(L, arg) == LUA_TTABLE && luaL_getmetafield(L, arg, "__tensor_call") != LUA_TNIL;
}

static void push_name(lua_State *L, const char *fn) { lua_pushlstring(L, fn, strcspn(fn, " ")); }

bool pl_defer(lua_State *L, const char *fn) {
  const int top = lua_gettop(L);
  for (int i = 1; i <= top; i++) {
    if (!push_recorder(L, i)) continue;
    push_name(L, fn);
    lua_rotate(L, 1, 2);
    lua_call(L, top + 1, LUA_MULTRET);
    return true;
  }
  return false;
}

bool pl_defer_list(lua_State *L, const char *fn) {
  if (!lua_istable(L, 1)) return false;
  const lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  lua_settop(L, 2);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    if (!push_recorder(L, 3)) {
      lua_settop(L, 2);
      continue;
    }
    push_name(L, fn);
    luaL_checkstack(L, n > 1000000 ? 1000000 : (int)n + 1, fn);
    for (lua_Integer k = 1; k <= n; k++) lua_rawgeti(L, 1, k);
    if (lua_isnil(L, 2))
      lua_pushinteger(L, 1);
    else
      lua_pushvalue(L, 2);
    lua_call(L, (int)n + 2, LUA_MULTRET);
    lua_rotate(L, 1, -3); /* the list, the axis and the entry, behind the results */
    lua_pop(L, 3);
    return true;
  }
  return false;
}
