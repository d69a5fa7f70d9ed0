/*
** What the bindings of core.nn share: the kernels behind the operations in lua/perilune/ops. They
** write into tensors that the caller gives, which are contiguous; inputs may have any layout.
*/
#ifndef PL_BIND_NN_H
#define PL_BIND_NN_H

#include "bind/bind.h"

/* The argument is a contiguous tensor to write, of float32 or float64 | of that dtype. */
const pl_tensor *pl_nn_output(lua_State *L, int arg, const char *fn, const char *name);
const pl_tensor *pl_nn_output_of(lua_State *L, int arg, const char *fn, const char *name,
                                 pl_dtype dtype);
/* The argument is a tensor of that dtype; one that is not contiguous is replaced by a copy. */
const pl_tensor *pl_nn_input(lua_State *L, int arg, const char *fn, const char *name,
                             pl_dtype dtype);
/* Raises unless the tensor, argument `arg`, has that rank | that shape. */
void pl_nn_check_rank(lua_State *L, int arg, const char *fn, const char *name, int rank);
void pl_nn_check_shape(lua_State *L, int arg, const char *fn, const char *name, int rank,
                       const int64_t *shape);
/* The same for an argument that may be nil: NULL then. */
const pl_tensor *pl_nn_opt_output(lua_State *L, int arg, const char *fn, const char *name,
                                  pl_dtype dtype, int rank, const int64_t *shape);
const pl_tensor *pl_nn_opt_input(lua_State *L, int arg, const char *fn, const char *name,
                                 pl_dtype dtype, int rank, const int64_t *shape);
/* Reads two integers at arg and arg + 1. */
void pl_nn_check_pair(lua_State *L, int arg, const char *fn, const char *name, int64_t low,
                      int64_t pair[2]);
/* Adds functions to core.nn; the core table is at the top of the stack. */
void pl_nn_add(lua_State *L, const luaL_Reg *functions);

#endif
