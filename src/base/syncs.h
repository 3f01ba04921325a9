#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/own.h"

/*
 * fsyncs of several files and folders at once. The kernel joins those that wait at the same time:
 * one commit of the journal, one flush of the disk. One after the other each may wait for its own.
 * (Five small files on ext4, a busy disk: 10 ms one by one, 4 ms at once.)
 */
struct syncs;

struct syncs *syncs_new(void);
/* What was not synced is only closed. Takes NULL. */
void syncs_free(struct syncs *syncs);
DEFINE_OWNED(struct syncs *, syncs_free);

/* Take over a descriptor. */
void syncs_add(struct syncs *syncs, int fd);

/* Sync and close all; the list is empty afterwards. Blocks. */
must_check int syncs_run(struct syncs *syncs, struct err *err);
