#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/own.h"

/*
 * Tail: reads a Space's log file (http/logline.h) as it grows and gives it out as events:
 *
 *     data: {"data":"Hello\n","timestamp":"2026-11-24T18:48:19.358Z"}
 *
 * It knows no connection and waits for nothing: it says what there is. The same file gives the same
 * bytes to everybody, since clients that come again skip events by counting them.
 *
 * A log is complete when a file of its name with ".end" behind it stands beside it, or when it was
 * removed; until then it may also be missing.
 *
 * Threads: one at a time.
 * Wire:    A12: one space, one line, pure ASCII; stamps never go back nor lie ahead of our clock.
 */
struct tail;

enum tail_state {
	TAIL_DATA, /* bytes were written */
	TAIL_WAIT, /* nothing new; ask again when the directory has changed */
	TAIL_END,  /* everything has been given out, and nothing will follow */
};

/* Give out the whole log, not only its last lines. */
#define TAIL_ALL SIZE_MAX

/* What a client may ask for at most; finding the place reads as much of the file. */
enum { TAIL_LINES_MAX = 10000 };

/*
 * Follow `file` in the directory `dir`, which is looked up beneath root_fd without following links.
 * `lines`: start with the last so many, or TAIL_ALL. root_fd stays the caller's and must live as
 * long.
 */
struct tail *tail_new(int root_fd, const char *dir, const char *file, size_t lines);
void tail_free(struct tail *tail);
DEFINE_OWNED(struct tail *, tail_free);

/* Write up to `max` bytes of events; an event may be cut and go on in the next call. */
enum tail_state tail_read(struct tail *tail, char *out, size_t max, size_t *length);

/* The directory, for watching it; -1 while it is missing. Stays the tail's. */
int tail_dir_fd(const struct tail *tail);
