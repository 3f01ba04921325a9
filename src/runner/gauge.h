#pragma once

#include <stdint.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"

/*
 * Gauge: what a run uses, as its cgroups and its link tell. Reading costs some ten small files of
 * the kernel and disturbs nobody: a frozen run stays frozen.
 *
 * Memory is what the kernel would not give up at once: files that were read and are not in use any
 * more are left out, as docker stats does.
 */

/* Errors: ERR_SYSTEM, ERR_NOT_FOUND where the run has just ended. */
must_check int gauge_read(const struct datadir *dir, const char *key, unsigned slot,
			  struct engine_metrics *out, struct err *err);

/* The number of a line "name number" of such a file; 0 where there is none. */
uint64_t gauge_field(const char *text, const char *name);

/* Thousandths of a processor by "quota period" of cpu.max, or the two files of version 1; 0: no
 * limit. */
uint64_t gauge_cpu_milli(const char *quota, const char *period);
