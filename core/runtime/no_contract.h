/*
** Keeps a file's floating-point bits the same on every machine: a * b + c is two roundings, even
** where the CPU could fuse them into one. Included first, by the files whose bits are a promise.
*/
#ifndef PL_NO_CONTRACT_H
#define PL_NO_CONTRACT_H

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && (defined(__FMA__) || !defined(__x86_64__))
#pragma GCC optimize("fp-contract=off")
#endif

#endif
