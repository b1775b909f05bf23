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

static inline int
count_cpus(const affinity *cpus)
{
    return CPU_COUNT(cpus);
}

/* The CPU that the calling thread is on; negative where that is not known. */
static inline int
current_cpu(void)
{
    return sched_getcpu();
}

/* Moves the calling thread off a CPU, to some other, where it is on it and may run on others.
 * Linux leaves a thread that was woken where its waker runs for long, if it takes the other CPUs
 * for busy; on virtual machines it does so for those that were idle. The two then take turns. */
static inline void
leave_cpu(int cpu, const affinity *cpus)
{
    affinity others = *cpus;
    if (cpu < 0 || cpu >= CPU_SETSIZE || current_cpu() != cpu) {
        return;
    }
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) > 0) {
        set_affinity(&others);
        set_affinity(cpus);
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

static inline int
count_cpus(const affinity *cpus)
{
    (void)cpus;
    return 0;
}

static inline int
current_cpu(void)
{
    return -1;
}

static inline void
leave_cpu(int cpu, const affinity *cpus)
{
    (void)cpu;
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
