#pragma once

#include <stddef.h>

#include "base/own.h"

/*
 * Memory that is always there: where an allocation fails the process aborts and is restarted;
 * Spaces live on and the state is in the store. All of it is released by free().
 */
void *mem_alloc(size_t size);               /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed, aborts on overflow */
void *mem_grow(void *old, size_t count, size_t size);
char *mem_text(const char *text); /* copy of a string; NULL gives NULL */
char *mem_text_n(const char *text, size_t length);
char *mem_format(const char *format, ...) like_printf(1, 2);

/*
 * Set the allocator up for a process of many threads, before there are any: few arenas, since each
 * keeps what its threads once needed; freed memory goes back to the system soon; and no list of
 * small free pieces, through which each larger allocation would go (a tenth of a call's time).
 */
void mem_for_threads(void);

/* A zeroed object: struct thing *t = mem_new(struct thing). */
#define mem_new(type) ((type *)mem_alloc(sizeof(type)))
