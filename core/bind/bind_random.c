/*
** perilune.core's random generators, over runtime/generator.h:
**   rng(seed [, stream]) -> generator        numpy_rng(seed | {seed, ...}) -> generator
**   philox4x32({c0, c1, c2, c3}, {k0, k1}) -> four integers
** and `generator`, the methods of one, which lua/perilune/meta/random.lua documents. It is plain
** memory in a userdata. Nothing is drawn before every argument is checked and all memory is there.
*/
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "runtime/generator.h"

#define GENERATOR "perilune.generator"

/* ==== Arguments ==== */

pl_generator *pl_to_generator(lua_State *L, int arg) { return luaL_testudata(L, arg, GENERATOR); }

static pl_generator *check_self(lua_State *L, const char *fn) {
  pl_generator *g = pl_to_generator(L, 1);
  if (g == NULL)
    pl_arg_error(L, 1, fn, "self", "a random generator (call it with a colon: rng:%s(...))", fn);
  return g;
}

/* No argument may follow; `last` is the number of those the function takes. */
static void check_no_more(lua_State *L, const char *fn, int last) {
  if (lua_gettop(L) > last)
    pl_raise(L, "%s: expected at most %d arguments, got %d", fn, last - 1, lua_gettop(L) - 1);
}

static double check_finite(lua_State *L, int arg, const char *fn, const char *name) {
  double value = lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : NAN;
  if (!isfinite(value)) pl_arg_error(L, arg, fn, name, "a finite number");
  return value;
}

static pl_dtype default_dtype(const pl_generator *g) {
  return g->kind == PL_MT19937 ? PL_FLOAT64 : PL_FLOAT32;
}

static pl_dtype opt_float_dtype(lua_State *L, int arg, const char *fn, const pl_generator *g) {
  pl_dtype dtype = default_dtype(g);
  if (lua_isnoneornil(L, arg)) return dtype;
  if (lua_type(L, arg) != LUA_TSTRING || !pl_dtype_parse(lua_tostring(L, arg), &dtype) ||
      strlen(lua_tostring(L, arg)) != lua_rawlen(L, arg) || !pl_dtype_is_float(dtype))
    pl_arg_error(L, arg, fn, "dtype", "\"float32\" or \"float64\"");
  return dtype;
}

/* Sizes from argument 2 on, `2, 3` or `{2, 3}`, and then a dtype; -1 when there is no argument. */
static int check_sizes(lua_State *L, const char *fn, const pl_generator *g,
                       int64_t shape[PL_MAX_RANK], pl_dtype *dtype) {
  int top = lua_gettop(L), arg = 2, rank = 0;
  *dtype = default_dtype(g);
  if (top < 2) return -1;
  if (lua_type(L, 2) == LUA_TNUMBER) {
    for (; lua_type(L, arg) == LUA_TNUMBER; arg++) {
      if (rank == PL_MAX_RANK) pl_raise(L, "%s: expected at most %d sizes", fn, PL_MAX_RANK);
      shape[rank++] = pl_check_integer(L, arg, fn, "shape", 0, INT64_MAX);
    }
  } else {
    rank = pl_check_shape(L, 2, fn, shape);
    arg = 3;
  }
  *dtype = opt_float_dtype(L, arg, fn, g);
  check_no_more(L, fn, arg);
  return rank;
}

/* A shape or nil, the latter giving -1. */
static int opt_shape(lua_State *L, int arg, const char *fn, int64_t shape[PL_MAX_RANK]) {
  return lua_isnoneornil(L, arg) ? -1 : pl_check_shape(L, arg, fn, shape);
}

/* ==== Floats ==== */

/* Pushes a Lua number when rank is -1, or else a tensor. */
static int push_floats(lua_State *L, const char *fn, pl_generator *g, bool normal, double offset,
                       double scale, int rank, const int64_t *shape, pl_dtype dtype) {
  if (rank < 0) {
    double draw;
    pl_generator_fill64(g, normal, offset, scale, 1, &draw);
    lua_pushnumber(L, draw);
    return 1;
  }
  pl_tensor *t = pl_push_tensor(L, fn, dtype, rank, shape);
  if (dtype == PL_FLOAT32) {
    pl_generator_fill32(g, normal, offset, scale, t->numel, t->data);
  } else {
    pl_generator_fill64(g, normal, offset, scale, t->numel, t->data);
  }
  return 1;
}

/* g:rand([shape [, dtype]]) */
static int generator_rand(lua_State *L) {
  pl_generator *g = check_self(L, "rand");
  int64_t shape[PL_MAX_RANK];
  pl_dtype dtype;
  int rank = check_sizes(L, "rand", g, shape, &dtype);
  return push_floats(L, "rand", g, false, 0, 1, rank, shape, dtype);
}

/* g:randn([shape [, dtype]]) */
static int generator_randn(lua_State *L) {
  pl_generator *g = check_self(L, "randn");
  int64_t shape[PL_MAX_RANK];
  pl_dtype dtype;
  int rank = check_sizes(L, "randn", g, shape, &dtype);
  return push_floats(L, "randn", g, true, 0, 1, rank, shape, dtype);
}

/* g:uniform([low [, high [, shape [, dtype]]]]) */
static int generator_uniform(lua_State *L) {
  static const char fn[] = "uniform";
  pl_generator *g = check_self(L, fn);
  int64_t shape[PL_MAX_RANK];
  double low = lua_isnoneornil(L, 2) ? 0 : check_finite(L, 2, fn, "low");
  double high = lua_isnoneornil(L, 3) ? 1 : check_finite(L, 3, fn, "high");
  if (high < low) pl_arg_error(L, 3, fn, "high", "a number from low (%f) up", low);
  if (!isfinite(high - low)) pl_arg_error(L, 3, fn, "high", "high - low to be finite");
  int rank = opt_shape(L, 4, fn, shape);
  pl_dtype dtype = opt_float_dtype(L, 5, fn, g);
  check_no_more(L, fn, 5);
  return push_floats(L, fn, g, false, low, high - low, rank, shape, dtype);
}

/* g:normal([loc [, scale [, shape [, dtype]]]]) */
static int generator_normal(lua_State *L) {
  static const char fn[] = "normal";
  pl_generator *g = check_self(L, fn);
  int64_t shape[PL_MAX_RANK];
  double loc = lua_isnoneornil(L, 2) ? 0 : check_finite(L, 2, fn, "loc");
  double scale = lua_isnoneornil(L, 3) ? 1 : check_finite(L, 3, fn, "scale");
  if (signbit(scale)) pl_arg_error(L, 3, fn, "scale", "a standard deviation of 0 or more");
  int rank = opt_shape(L, 4, fn, shape);
  pl_dtype dtype = opt_float_dtype(L, 5, fn, g);
  check_no_more(L, fn, 5);
  return push_floats(L, fn, g, true, loc, scale, rank, shape, dtype);
}

/* ==== Integers ==== */

/* g:randint(low [, high [, shape]]) */
static int generator_randint(lua_State *L) {
  static const char fn[] = "randint";
  pl_generator *g = check_self(L, fn);
  int64_t shape[PL_MAX_RANK];
  bool both = !lua_isnoneornil(L, 3);
  int rank = opt_shape(L, 4, fn, shape);
  /* an int32 tensor holds the values; a single one may be any Lua integer */
  int64_t least = rank < 0 ? INT64_MIN : INT32_MIN;
  int64_t most = rank < 0 ? INT64_MAX : (int64_t)INT32_MAX + 1;
  int64_t low = both ? pl_check_integer(L, 2, fn, "low", least, most) : 0;
  int last = both ? 3 : 2; /* randint(high) starts at 0 */
  int64_t high = pl_check_integer(L, last, fn, "high", least, most);
  if (high <= low) pl_arg_error(L, last, fn, "high", "an integer above low (%I)", (lua_Integer)low);
  check_no_more(L, fn, 4);
  uint64_t max = (uint64_t)high - (uint64_t)low - 1;
  if (rank < 0) {
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + pl_generator_integer(g, max)));
    return 1;
  }
  pl_tensor *t = pl_push_tensor(L, fn, PL_INT32, rank, shape);
  pl_generator_integers(g, low, (uint32_t)max, t->numel, t->data);
  return 1;
}

/* Shuffles the contiguous tensor t along its first axis. */
static void shuffle_rows(pl_generator *g, const pl_tensor *t) {
  int64_t rows = t->shape[0];
  if (t->numel > 0)
    pl_generator_shuffle(g, rows, (size_t)(t->numel / rows) * pl_dtype_size(t->dtype), t->data);
}

/* g:permutation(n) -> int32, g:permutation(tensor) -> a shuffled copy */
static int generator_permutation(lua_State *L) {
  static const char fn[] = "permutation";
  pl_generator *g = check_self(L, fn);
  check_no_more(L, fn, 2);
  const pl_tensor *source = pl_to_tensor(L, 2);
  if (source == NULL) {
    if (lua_type(L, 2) != LUA_TNUMBER)
      pl_arg_error(L, 2, fn, "n", "a number of elements or a tensor to shuffle a copy of");
    int64_t n = pl_check_integer(L, 2, fn, "n", 0, INT32_MAX);
    const pl_tensor *t = pl_push_tensor(L, fn, PL_INT32, 1, &n);
    pl_generator_permutation(g, (int32_t)n, t->data);
    return 1;
  }
  if (source->rank == 0) pl_arg_error(L, 2, fn, "n", "a tensor with at least one axis");
  const pl_tensor *copy = pl_push_tensor(L, fn, source->dtype, source->rank, source->shape);
  pl_copy(copy, source);
  shuffle_rows(g, copy);
  return 1;
}

static void shuffle_list(lua_State *L, pl_generator *g) {
  for (lua_Integer i = (lua_Integer)lua_rawlen(L, 2); i > 1; i--) {
    lua_Integer j = (lua_Integer)pl_generator_integer(g, (uint64_t)(i - 1)) + 1;
    lua_rawgeti(L, 2, i);
    lua_rawgeti(L, 2, j);
    lua_rawseti(L, 2, i);
    lua_rawseti(L, 2, j);
  }
}

/* g:shuffle(tensor | list): in place, returns it */
static int generator_shuffle(lua_State *L) {
  static const char fn[] = "shuffle";
  pl_generator *g = check_self(L, fn);
  check_no_more(L, fn, 2);
  const pl_tensor *t = pl_to_tensor(L, 2);
  if (t == NULL) {
    if (!lua_istable(L, 2)) pl_arg_error(L, 2, fn, "what", "a tensor or a list");
    shuffle_list(L, g);
  } else {
    if (t->rank == 0) pl_arg_error(L, 2, fn, "what", "a tensor with at least one axis");
    pl_check_writable(L, 2, fn);
    const pl_tensor *rows = pl_push_contiguous(L, fn, 2);
    shuffle_rows(g, rows);
    if (rows != t) pl_copy(t, rows);
  }
  lua_settop(L, 2);
  return 1;
}

/* ==== Choices ==== */

/* Pushes a copy of the probabilities at the top of the stack, checked against n and count. */
static double *push_probabilities(lua_State *L, const char *fn, int32_t n, bool replace,
                                  int64_t count) {
  int arg = lua_gettop(L);
  const pl_tensor *t = pl_to_tensor(L, arg);
  double tolerance = 1.4901161193847656e-08; /* the root of the dtype's epsilon, as NumPy allows */
  if (t == NULL && !lua_istable(L, arg))
    pl_arg_error(L, arg, fn, "p", "a list or a tensor of %d probabilities", (int)n);
  if (t != NULL && (t->rank != 1 || t->shape[0] != n || !pl_dtype_is_float(t->dtype)))
    pl_arg_error(L, arg, fn, "p", "a tensor {%d} of floats", (int)n);
  if (t == NULL && lua_rawlen(L, arg) != (lua_Unsigned)n)
    pl_raise(L, "%s: argument 'p': expected %d probabilities, got %I", fn, (int)n,
             (lua_Integer)lua_rawlen(L, arg));
  if (t != NULL && t->dtype == PL_FLOAT32) tolerance = 3.4526698300124393e-04;
  double *p = pl_push_workspace(L, fn, (size_t)n * sizeof *p);
  if (t != NULL) {
    int64_t shape = n;
    pl_tensor copy;
    pl_init_contiguous(&copy, PL_FLOAT64, 1, &shape);
    copy.data = p;
    pl_copy(&copy, t);
  }
  double sum = 0;
  int64_t positive = 0;
  for (int32_t i = 0; i < n; i++) {
    if (t == NULL) {
      lua_rawgeti(L, arg, i + 1);
      p[i] = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
    } else {
      lua_pushnumber(L, p[i]);
    }
    if (!(p[i] >= 0 && p[i] <= 1 + tolerance))
      pl_raise(L, "%s: argument 'p': expected probabilities from 0 to 1, got %s at [%d]", fn,
               pl_describe(L, -1), (int)i + 1);
    lua_pop(L, 1);
    sum += p[i];
    positive += p[i] > 0;
  }
  if (fabs(sum - 1) > tolerance)
    pl_raise(L, "%s: argument 'p': expected probabilities that sum to 1, got a sum of %f", fn, sum);
  if (!replace && positive < count)
    pl_raise(L,
             "%s: argument 'p': expected at least %I probabilities above 0, as nothing is taken "
             "twice, got %I",
             fn, (lua_Integer)count, (lua_Integer)positive);
  return p;
}

/* The options {replace = true, p = nil} at arg; pushes p (or nil). */
static bool push_options(lua_State *L, int arg, const char *fn) {
  if (lua_isnoneornil(L, arg)) {
    lua_pushnil(L);
    return true;
  }
  if (!lua_istable(L, arg)) pl_arg_error(L, arg, fn, "options", "a table {replace = ..., p = ...}");
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(key, "replace") != 0 && strcmp(key, "p") != 0)
      pl_raise(L, "%s: unknown option %s; known are: replace, p", fn, pl_describe(L, -1));
    lua_pop(L, 1);
  }
  lua_pushliteral(L, "replace");
  lua_rawget(L, arg);
  bool replace = pl_opt_boolean(L, -1, fn, "replace", true);
  lua_pop(L, 1);
  lua_pushliteral(L, "p");
  lua_rawget(L, arg);
  return replace;
}

/* g:choice(n [, shape [, {replace = true, p = nil}]]) */
static int generator_choice(lua_State *L) {
  static const char fn[] = "choice";
  pl_generator *g = check_self(L, fn);
  int64_t shape[PL_MAX_RANK] = {1};
  int32_t n = (int32_t)pl_check_integer(L, 2, fn, "n", 1, INT32_MAX);
  int rank = opt_shape(L, 3, fn, shape);
  check_no_more(L, fn, 4);
  bool replace = push_options(L, 4, fn);
  int p_arg = lua_gettop(L);
  const pl_tensor *out = pl_push_tensor(L, fn, PL_INT32, rank < 0 ? 0 : rank, shape);
  int out_arg = lua_gettop(L);
  if (!replace && out->numel > n)
    pl_raise(L,
             "%s: argument 'shape': expected at most %d elements, as nothing is taken twice, "
             "got %I",
             fn, (int)n, (lua_Integer)out->numel);
  if (!lua_isnil(L, p_arg)) {
    lua_pushvalue(L, p_arg);
    double *p = push_probabilities(L, fn, n, replace, out->numel);
    double *cdf = pl_push_workspace(L, fn, (size_t)n * sizeof *cdf);
    if (replace) {
      pl_generator_choose(g, n, p, cdf, out->numel, out->data);
    } else {
      pl_generator_choose_distinct(g, n, p, cdf, out->numel, out->data);
    }
  } else if (replace) {
    pl_generator_integers(g, 1, (uint32_t)n - 1, out->numel, out->data);
  } else {
    int32_t *order = pl_push_workspace(L, fn, (size_t)n * sizeof *order);
    pl_generator_permutation(g, n, order);
    memcpy(out->data, order, (size_t)out->numel * sizeof *order);
  }
  lua_settop(L, out_arg);
  if (rank < 0) pl_push_item(L, out);
  return 1;
}

/* ==== State ==== */

static pl_generator *push_generator(lua_State *L) {
  pl_generator *g = lua_newuserdatauv(L, sizeof *g, 0);
  *g = (pl_generator){.kind = PL_PHILOX};
  luaL_setmetatable(L, GENERATOR);
  return g;
}

/* g:state() -> string */
static int generator_state(lua_State *L) {
  const pl_generator *g = check_self(L, "state");
  char text[PL_GENERATOR_TEXT];
  lua_pushlstring(L, text, pl_generator_save(g, text));
  return 1;
}

/* g:set_state(string) -> g */
static int generator_set_state(lua_State *L) {
  pl_generator *g = check_self(L, "set_state");
  size_t length = 0;
  const char *text = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &length) : "";
  if (!pl_generator_load(g, text, length))
    pl_arg_error(L, 2, "set_state", "state", "a string that state() of a %s made",
                 g->kind == PL_PHILOX ? "pl.rng" : "pl.numpy_rng");
  lua_settop(L, 1);
  return 1;
}

/* g:clone() -> generator */
static int generator_clone(lua_State *L) {
  const pl_generator *g = check_self(L, "clone");
  *push_generator(L) = *g;
  return 1;
}

static int generator_tostring(lua_State *L) {
  const pl_generator *g = check_self(L, "tostring");
  if (g->kind == PL_PHILOX) {
    lua_pushfstring(L, "rng (seed %I, stream %I, %I drawn)", (lua_Integer)g->as.philox.seed,
                    (lua_Integer)g->as.philox.stream, (lua_Integer)g->as.philox.position);
  } else {
    lua_pushfstring(L, "numpy_rng (MT19937, word %d of %d%s)", g->as.mt19937.pos,
                    (int)PL_MT19937_WORDS, g->as.mt19937.has_gauss ? ", a normal waits" : "");
  }
  return 1;
}

/* ==== Constructors ==== */

/* core.rng(seed [, stream]) */
static int bind_rng(lua_State *L) {
  static const char fn[] = "rng";
  int64_t seed = pl_check_integer(L, 1, fn, "seed", 0, INT64_MAX);
  int64_t stream = 0;
  if (!lua_isnoneornil(L, 2)) stream = pl_check_integer(L, 2, fn, "stream", 0, INT64_MAX);
  push_generator(L)->as.philox = (pl_philox){.seed = (uint64_t)seed, .stream = (uint64_t)stream};
  return 1;
}

/* core.numpy_rng(seed | {seed, ...}) */
static int bind_numpy_rng(lua_State *L) {
  static const char fn[] = "numpy_rng";
  pl_mt19937 mt;
  if (lua_istable(L, 1)) {
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n == 0)
      pl_raise(L, "%s: argument 'seed': expected a list of integers, got an empty one", fn);
    uint32_t *words = pl_push_workspace(L, fn, (size_t)n * sizeof *words);
    for (lua_Unsigned i = 0; i < n; i++) {
      lua_rawgeti(L, 1, (lua_Integer)i + 1);
      words[i] = (uint32_t)pl_check_integer(L, -1, fn, "seed", 0, UINT32_MAX);
      lua_pop(L, 1);
    }
    pl_mt19937_seed_array(&mt, words, (int64_t)n);
  } else {
    pl_mt19937_seed(&mt, (uint32_t)pl_check_integer(L, 1, fn, "seed", 0, UINT32_MAX));
  }
  pl_generator *g = push_generator(L);
  g->kind = PL_MT19937;
  g->as.mt19937 = mt;
  return 1;
}

static void check_words(lua_State *L, int arg, const char *fn, const char *name, int n,
                        uint32_t *words) {
  if (!lua_istable(L, arg) || lua_rawlen(L, arg) != (lua_Unsigned)n)
    pl_arg_error(L, arg, fn, name, "a list of %d integers", n);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, arg, i + 1);
    words[i] = (uint32_t)pl_check_integer(L, -1, fn, name, 0, UINT32_MAX);
    lua_pop(L, 1);
  }
}

/* core.philox4x32(counter, key): the bare cipher */
static int bind_philox4x32(lua_State *L) {
  uint32_t counter[4], key[2], out[4];
  check_words(L, 1, "philox4x32", "counter", 4, counter);
  check_words(L, 2, "philox4x32", "key", 2, key);
  pl_philox4x32(counter, key, out);
  for (int i = 0; i < 4; i++) lua_pushinteger(L, out[i]);
  return 4;
}

void pl_bind_random(lua_State *L) {
  static const luaL_Reg functions[] = {{"rng", bind_rng},
                                       {"numpy_rng", bind_numpy_rng},
                                       {"philox4x32", bind_philox4x32},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"rand", generator_rand},       {"randn", generator_randn},
      {"uniform", generator_uniform}, {"normal", generator_normal},
      {"randint", generator_randint}, {"permutation", generator_permutation},
      {"shuffle", generator_shuffle}, {"choice", generator_choice},
      {"state", generator_state},     {"set_state", generator_set_state},
      {"clone", generator_clone},     {NULL, NULL},
  };
  luaL_newmetatable(L, GENERATOR);
  lua_pushliteral(L, "random generator"); /* what error messages call it */
  lua_setfield(L, -2, "__name");
  lua_pushcfunction(L, generator_tostring);
  lua_setfield(L, -2, "__tostring");
  luaL_newlib(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "generator");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
