#pragma once

#include "base/datadir.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "daemon/settings.h"

/*
 * What the keeper does now and then: it lets the log of nginx begin anew, and starts `espaced gc`
 * once in a while and when the disk is short. When gc ran last is told by the file cache/gc, so
 * that a restart every hour does not put it off for ever.
 */
struct chores;

struct chores_config {
	const struct datadir *dir;
	const struct settings *settings;
	const char *const *options;   /* of the command line, for gc; NULL-terminated */
	void (*log_moved)(void *arg); /* nginx must open its log anew */
	void *arg;
};

/* Texts of the config stay the caller's and must outlive the chores. */
struct chores *chores_new(struct loop *loop, const struct chores_config *config);
/* A gc that runs is ended. Takes NULL. */
void chores_free(struct chores *chores);
DEFINE_OWNED(struct chores *, chores_free);
