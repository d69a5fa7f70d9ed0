/*
** The one thread pool of the process. Work comes as a number of chunks that must depend on
** the problem alone, never on the number of threads: then the bits of a result do not either.
** Tasks never touch a Lua state and have no error path. Denormals are flushed inside a task.
*/
#ifndef PL_POOL_H
#define PL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define PL_MAX_THREADS 256

typedef void pl_task(void *context, int64_t chunk);

/* Runs task(context, 0 .. chunks-1), each once, and returns when all are done. Nested calls,
** and calls while another state's job holds the pool, run in the caller alone. */
void pl_parallel_for(int64_t chunks, pl_task *task, void *context);

/* Tasks that need memory of their own: there are so many slots, at most PL_MAX_THREADS, and no more threads
** take part. Which task gets which slot must change no bit. */
void pl_parallel_slots(int64_t chunks, int64_t slots, pl_task *task, void *context);
/* Inside such a task: the slot that is its thread's for the length of the job, so that what lies there may
** stay in that thread's cache from job to job. */
int64_t pl_slot(int64_t slots);
/* Inside a task: whether it is the first of the job that this thread runs. */
bool pl_is_first_chunk(void);

/* PERILUNE_THREADS, or else the processors this process may use. */
int pl_threads(void);
void pl_set_threads(int threads); /* 1 .. PL_MAX_THREADS */

#endif
