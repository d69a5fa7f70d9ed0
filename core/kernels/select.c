/*
** Picks the kernel table for this processor.
*/
#include "kernels/kernels.h"
#include "runtime/cpu.h"

const pl_kernels *pl_kernels_get(void) {
#if defined(__x86_64__)
  static const pl_kernels *const tables[PL_ISA_COUNT] = {&pl_kernels_baseline, &pl_kernels_avx2,
                                                         &pl_kernels_avx512};
  return tables[pl_cpu_isa()];
#else
  return &pl_kernels_baseline;
#endif
}
