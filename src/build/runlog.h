#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * Log files of builds and apps: spaces/ID/logs/build-N.log and run-N.log. conmon appends what a
 * container says; the hub adds lines of its own in the same form, before and after it. A log that
 * is over has an empty file beside it, PATH.end, so that who follows it knows.
 *
 * A line that cannot be written is told to our own log and nobody else: a full disk must not keep a
 * Space from stopping.
 *
 * Wire: conmon's k8s-file format, "2026-01-02T03:04:05.678901234+00:00 stdout F text", where P in
 * place of F says that the line goes on in the next one.
 */
enum { RUNLOG_TAIL_MAX = 64 * 1024 };

/* Append a sentence; each of its lines becomes one. The file is made where it is missing. */
void runlog_say(const char *path, const char *format, ...) like_printf(2, 3);

void runlog_end(const char *path);
bool runlog_is_over(const char *path);

/*
 * Append the text of the last lines to `out`, without stamps, as much as fits into `max` bytes of
 * it. A log that is missing has no lines.
 */
void runlog_tail(const char *path, size_t max, struct str *out);

/* Delete the logs PREFIX-N.log of a folder whose number is below `below`, with their PATH.end. */
void runlog_prune(const char *folder, const char *prefix, long long below);
