/*
** The machine: threads, instruction set, clock, and the most that its arithmetic can do.
*/
#include <string.h>
#include <unistd.h>

#include "bind/bind.h"
#include "kernels/kernels.h"
#include "runtime/clock.h"
#include "runtime/cpu.h"
#include "runtime/pool.h"

/* core.threads() -> integer */
static int bind_threads(lua_State *L) {
  lua_pushinteger(L, pl_threads());
  return 1;
}

/* core.set_threads(n) */
static int bind_set_threads(lua_State *L) {
  pl_set_threads((int)pl_check_integer(L, 1, "set_threads", "n", 1, PL_MAX_THREADS));
  return 0;
}

/* core.isa() -> "avx512" | "avx2" | "baseline" */
static int bind_isa(lua_State *L) {
  lua_pushstring(L, pl_isa_name(pl_cpu_isa()));
  return 1;
}

/* core.clock() -> seconds of wall time since some fixed moment */
static int bind_clock(lua_State *L) {
  lua_pushnumber(L, (double)pl_clock() * 1e-9);
  return 1;
}

typedef struct {
  int64_t rounds;
  double flops[PL_MAX_THREADS];
  float sums[PL_MAX_THREADS]; /* kept, so that the work is not optimised away */
} peak_job;

static void peak_chunk(void *context, int64_t chunk) {
  peak_job *job = context;
  job->flops[chunk] = pl_kernels_get()->peak(job->rounds, &job->sums[chunk]);
}

/* core.peak(rounds) -> floating-point operations done: fused multiply-adds on every thread */
static int bind_peak(lua_State *L) {
  peak_job job = {.rounds = pl_check_integer(L, 1, "peak", "rounds", 0, INT64_C(1) << 32)};
  int threads = pl_threads();
  double flops = 0;
  pl_parallel_for(threads, peak_chunk, &job);
  for (int i = 0; i < threads; i++) flops += job.flops[i];
  lua_pushnumber(L, flops);
  return 1;
}

void pl_bind_runtime(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"threads", bind_threads}, {"set_threads", bind_set_threads},
      {"isa", bind_isa},         {"clock", bind_clock},
      {"peak", bind_peak},       {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
