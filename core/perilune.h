/*
** What a C host includes. Link with the module's objects (or load build/lib/perilune/core.so) and
**
**   luaL_requiref(L, "perilune.core", luaopen_perilune_core, 0);
**
** after which `require "perilune"` works, given a package.path that finds lua/perilune.
** Any number of states may live in one process; the library prints nothing, never exits,
** and sets neither signal handlers nor globals.
*/
#ifndef PERILUNE_H
#define PERILUNE_H

#include <lua.h>

#define PERILUNE_VERSION "0.1.0"

#if defined(__GNUC__)
#define PERILUNE_API __attribute__((visibility("default")))
#else
#define PERILUNE_API
#endif

PERILUNE_API int luaopen_perilune_core(lua_State *L);

/* In a state that collects in generations (LUA_GCGEN), new tensors set off collections of the young often
** enough that they take the place of those no longer used while these are still in the cache. */
PERILUNE_API void perilune_collect_young(lua_State *L);

#endif
