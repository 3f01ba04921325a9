#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"

/*
 * Pager: pages out frozen runs, one after the other, in a thread of its own: two at once would only
 * be in each other's way at the disk. A run that is wanted again meanwhile is let go at once.
 *
 * Threads: the loop's own, but for `work`.
 */
struct pager;

struct pager_work {
	/* Page one out, in the pager's thread; a signal to it must end this early (EINTR). */
	int (*page_out)(void *arg, const char *key, struct err *err);
	/* It has been tried; `err` is NULL where it was done. */
	void (*done)(void *arg, const char *key, const struct err *err);
	/* Called instead for what was dropped while it was tried: it may be done in part. */
	void (*dropped)(void *arg, const char *key);
	void *arg;
};

must_check int pager_new(struct loop *loop, const struct pager_work *work, struct pager **out,
			 struct err *err);
/* Cuts off what is being paged out. The loop must not run any more. */
void pager_free(struct pager *pager);
DEFINE_OWNED(struct pager *, pager_free);

void pager_add(struct pager *pager, const char *key);

/* Not any more; unknown is no error. Does not wait: the page-out ends some moments later. */
void pager_drop(struct pager *pager, const char *key);
