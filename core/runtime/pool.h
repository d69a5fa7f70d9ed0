/*
** The one thread pool of the process. Work comes as a number of chunks that must depend on
** the problem alone, never on the number of threads: then the bits of a result do not either.
** Tasks never touch a Lua state and have no error path. Denormals are flushed inside a task.
*/
#ifndef PL_POOL_H
#define PL_POOL_H

#include <stdint.h>

#define PL_MAX_THREADS 256

typedef void pl_task(void *context, int64_t chunk);

/* Runs task(context, 0 .. chunks-1), each once, and returns when all are done. Nested calls,
** and calls while another state's job holds the pool, run in the caller alone. */
void pl_parallel_for(int64_t chunks, pl_task *task, void *context);

/* Inside a task: which of the threads runs it, from 0. For memory that had better stay in one thread's cache. */
int pl_thread_index(void);

/* PERILUNE_THREADS, or else the processors this process may use. */
int pl_threads(void);
void pl_set_threads(int threads); /* 1 .. PL_MAX_THREADS */

#endif
