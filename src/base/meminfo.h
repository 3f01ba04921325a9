#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/* Memory and swap space of the machine, by /proc/meminfo (proc_meminfo(5)). Units: bytes. */
struct meminfo {
	uint64_t memory;
	uint64_t memory_left; /* without swapping: also what files are kept in can be had */
	uint64_t swap;
	uint64_t swap_left;
};

must_check int meminfo_read(struct meminfo *out, struct err *err);

/* Of the file's text. Errors: ERR_INVALID where a line is missing. */
must_check int meminfo_parse(const char *text, struct meminfo *out, struct err *err);
