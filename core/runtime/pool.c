/*
** Workers are started when first wanted and live until the process ends (the module is linked
** so that it is never unloaded). A worker spins briefly for the next job, then sleeps.
** Of a job's chunks each thread has a share, in the same place from job to job: what it made then is in
** its caches still. Who is done with its own helps the others. A share's word says how many of its chunks
** nobody has taken, and of which job: who takes one knows by this alone that the job is open, and that it
** stays so until the chunk is done; whoever comes late finds none to take. Between two threads every line of
** the cache that both write takes as long as a thousand multiply-adds: so the owner writes all that a job
** is before it waits for anything, and a worker writes to its own share. Locks are for sleeping alone.
*/
#include "runtime/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/clock.h"

enum {
  SPIN_NANOSECONDS = 200000, /* Lua is at work between two jobs, and to wake a thread takes long */
  CONTEXT_BYTES = 256        /* of what a task reads first */
};

typedef struct {
  _Alignas(64) _Atomic uint64_t left; /* the job's number << 32, and how many chunks nobody took */
  _Atomic int64_t done;               /* by this thread, of any share */
} share;

/* What a worker must know of a job; written while all chunks of the one before are done. */
typedef struct {
  atomic_uint number;
  atomic_int shares;
  _Atomic int64_t chunks;
  pl_task *_Atomic task;
  void *_Atomic context;
} pool_job;

static struct {
  pthread_mutex_t owner; /* held by the thread whose job is running */
  int workers;
  _Alignas(64) pool_job job;
  share share[PL_MAX_THREADS];
  _Alignas(64) atomic_int threads, sleeping;
  atomic_bool owner_sleeps;
  pthread_mutex_t lock; /* of those who sleep */
  pthread_cond_t wake, idle;
} pool = {
    .owner = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
};

static _Thread_local bool inside_task, first_chunk;
static _Thread_local int thread_index; /* of a worker, from 1 */

static inline void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/* Spins until the condition holds; false when it takes too long. */
static bool spin_until(bool holds(int64_t), int64_t argument) {
  const int64_t end = pl_clock() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < 64; i++) {
      if (holds(argument)) return true;
      relax();
    }
  } while (pl_clock() < end);
  return false;
}

/* Flush-to-zero and denormals-are-zero, over the default rounding and masks: a host's own modes
** must not tell its thread's chunks from a worker's. Returns the state to restore. */
static unsigned flush_denormals(void) {
#if defined(__x86_64__)
  unsigned saved = _mm_getcsr();
  _mm_setcsr(0x1f80u | 0x8040u);
  return saved;
#else
  return 0;
#endif
}

static void restore_denormals(unsigned saved) {
#if defined(__x86_64__)
  _mm_setcsr(saved);
#else
  (void)saved;
#endif
}

/* Takes a chunk of a share, whose word is perhaps *word: how many there were, or 0. */
static int64_t take(share *from, unsigned number, uint64_t *word) {
  do {
    if (*word >> 32 != number || (uint32_t)*word == 0) return 0;
  } while (!atomic_compare_exchange_weak(&from->left, word, *word - 1));
  return (uint32_t)(*word)--;
}

static uint64_t word_of(unsigned number, int64_t left) {
  return (uint64_t)number << 32 | (uint64_t)left;
}

/* A worker's chunks that are done. */
static void report(int64_t done) {
  atomic_store(&pool.share[thread_index].done, done);
  if (!atomic_load(&pool.owner_sleeps)) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_signal(&pool.idle);
  pthread_mutex_unlock(&pool.lock);
}

/* Runs chunks of that job as long as there are any; returns how many. */
static int64_t run_chunks(unsigned number) {
  const int shares = atomic_load_explicit(&pool.job.shares, memory_order_relaxed);
  const int64_t chunks = atomic_load_explicit(&pool.job.chunks, memory_order_relaxed);
  pl_task *task = atomic_load_explicit(&pool.job.task, memory_order_relaxed);
  void *context = atomic_load_explicit(&pool.job.context, memory_order_relaxed);
  int64_t done = 0, reported = 0;
  for (int i = 0; thread_index < shares && i < shares; i++) {
    const int at = (thread_index + i) % shares;
    share *from = &pool.share[at];
    const int64_t end = chunks * (at + 1) / shares;
    uint64_t word = i == 0 ? word_of(number, end - chunks * at / shares) : atomic_load(&from->left);
    for (int64_t left; (left = take(from, number, &word)) > 0; done++) {
      first_chunk = done == 0;
      task(context, end - left);
    }
    if (thread_index > 0 && done > reported) report(reported = done);
  }
  return done;
}

static bool is_other_job(int64_t seen) { return atomic_load(&pool.job.number) != (unsigned)seen; }

/* Returns the number of a job that is not the one seen last. */
static unsigned wait_for_job(unsigned seen) {
  if (spin_until(is_other_job, seen)) return atomic_load(&pool.job.number);
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.sleeping, 1);
  while (!is_other_job(seen)) pthread_cond_wait(&pool.wake, &pool.lock);
  atomic_fetch_sub(&pool.sleeping, 1);
  pthread_mutex_unlock(&pool.lock);
  return atomic_load(&pool.job.number);
}

static void *work(void *index) {
  thread_index = (int)(intptr_t)index;
  inside_task = true;
  flush_denormals();
  for (unsigned seen = 0;;) {
    seen = wait_for_job(seen);
    const char *context = atomic_load_explicit(&pool.job.context, memory_order_relaxed);
    for (int i = 0; i < CONTEXT_BYTES; i += 64) __builtin_prefetch(context + i);
    run_chunks(seen);
  }
  return NULL;
}

/* Signals stay with the host's own threads. */
static void start_workers(int wanted) {
  sigset_t all, saved;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &saved);
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) == 0) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (pool.workers < wanted) {
      pthread_t thread;
      if (pthread_create(&thread, &attributes, work, (void *)(intptr_t)(pool.workers + 1)) != 0)
        break; /* fewer will do */
      pool.workers++;
    }
    pthread_attr_destroy(&attributes);
  }
  pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

/* Only the forking thread lives on in a child: it starts its own workers when it wants them. */
static void forget_workers(void) {
  pthread_mutex_init(&pool.owner, NULL);
  pthread_mutex_init(&pool.lock, NULL);
  pthread_cond_init(&pool.wake, NULL);
  pthread_cond_init(&pool.idle, NULL);
  pool.workers = 0;
  atomic_store(&pool.sleeping, 0);
  atomic_store(&pool.owner_sleeps, false);
  /* of the parent's job, perhaps half done, there is nothing to take */
  atomic_store(&pool.job.number, 0);
  for (int i = 0; i < PL_MAX_THREADS; i++) atomic_store(&pool.share[i].left, 0);
}

/* The processors' time that a container may take, in whole processors; PL_MAX_THREADS without a limit. */
static int allowed_processors(void) {
  long long quota, period;
  int count = PL_MAX_THREADS;
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (file == NULL) return count;
  if (fscanf(file, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0 &&
      quota / period < count)
    count = (int)((quota + period - 1) / period);
  fclose(file);
  return count;
}

static int default_threads(void) {
  const char *text = getenv("PERILUNE_THREADS");
  if (text != NULL) {
    char *end;
    long wanted = strtol(text, &end, 10);
    if (end != text && *end == '\0' && wanted >= 1 && wanted <= PL_MAX_THREADS) return (int)wanted;
  }
  cpu_set_t set; /* too small for more than 1024 */
  const bool known = sched_getaffinity(0, sizeof set, &set) == 0;
  const int available = known ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  const int allowed = allowed_processors();
  return available < 1 ? 1 : available < allowed ? available : allowed;
}

static void initialise(void) {
  atomic_store(&pool.threads, default_threads());
  pthread_atfork(NULL, NULL, forget_workers);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

int64_t pl_slot(int64_t slots) { return thread_index % slots; }

bool pl_is_first_chunk(void) { return first_chunk; }

int pl_threads(void) {
  pthread_once(&once, initialise);
  return atomic_load(&pool.threads);
}

void pl_set_threads(int threads) {
  pthread_once(&once, initialise);
  atomic_store(&pool.threads, threads);
}

static void run_alone(int64_t chunks, pl_task *task, void *context) {
  unsigned saved = flush_denormals();
  const bool outer = inside_task, first = first_chunk;
  inside_task = true;
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    first_chunk = chunk == 0;
    task(context, chunk);
  }
  inside_task = outer;
  first_chunk = first;
  restore_denormals(saved);
}

static void open_job(int64_t chunks, pl_task *task, void *context, int shares) {
  const unsigned number = atomic_load_explicit(&pool.job.number, memory_order_relaxed) + 1;
  atomic_store_explicit(&pool.job.task, task, memory_order_relaxed);
  atomic_store_explicit(&pool.job.context, context, memory_order_relaxed);
  atomic_store_explicit(&pool.job.chunks, chunks, memory_order_relaxed);
  atomic_store_explicit(&pool.job.shares, shares, memory_order_relaxed);
  for (int i = 0; i < shares; i++) {
    const int64_t left = chunks * (i + 1) / shares - chunks * i / shares;
    atomic_store_explicit(&pool.share[i].done, 0, memory_order_relaxed);
    atomic_store_explicit(&pool.share[i].left, word_of(number, left), memory_order_release);
  }
  atomic_store_explicit(&pool.job.number, number, memory_order_release);
  atomic_thread_fence(memory_order_seq_cst); /* who falls asleep now has seen the number */
  if (atomic_load(&pool.sleeping) == 0) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}

static bool workers_did(int64_t chunks) {
  for (int i = 1; i < pool.job.shares; i++) chunks -= atomic_load(&pool.share[i].done);
  return chunks == 0;
}

static void wait_for_workers(int64_t chunks) {
  if (spin_until(workers_did, chunks)) return;
  pthread_mutex_lock(&pool.lock);
  atomic_store(&pool.owner_sleeps, true);
  while (!workers_did(chunks)) pthread_cond_wait(&pool.idle, &pool.lock);
  atomic_store(&pool.owner_sleeps, false);
  pthread_mutex_unlock(&pool.lock);
}

void pl_parallel_for(int64_t chunks, pl_task *task, void *context) {
  pl_parallel_slots(chunks, PL_MAX_THREADS, task, context);
}

void pl_parallel_slots(int64_t chunks, int64_t slots, pl_task *task, void *context) {
  int64_t threads = pl_threads();
  if (threads > slots) threads = slots;
  if (threads > chunks) threads = chunks;
  if (chunks <= 1 || chunks > UINT32_MAX || inside_task || threads <= 1 ||
      pthread_mutex_trylock(&pool.owner) != 0) {
    run_alone(chunks, task, context);
    return;
  }
  unsigned saved = flush_denormals();
  inside_task = true;
  if (pool.workers < threads - 1) start_workers((int)threads - 1);
  open_job(chunks, task, context, (int)threads);
  wait_for_workers(chunks - run_chunks(pool.job.number));
  inside_task = false;
  restore_denormals(saved);
  pthread_mutex_unlock(&pool.owner);
}
