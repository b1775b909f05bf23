/* Hands out parts of one block of memory. Without a block it only counts, so that one function
 * that lays a workspace out both sizes and divides it. */
#ifndef MLP_ARENA_H
#define MLP_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *base;  /* NULL to count only */
    size_t used; /* SIZE_MAX once a size has overflowed */
} mlp_arena;

enum { MLP_ALIGNMENT = 64 };

/* rows * cols elements of `item` bytes each, on a cache line of their own; NULL where the arena
 * only counts. */
static inline void *
mlp_alloc(mlp_arena *arena, ptrdiff_t rows, ptrdiff_t cols, size_t item)
{
    size_t bytes, end;
    if (__builtin_mul_overflow((size_t)rows, (size_t)cols, &bytes)
        || __builtin_mul_overflow(bytes, item, &bytes)
        || __builtin_add_overflow(bytes, MLP_ALIGNMENT - 1, &bytes)
        || __builtin_add_overflow(bytes / MLP_ALIGNMENT * MLP_ALIGNMENT, arena->used, &end)
        || end > PTRDIFF_MAX) {
        arena->used = SIZE_MAX;
        return NULL;
    }
    void *part = arena->base == NULL ? NULL : arena->base + arena->used;
    arena->used = end;
    return part;
}

#endif
