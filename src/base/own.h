#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Ownership by scope: a local variable marked owned(release) is released when its scope ends.
 *
 *     owned(free) char *path = ...;       early returns release it
 *     *out = take(path);                  handed on: the variable is NULL now
 *
 * A type joins by DEFINE_OWNED after its release function, which takes NULL.
 */
#define owned(release) __attribute__((cleanup(own_##release), unused)) /* a lock is only held */

#define DEFINE_OWNED(type, release)                  \
	static inline void own_##release(type *held) \
	{                                            \
		release(*held);                      \
	}                                            \
	struct own_needs_a_semicolon

/* Give up ownership of a pointer: its value is returned and the variable is NULL afterwards. */
#define take(pointer)                                        \
	({                                                   \
		__typeof__(pointer) take_value_ = (pointer); \
		(pointer) = NULL;                            \
		take_value_;                                 \
	})

/* The same for a descriptor, which is -1 afterwards. */
static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

static inline void own_free(void *held)
{
	free(*(void **)held);
}

static inline void own_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void own_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The caller must look at the result. */
#define must_check __attribute__((warn_unused_result))

/* The function takes a printf format as parameter `format`, its arguments from `first` on. */
#define like_printf(position, first) __attribute__((format(printf, position, first)))
