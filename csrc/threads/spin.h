/* Spinning, for those who wait for a number to change: for as long as that can be expected to do.
 *
 * A spin in vain halves the time for the next, down to none: the CPU it takes may be what the
 * others wait for, even if they then come soon. One that did doubles it, and once there is none, a
 * short sleep restores it.
 */
#ifndef MLP_SPIN_H
#define MLP_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "threads/os.h"

#if defined(__x86_64__) || defined(__i386__)
#define MLP_SPIN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define MLP_SPIN_PAUSE() __asm__ volatile("yield")
#else
#define MLP_SPIN_PAUSE() ((void)0)
#endif

enum { MLP_PAUSES = 16 }; /* between two looks at the clock */

/* How long somebody spins before the next sleep, and at most. */
typedef struct {
    int64_t ns, most_ns;
} mlp_spinner;

static inline void
mlp_spinner_init(mlp_spinner *spinner, int64_t most_ns)
{
    *spinner = (mlp_spinner){most_ns, most_ns};
}

/* Spins, from `start` on, while a number is what it was. Returns whether it is another. */
static inline bool
mlp_spin_while(mlp_spinner *spinner, atomic_int *number, int was, int64_t start)
{
    while (spinner->ns > 0) {
        for (int i = 0; i < MLP_PAUSES; i++) {
            if (atomic_load_explicit(number, memory_order_acquire) != was) {
                spinner->ns =
                    spinner->ns < spinner->most_ns / 2 ? 2 * spinner->ns : spinner->most_ns;
                return true;
            }
            MLP_SPIN_PAUSE();
        }
        if (now_ns() - start >= spinner->ns) {
            break;
        }
    }
    return false;
}

/* Sets for how long it spins at most from now on. */
static inline void
mlp_spin_less(mlp_spinner *spinner, int64_t most_ns)
{
    spinner->most_ns = most_ns;
    spinner->ns = spinner->ns < most_ns ? spinner->ns : most_ns;
}

/* To be told after a spin in vain how long the wait has been, asleep too. */
static inline void
mlp_slept(mlp_spinner *spinner, int64_t waited_ns)
{
    bool was_short = spinner->ns == 0 && waited_ns <= spinner->most_ns;
    spinner->ns = was_short ? spinner->most_ns : spinner->ns > 1000 ? spinner->ns / 2 : 0;
}

#endif
