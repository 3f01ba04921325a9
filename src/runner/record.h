#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"

/*
 * The record of a run, run/bundles/KEY/run: what a new runner must know to go on where an old one
 * ended. Lines of name=value; no secret is in it.
 */
enum { RECORD_NAME_ROOM = 40 };

struct record {
	struct engine_run run;
	unsigned slot;
	char log[RECORD_NAME_ROOM];
	char result[ENGINE_NAME_ROOM]; /* "" for an app */
	char cache[RECORD_NAME_ROOM];
	uint32_t cpu_milli;  /* its limit */
	uint64_t disk_bytes; /* the same */
	uint64_t data_bytes; /* of /data; 0 for none */
	pid_t pid;           /* of the container's init; 0 until RUNNING */
	uint64_t pid_start;  /* with its start time, so that no other process is taken for it */
	pid_t conmon;
	uint64_t conmon_start;
};

struct record record_of(const struct engine_spec *spec, unsigned slot);

/* Make the bundle's folder where missing, and write the record atomically. */
must_check int record_write(const struct datadir *dir, const struct record *record,
			    struct err *err);

/* Errors: ERR_NOT_FOUND, ERR_INVALID for one that was cut. */
must_check int record_read(const struct datadir *dir, const char *key, struct record *out,
			   struct err *err);

/* Take everything but the record out of the bundle: it holds secrets. */
must_check int record_strip(const struct datadir *dir, const char *key, struct err *err);

must_check int record_remove(const struct datadir *dir, const char *key, struct err *err);
