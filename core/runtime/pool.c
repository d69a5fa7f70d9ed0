/*
** Workers are started when first wanted and live until the process ends (the module is linked
** so that it is never unloaded). A worker spins briefly for the next job, then sleeps.
** A job is open while its owner hands out chunks. A worker enters through the gate, which counts those
** inside; the owner shuts it and waits until the last has left, so that whoever comes late finds it
** shut, and only those inside ever read the job. Locks are for sleeping alone.
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
  SHUT = 1 << 30
};

/* Of a job's chunks each thread has a share, in the same place from job to job: what it made then is in its
** caches still. Who is done with its own helps the others. */
typedef struct {
  _Alignas(64) _Atomic int64_t next;
} share;

static struct {
  pthread_mutex_t owner; /* held by the thread whose job is running */
  pl_task *task;         /* the job; written while the gate is shut and nobody is inside */
  void *context;
  int64_t chunks;
  int shares, workers;
  share share[PL_MAX_THREADS];
  atomic_uint gate; /* how many workers are inside the job, and SHUT */
  atomic_uint room; /* how many may be */
  atomic_uint generation;
  atomic_int threads, sleeping;
  atomic_bool owner_sleeps;
  pthread_mutex_t lock; /* of those who sleep */
  pthread_cond_t wake, idle;
} pool = {
    .owner = PTHREAD_MUTEX_INITIALIZER,
    .gate = SHUT,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
};

static _Thread_local bool inside_task;
static _Thread_local int thread_index; /* of a worker, from 1 */

static inline void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/* Spins until the number is (or is no more, without `equal`) that value; false when it takes too long. */
static bool spin_until(const atomic_uint *at, bool equal, unsigned value) {
  const int64_t end = pl_clock() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < 64; i++) {
      if ((atomic_load(at) == value) == equal) return true;
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

static void run_chunks(pl_task *task, void *context, int64_t chunks) {
  const int shares = pool.shares;
  for (int i = 0; i < shares; i++) {
    const int at = (thread_index + i) % shares;
    const int64_t end = chunks * (at + 1) / shares;
    int64_t chunk;
    while ((chunk = atomic_fetch_add(&pool.share[at].next, 1)) < end) task(context, chunk);
  }
}

static bool enter(void) {
  unsigned inside = atomic_load(&pool.gate);
  while (inside < atomic_load(&pool.room)) { /* SHUT is above any room */
    if (atomic_compare_exchange_weak(&pool.gate, &inside, inside + 1)) return true;
  }
  return false;
}

static void leave(void) {
  if (atomic_fetch_sub(&pool.gate, 1) != SHUT + 1 || !atomic_load(&pool.owner_sleeps)) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_signal(&pool.idle);
  pthread_mutex_unlock(&pool.lock);
}

/* Returns the generation of a job that is not the one seen last. */
static unsigned wait_for_job(unsigned seen) {
  if (spin_until(&pool.generation, false, seen)) return atomic_load(&pool.generation);
  pthread_mutex_lock(&pool.lock);
  atomic_fetch_add(&pool.sleeping, 1);
  while (atomic_load(&pool.generation) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
  atomic_fetch_sub(&pool.sleeping, 1);
  pthread_mutex_unlock(&pool.lock);
  return atomic_load(&pool.generation);
}

static void *work(void *index) {
  thread_index = (int)(intptr_t)index;
  inside_task = true;
  flush_denormals();
  for (unsigned seen = 0;;) {
    seen = wait_for_job(seen);
    if (!enter()) continue;
    run_chunks(pool.task, pool.context, pool.chunks);
    leave();
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
  atomic_store(&pool.gate, SHUT);
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

int pl_thread_index(void) { return thread_index; }

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
  bool outer = inside_task;
  inside_task = true;
  for (int64_t chunk = 0; chunk < chunks; chunk++) task(context, chunk);
  inside_task = outer;
  restore_denormals(saved);
}

static void open_gate(int workers) {
  atomic_store(&pool.room, (unsigned)workers);
  atomic_store(&pool.gate, 0);
  atomic_fetch_add(&pool.generation, 1);
  if (atomic_load(&pool.sleeping) == 0) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}

static void shut_gate(void) {
  atomic_fetch_add(&pool.gate, SHUT);
  if (spin_until(&pool.gate, true, SHUT)) return;
  pthread_mutex_lock(&pool.lock);
  atomic_store(&pool.owner_sleeps, true);
  while (atomic_load(&pool.gate) != SHUT) pthread_cond_wait(&pool.idle, &pool.lock);
  atomic_store(&pool.owner_sleeps, false);
  pthread_mutex_unlock(&pool.lock);
}

void pl_parallel_for(int64_t chunks, pl_task *task, void *context) {
  const int threads = pl_threads();
  if (chunks <= 1 || inside_task || threads == 1 || pthread_mutex_trylock(&pool.owner) != 0) {
    run_alone(chunks, task, context);
    return;
  }
  unsigned saved = flush_denormals();
  inside_task = true;
  if (pool.workers < threads - 1) start_workers(threads - 1);
  pool.task = task;
  pool.context = context;
  pool.chunks = chunks;
  pool.shares = threads;
  for (int i = 0; i < threads; i++) atomic_store(&pool.share[i].next, chunks * i / threads);
  open_gate(threads - 1);
  run_chunks(task, context, chunks);
  shut_gate();
  inside_task = false;
  restore_denormals(saved);
  pthread_mutex_unlock(&pool.owner);
}
