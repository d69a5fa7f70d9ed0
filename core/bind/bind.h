/*
** What the binding files share. The binding is the only validator: it checks arguments,
** dispatches to a kernel and never computes. A mistake of the caller raises at the caller's
** line, outside C and outside the library's own Lua; a failure of the world returns nil, message.
** `fn` and `name` below are the function's and the argument's names as the user writes them.
*/
#ifndef PL_BIND_H
#define PL_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "tensor/tensor.h"

/* Registry keys: the metatable of tensors, by its address, which is sooner found than a name; and the table of
** their methods. */
extern const char pl_tensor_key;
#define PL_METHODS "perilune.tensor.methods"

/* Errors. pl_raise formats as lua_pushfstring does (%s %d %f %I with a lua_Integer). */
_Noreturn void pl_raise(lua_State *L, const char *format, ...);
/* "fn: argument 'name': expected …, got <description of the value>" */
_Noreturn void pl_arg_error(lua_State *L, int arg, const char *fn, const char *name,
                            const char *expected, ...);
/* Two operands of different dtypes, and the remedy for the one that the user calls `other`. */
_Noreturn void pl_dtype_error(lua_State *L, const char *fn, pl_dtype self_dtype,
                              pl_dtype other_dtype, const char *other);
/* Pushes a few words for the value: `nil`, `number 3.5`, `tensor {3, 4} float32`. */
const char *pl_describe(lua_State *L, int arg);
/* Pushes "{3, 4}". */
const char *pl_push_shape_text(lua_State *L, int rank, const int64_t *shape);

/* Tensors. A new tensor's header and numbers are one Lua userdata, a view is a small userdata
** whose user value is its owner: Lua sees every byte, and an error leaks nothing. */
pl_tensor *pl_push_tensor(lua_State *L, const char *fn, pl_dtype dtype, int rank,
                          const int64_t *shape);                         /* pushed, uninitialised */
pl_tensor *pl_push_view(lua_State *L, int owner, const pl_tensor *view); /* pushed */
pl_tensor *pl_to_tensor(lua_State *L, int arg);                          /* or NULL */
pl_tensor *pl_check_tensor(lua_State *L, int arg, const char *fn, const char *name);
pl_tensor *pl_check_dtype(lua_State *L, int arg, const char *fn, const char *name, pl_dtype dtype);
/* The tensor at arg may be written: not an expanded view. */
pl_tensor *pl_check_writable(lua_State *L, int arg, const char *fn);
/* Pushes arg itself when it is contiguous, or else a contiguous copy. */
pl_tensor *pl_push_contiguous(lua_State *L, const char *fn, int arg);
/* Copies with broadcasting and casting; shapes are already checked. */
void pl_copy(const pl_tensor *to, const pl_tensor *from);
/* Lua owns it, so that an error cannot leak it. Aligned to 64 bytes. */
void *pl_push_workspace(lua_State *L, const char *fn, size_t bytes);
/* The same, of memory that the state keeps: it is the next one's too, so only one is in use at a time, and
** nothing in it outlives an allocation. */
void *pl_push_scratch(lua_State *L, const char *fn, size_t bytes);

/* to := the tensor at arg, broadcast and cast, even where their memory overlaps. */
void pl_assign(lua_State *L, const char *fn, const pl_tensor *to, int arg);
bool pl_overlaps(const pl_tensor *a, const pl_tensor *b);
/* Pushes the only element of t as a Lua number. */
void pl_push_item(lua_State *L, const pl_tensor *t);
/* Pushes a tensor made of the number or nested table at arg. */
pl_tensor *pl_push_from_table(lua_State *L, int arg, const char *fn, pl_dtype dtype);

/* A Lua number as one element of a dtype, and as a tensor of rank 0 over that element. */
typedef union pl_scalar {
  float f32;
  double f64;
  uint8_t u8;
  int32_t i32;
} pl_scalar;
void pl_check_scalar(lua_State *L, int arg, const char *fn, const char *name, pl_dtype dtype,
                     pl_scalar *scalar);
pl_tensor pl_scalar_tensor(pl_dtype dtype, pl_scalar *scalar);

/* Hands a call over to an argument that is no tensor but stands for one, as a recorded variable
** does: to its metafield __tensor_call(name, ...). True when it did, with the results on top of
** the stack: `if (pl_defer(L, fn)) return lua_gettop(L);`. The name ends before a blank in fn. */
bool pl_defer(lua_State *L, const char *fn);
/* The same for entries of the list at 1: __tensor_call(name, entries..., argument 2 or 1). */
bool pl_defer_list(lua_State *L, const char *fn);

/* The random generator at arg, or NULL. */
struct pl_generator *pl_to_generator(lua_State *L, int arg);

/* Arguments. */
int64_t pl_check_integer(lua_State *L, int arg, const char *fn, const char *name, int64_t low,
                         int64_t high);
double pl_check_number(lua_State *L, int arg, const char *fn, const char *name);
bool pl_opt_boolean(lua_State *L, int arg, const char *fn, const char *name, bool fallback);
/* A list of integers {2, 3} or one integer; returns the rank. The product is checked too. */
int pl_check_shape(lua_State *L, int arg, const char *fn, int64_t shape[PL_MAX_RANK]);
pl_dtype pl_opt_dtype(lua_State *L, int arg, const char *fn, pl_dtype fallback);
/* A 1-based or negative axis of a tensor of that rank; returned 0-based. */
int pl_check_axis(lua_State *L, int arg, const char *fn, int rank);
/* The same of t, which is self; the last axis when nothing is given. */
int pl_opt_axis(lua_State *L, int arg, const char *fn, const pl_tensor *t);
/* Whether the table at arg has a key other than 1 .. limit, which is then pushed. n is its length:
** the walk starts there, so that a list costs nothing. */
bool pl_find_other_key(lua_State *L, int arg, lua_Integer n, lua_Integer limit);

/* Each file adds its functions to the core table at the top of the stack. */
void pl_bind_errors(lua_State *L);
void pl_bind_runtime(lua_State *L);
void pl_bind_tensor(lua_State *L);
void pl_bind_view(lua_State *L);
void pl_bind_elementwise(lua_State *L);
void pl_bind_activation(lua_State *L);
void pl_bind_reduce(lua_State *L);
void pl_bind_index(lua_State *L);
void pl_bind_linalg(lua_State *L);
void pl_bind_conv(lua_State *L);
void pl_bind_random(lua_State *L);
void pl_bind_image(lua_State *L);
void pl_bind_file(lua_State *L);
void pl_bind_optimizer(lua_State *L);
void pl_bind_dense(lua_State *L);
void pl_bind_pack(lua_State *L);
void pl_bind_pool(lua_State *L);
void pl_bind_dropout(lua_State *L);
void pl_bind_loss(lua_State *L);
void pl_bind_norm(lua_State *L);
/* Adds a tensor method, found as t:name(...). Closes over `upvalues` values on the stack's top. */
void pl_add_method(lua_State *L, const char *name, lua_CFunction function, int upvalues);

#endif
