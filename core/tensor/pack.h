/*
** Batches of normalised rows, in parallel.
*/
#ifndef PL_PACK_H
#define PL_PACK_H

#include "tensor/tensor.h"

/* Row b of out (its first axis) := (row index[b] of source - mean) / divisor. index is 1-based and
** checked, or NULL: row b. source is uint8 or of out's dtype; mean and divisor hold a row's numbers
** each, or are NULL. All contiguous, rows of equal size. */
void pl_pack(const pl_tensor *out, const pl_tensor *source, const int32_t *index, const void *mean,
             const void *divisor);

#endif
