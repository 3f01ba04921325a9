#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void no_memory(void)
{
	static const char text[] = "out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

/* malloc(0) may give NULL, which would read as a failure. */
static size_t some(size_t size)
{
	return size ? size : 1;
}

void *mem_alloc(size_t size)
{
	void *made = calloc(1, some(size));

	if (!made)
		no_memory();
	return made;
}

void *mem_array(size_t count, size_t size)
{
	void *made = calloc(some(count), some(size));

	if (!made)
		no_memory();
	return made;
}

void *mem_grow(void *old, size_t count, size_t size)
{
	void *grown = reallocarray(old, some(count), some(size));

	if (!grown)
		no_memory();
	return grown;
}

char *mem_text(const char *text)
{
	return text ? mem_text_n(text, strlen(text)) : NULL;
}

char *mem_text_n(const char *text, size_t length)
{
	char *copy = malloc(length + 1);

	if (!copy)
		no_memory();
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *mem_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		no_memory();
	return text;
}

enum { ARENAS = 2, TRIM_BYTES = 512 << 10, MMAP_BYTES = 256 << 10 };

void mem_for_threads(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MXFAST, 0);
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
}
