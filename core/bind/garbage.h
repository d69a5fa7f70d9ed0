/*
** Tensors that are no longer used, freed soon. Left to itself Lua waits until garbage is the fifth part of
** all memory, which with a dataset in it is more than any cache holds: each new tensor then comes from far
** away, and a step of plain tensor operations takes a quarter longer.
*/
#ifndef PL_GARBAGE_H
#define PL_GARBAGE_H

#include <lua.h>
#include <stddef.h>

/* A block of that many bytes is about to be made: in a state of perilune_collect_young time, perhaps, to
** collect. */
void pl_make_room(lua_State *L, size_t bytes);

#endif
