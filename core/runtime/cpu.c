/*
** Instruction set detection. See cpu.h for the contract.
*/
#include "runtime/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[PL_ISA_COUNT] = {"baseline", "avx2", "avx512"};
static pl_isa chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const char *pl_isa_name(pl_isa isa) { return names[isa]; }

static void choose(void) {
  chosen = PL_ISA_BASELINE;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    chosen = PL_ISA_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      chosen = PL_ISA_AVX512;
  }
#endif
  const char *wanted = getenv("PERILUNE_ISA");
  for (int i = 0; wanted != NULL && i < (int)chosen; i++) {
    if (strcmp(wanted, names[i]) == 0) chosen = (pl_isa)i;
  }
}

pl_isa pl_cpu_isa(void) {
  pthread_once(&once, choose);
  return chosen;
}
