/* Hands out parts of two blocks of memory, one of them cleared. Without blocks it only counts, so
 * that one function that lays a workspace out both sizes and divides it. */
#ifndef MLP_ARENA_H
#define MLP_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* A block of memory, of which parts are handed out. */
typedef struct {
    char *base;  /* NULL to count only */
    size_t used; /* SIZE_MAX once a size has overflowed */
} mlp_space;

typedef struct {
    mlp_space cleared, uncleared;
} mlp_arena;

enum { MLP_ALIGNMENT = 64 };

/* rows * cols elements of `item` bytes each, on a cache line of their own; NULL where the arena
 * only counts. */
static inline void *
mlp_alloc_of(mlp_space *space, ptrdiff_t rows, ptrdiff_t cols, size_t item)
{
    size_t bytes, end;
    if (__builtin_mul_overflow((size_t)rows, (size_t)cols, &bytes)
        || __builtin_mul_overflow(bytes, item, &bytes)
        || __builtin_add_overflow(bytes, MLP_ALIGNMENT - 1, &bytes)
        || __builtin_add_overflow(bytes / MLP_ALIGNMENT * MLP_ALIGNMENT, space->used, &end)
        || end > PTRDIFF_MAX) {
        space->used = SIZE_MAX;
        return NULL;
    }
    void *part = space->base == NULL ? NULL : space->base + space->used;
    space->used = end;
    return part;
}

/* Elements that are 0. */
static inline void *
mlp_alloc(mlp_arena *arena, ptrdiff_t rows, ptrdiff_t cols, size_t item)
{
    return mlp_alloc_of(&arena->cleared, rows, cols, item);
}

/* Elements that are written before they are read: to clear many would take long. */
static inline void *
mlp_alloc_uncleared(mlp_arena *arena, ptrdiff_t rows, ptrdiff_t cols, size_t item)
{
    return mlp_alloc_of(&arena->uncleared, rows, cols, item);
}

#endif
