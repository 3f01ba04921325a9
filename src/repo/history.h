#pragma once

#include "repo/git.h"

/*
 * The commits behind a commit, all parents, newest first, in the order of `git log`.
 *
 * Histories are remembered: a commit stands for its whole history, in whichever repository it is.
 * That of a commit above a remembered one is told without a walk, so that a page and the number of
 * commits cost no more in an old repository than in a new one.
 *
 * Threads: histories may be asked by any; a history that was given does not change.
 */
struct history_memory;

/* Remember up to `max_bytes`; a commit takes 20. */
struct history_memory *history_memory_new(size_t max_bytes);
void history_memory_free(struct history_memory *memory);
DEFINE_OWNED(struct history_memory *, history_memory_free);

struct history;

/*
 * The history of a commit, or its newest `max` commits where there are more, for history_unref().
 * All who ask of one memory say the same `max`. Errors: ERR_NO_REVISION.
 */
must_check int history_of(struct history_memory *memory, struct git *git, const char *commit,
			  size_t max, struct history **out, struct err *err);
void history_unref(struct history *history);
DEFINE_OWNED(struct history *, history_unref);

size_t history_count(const struct history *history);
bool history_is_whole(const struct history *history);

/* The commit at a position; 0 is the newest. */
void history_at(const struct history *history, size_t position, char commit[static GIT_HEX]);
