/*
** Workers are started when first wanted and live until the process ends (the module is linked
** so that it is never unloaded). A worker spins briefly for the next job, then sleeps.
** A job is open while its owner hands out chunks; a worker joins under the lock, so one that
** wakes late finds the job closed, and the owner waits only for those who joined.
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

enum { SPINS = 4000 };

static struct {
  pthread_mutex_t owner; /* held by the thread whose job is running */
  pthread_mutex_t lock;  /* guards all below but the atomics */
  pthread_cond_t wake, idle;
  int threads, workers, sleeping;
  bool open, owner_sleeps;
  pl_task *task;
  void *context;
  int64_t chunks;
  atomic_int joined;
  atomic_uint generation;
  _Atomic int64_t next;
} pool = {
    .owner = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
};

static _Thread_local bool inside_task;

static inline void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#endif
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
  int64_t chunk;
  while ((chunk = atomic_fetch_add(&pool.next, 1)) < chunks) task(context, chunk);
}

static void *work(void *unused) {
  (void)unused;
  inside_task = true;
  flush_denormals();
  unsigned seen = 0;
  for (;;) {
    for (int i = 0; i < SPINS && atomic_load(&pool.generation) == seen; i++) relax();
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.generation) == seen) {
      pool.sleeping++;
      pthread_cond_wait(&pool.wake, &pool.lock);
      pool.sleeping--;
    }
    seen = atomic_load(&pool.generation);
    if (!pool.open || atomic_load(&pool.joined) >= pool.threads - 1) {
      pthread_mutex_unlock(&pool.lock);
      continue;
    }
    atomic_fetch_add(&pool.joined, 1);
    pl_task *task = pool.task;
    void *context = pool.context;
    int64_t chunks = pool.chunks;
    pthread_mutex_unlock(&pool.lock);
    run_chunks(task, context, chunks);
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_sub(&pool.joined, 1);
    if (pool.owner_sleeps) pthread_cond_signal(&pool.idle);
    pthread_mutex_unlock(&pool.lock);
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
      if (pthread_create(&thread, &attributes, work, NULL) != 0) break; /* fewer will do */
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
  pool.workers = pool.sleeping = 0;
  pool.open = pool.owner_sleeps = false;
  atomic_store(&pool.joined, 0);
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
  pool.threads = default_threads();
  pthread_atfork(NULL, NULL, forget_workers);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

int pl_threads(void) {
  pthread_once(&once, initialise);
  pthread_mutex_lock(&pool.lock);
  int threads = pool.threads;
  pthread_mutex_unlock(&pool.lock);
  return threads;
}

void pl_set_threads(int threads) {
  pthread_once(&once, initialise);
  pthread_mutex_lock(&pool.lock);
  pool.threads = threads;
  pthread_mutex_unlock(&pool.lock);
}

static void run_alone(int64_t chunks, pl_task *task, void *context) {
  unsigned saved = flush_denormals();
  bool outer = inside_task;
  inside_task = true;
  for (int64_t chunk = 0; chunk < chunks; chunk++) task(context, chunk);
  inside_task = outer;
  restore_denormals(saved);
}

static void wait_for_workers(void) {
  for (int i = 0; i < SPINS && atomic_load(&pool.joined) > 0; i++) relax();
  pthread_mutex_lock(&pool.lock);
  pool.owner_sleeps = true;
  while (atomic_load(&pool.joined) > 0) pthread_cond_wait(&pool.idle, &pool.lock);
  pool.owner_sleeps = false;
  pthread_mutex_unlock(&pool.lock);
}

void pl_parallel_for(int64_t chunks, pl_task *task, void *context) {
  if (chunks <= 1 || inside_task || pl_threads() == 1 || pthread_mutex_trylock(&pool.owner) != 0) {
    run_alone(chunks, task, context);
    return;
  }
  unsigned saved = flush_denormals();
  inside_task = true;
  pthread_mutex_lock(&pool.lock);
  int wanted = pool.threads - 1;
  if (pool.workers < wanted) start_workers(wanted);
  pool.task = task;
  pool.context = context;
  pool.chunks = chunks;
  pool.open = true;
  atomic_store(&pool.next, 0);
  atomic_fetch_add(&pool.generation, 1);
  if (pool.sleeping > 0) pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);

  run_chunks(task, context, chunks);

  pthread_mutex_lock(&pool.lock);
  pool.open = false;
  pthread_mutex_unlock(&pool.lock);
  wait_for_workers();
  inside_task = false;
  restore_denormals(saved);
  pthread_mutex_unlock(&pool.owner);
}
