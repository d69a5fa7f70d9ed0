/*
** What this processor can do, asked once. PERILUNE_ISA=baseline|avx2|avx512 lowers the choice
** (a set that the processor lacks is not granted).
*/
#ifndef PL_CPU_H
#define PL_CPU_H

typedef enum { PL_ISA_BASELINE, PL_ISA_AVX2, PL_ISA_AVX512, PL_ISA_COUNT } pl_isa;

pl_isa pl_cpu_isa(void);
const char *pl_isa_name(pl_isa isa);

#endif
