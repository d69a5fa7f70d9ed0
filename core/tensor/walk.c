/*
** See walk.h for the contract.
*/
#include "tensor/walk.h"

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

void pl_walk_swap(pl_walk *walk, int a, int b) {
  int64_t shape = walk->shape[a];
  walk->shape[a] = walk->shape[b];
  walk->shape[b] = shape;
  for (int k = 0; k < walk->operands; k++) {
    int64_t stride = walk->stride[k][a];
    walk->stride[k][a] = walk->stride[k][b];
    walk->stride[k][b] = stride;
  }
}

static bool can_merge(const pl_walk *walk, int outer, int inner) {
  for (int k = 0; k < walk->operands; k++) {
    if (walk->stride[k][outer] != walk->stride[k][inner] * walk->shape[inner]) return false;
  }
  return true;
}

void pl_walk_make(pl_walk *walk, int operands, const pl_tensor *const *operand, unsigned axes,
                  pl_walk_order order) {
  walk->operands = operands;
  walk->rank = 0;
  walk->count = 1;
  for (int i = 0; i < operand[0]->rank; i++) {
    if (!(axes >> i & 1) || operand[0]->shape[i] == 1) continue;
    int at = walk->rank++;
    walk->shape[at] = operand[0]->shape[i];
    walk->count *= operand[0]->shape[i];
    for (int k = 0; k < operands; k++) walk->stride[k][at] = operand[k]->stride[i];
  }
  for (int i = 1; order == PL_BY_STRIDE && i < walk->rank; i++) {
    for (int j = i; j > 0; j--) {
      if (magnitude(walk->stride[0][j - 1]) >= magnitude(walk->stride[0][j])) break;
      pl_walk_swap(walk, j - 1, j);
    }
  }
  if (walk->rank == 0 || walk->count == 0) { /* one position, or none */
    walk->rank = 1;
    walk->shape[0] = walk->count;
    for (int k = 0; k < operands; k++) walk->stride[k][0] = 1;
    return;
  }
  int last = 0;
  for (int i = 1; i < walk->rank; i++) {
    if (can_merge(walk, last, i)) {
      walk->shape[last] *= walk->shape[i];
      for (int k = 0; k < operands; k++) walk->stride[k][last] = walk->stride[k][i];
    } else {
      last++;
      if (last != i) pl_walk_swap(walk, last, i);
    }
  }
  walk->rank = last + 1;
}

int64_t pl_walk_offset(const pl_walk *walk, int operand, int axes, int64_t at) {
  int64_t offset = 0;
  for (int i = axes - 1; i > 0; i--) {
    offset += at % walk->shape[i] * walk->stride[operand][i];
    at /= walk->shape[i];
  }
  return axes > 0 ? offset + at * walk->stride[operand][0] : 0;
}
