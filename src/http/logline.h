#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Lines of log files in the k8s-file format, which conmon writes for what an app prints and we for
 * what a build says:
 *
 *     2026-11-24T18:48:19.358791030+00:00 stdout F Hello
 *
 * F is a full line, or the last part of one; P a part that goes on in the next line of its stream.
 */
struct logline {
	int64_t wall_ms; /* UTC */
	bool is_stderr;
	bool is_partial;
	const char *text; /* inside of the line that was parsed */
	size_t length;
};

/* Longest text in one line; a longer one is written in parts. conmon's own limit is of that size.
 */
enum { LOGLINE_TEXT_MAX = 8192 };

/* Parse a line, which comes without its line feed. False: it has another form; *out is untouched.
 */
bool logline_parse(const char *line, size_t length, struct logline *out);

/*
 * Append a text as lines of stdout, stamped now, by one write(); a text of several lines becomes
 * several. A line feed at the end makes no empty line. Errors: ERR_FULL, ERR_SYSTEM.
 */
must_check int logline_write(int fd, const char *text, struct err *err);
