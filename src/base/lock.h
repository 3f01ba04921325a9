#pragma once

#include <pthread.h>

#include "base/own.h"

/*
 * A mutex held for a scope:  owned(unlock) struct lock *held = lock(&thing->lock);
 * Nothing that can block, call back or touch SQL runs under one. Order of locks: docs/threads.md.
 */
struct lock {
	pthread_mutex_t mutex;
};

#define LOCK_INIT                                  \
	{                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER \
	}

static inline struct lock *lock(struct lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	return lock;
}

static inline void own_unlock(struct lock **held)
{
	if (*held)
		pthread_mutex_unlock(&(*held)->mutex);
}
