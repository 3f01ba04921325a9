#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/datadir.h"
#include "base/err.h"
#include "base/own.h"
#include "runner/mounts.h"
#include "runner/record.h"

/*
 * conmon and runc: a container made from a bundle, with a monitor that outlives us, keeps its log
 * and writes its exit status. The container's id is the run's key; runc's state is in run/runc.
 */

/* Folders of run/ that conmon and runc need. */
must_check int container_setup(const struct datadir *dir, struct err *err);

/*
 * Make the container up to the point where its process waits for container_start(); `record` gets
 * both processes. A failure leaves nothing that container_remove() would not take away.
 */
must_check int container_create(const struct datadir *dir, struct mounts *mounts,
				struct record *record, struct err *err);
must_check int container_start(const struct datadir *dir, const char *key, struct err *err);

/* A descriptor of a process if it is still the one of that start time, else -1. */
int container_open_process(pid_t pid, uint64_t start_time);

/*
 * Would SIGTERM reach it? The kernel drops signals for a pid 1 that has not asked for them yet, and
 * runc hands the process over some moments after it has said that it is started.
 */
bool container_hears(pid_t pid);

/* How it ended: false where nobody has written that down. */
bool container_exit_status(const struct datadir *dir, const char *key, int *status);
/* Once the end is in the run's record. */
void container_forget_exit(const struct datadir *dir, const char *key);
bool container_was_oom(const struct datadir *dir, const char *key);

/* Kill what is left of it, monitor too, and all of its traces but the bundle and the
 * exit status. Idempotent. */
must_check int container_remove(const struct datadir *dir, const struct record *record,
				struct err *err);
