/* Loaded before the C library, it fails chosen allocations and thread starts of those that
 * one shared object asks for, itself or by what it calls.
 *
 * Whether it asks is seen by its code being on the stack, so that memory that it has of Python
 * and NumPy counts, and what they need for themselves does not. One thread arms it at a time.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* The C library's own, by their other names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

enum { MOST_FRAMES = 64 };

static uintptr_t watched_begin, watched_end; /* the code of the shared object */
static atomic_long first_failing, last_failing, asked;
static atomic_bool counting;       /* while it runs */
static _Thread_local bool looking; /* backtrace may allocate */

static int
find_code(struct dl_phdr_info *info, size_t size, void *address)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0
            && (uintptr_t)address - begin < header->p_memsz) {
            watched_begin = begin;
            watched_end = begin + header->p_memsz;
            return 1;
        }
    }
    return 0;
}

/* Watches the shared object that has a function at this address; false if none. */
bool
failing_malloc_watch(void *function)
{
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs */
    return dl_iterate_phdr(find_code, function) != 0;
}

/* From now on the first-th to last-th request fails, counted from 1. */
void
failing_malloc_arm(long first, long last)
{
    atomic_store(&asked, 0);
    atomic_store(&last_failing, last);
    atomic_store(&first_failing, first);
}

/* Says that the shared object is being called, or no more: to look at every stack takes long. */
void
failing_malloc_count(bool start)
{
    atomic_store(&counting, start);
}

/* Nothing fails from now on. Returns how many requests there were. */
long
failing_malloc_disarm(void)
{
    atomic_store(&first_failing, 0);
    return atomic_load(&asked);
}

static bool
is_watched(void)
{
    void *frames[MOST_FRAMES];
    looking = true;
    int n = backtrace(frames, MOST_FRAMES);
    looking = false;
    for (int i = 0; i < n; i++) {
        if ((uintptr_t)frames[i] >= watched_begin && (uintptr_t)frames[i] < watched_end) {
            return true;
        }
    }
    return false;
}

static bool
fails(void)
{
    long first = atomic_load(&first_failing);
    if (first == 0 || !atomic_load(&counting) || looking || !is_watched()) {
        return false;
    }
    long nth = atomic_fetch_add(&asked, 1) + 1;
    return nth >= first && nth <= atomic_load(&last_failing);
}

/* ---- in place of the C library's ---- */

void *
malloc(size_t size)
{
    return fails() ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return fails() ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}

void *
realloc(void *block, size_t size)
{
    return fails() ? (errno = ENOMEM, NULL) : __libc_realloc(block, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? (errno = ENOMEM, NULL) : __libc_memalign(alignment, size);
}

int
posix_memalign(void **block, size_t alignment, size_t size)
{
    void *made = fails() ? NULL : __libc_memalign(alignment, size);
    if (made != NULL) {
        *block = made;
    }
    return made == NULL ? ENOMEM : 0;
}

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *),
               void *argument)
{
    create_function *create = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
    return fails() ? EAGAIN : create(thread, attributes, main, argument);
}
