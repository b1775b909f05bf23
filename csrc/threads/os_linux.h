/* Where the calling thread may run, and how urgently: on Linux, where each thread has its own;
 * elsewhere they are not known, and always the same. For os.h. */
#ifndef MLP_OS_LINUX_H
#define MLP_OS_LINUX_H

#include <stdbool.h>

#if defined(__linux__)

#include <sched.h>
#include <sys/resource.h>

typedef cpu_set_t affinity;

/* None where the machine has more CPUs than fit. */
static inline void
get_affinity(affinity *cpus)
{
    if (sched_getaffinity(0, sizeof *cpus, cpus) != 0) {
        CPU_ZERO(cpus);
    }
}

static inline bool
is_same_affinity(const affinity *a, const affinity *b)
{
    return CPU_EQUAL(a, b);
}

/* A thread that the system does not move stays where it is. */
static inline void
set_affinity(const affinity *cpus)
{
    if (CPU_COUNT(cpus) > 0) {
        (void)!sched_setaffinity(0, sizeof *cpus, cpus);
    }
}

typedef struct {
    int nice, policy;
} urgency;

static inline urgency
get_urgency(void)
{
    return (urgency){getpriority(PRIO_PROCESS, 0), sched_getscheduler(0)};
}

static inline bool
is_same_urgency(const urgency *a, const urgency *b)
{
    return a->nice == b->nice && a->policy == b->policy;
}

#else

typedef char affinity, urgency;

static inline void
get_affinity(affinity *cpus)
{
    *cpus = 0;
}

static inline bool
is_same_affinity(const affinity *a, const affinity *b)
{
    return *a == *b;
}

static inline void
set_affinity(const affinity *cpus)
{
    (void)cpus;
}

static inline urgency
get_urgency(void)
{
    return 0;
}

static inline bool
is_same_urgency(const urgency *a, const urgency *b)
{
    return *a == *b;
}

#endif

#endif
