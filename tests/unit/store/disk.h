#pragma once

#include <stdbool.h>

/*
 * A disk that counts and can fail: an SQLite VFS in front of the ordinary one. It becomes the
 * default of the process, so that a store opened afterwards is on it.
 */
void disk_install(void);

/* fsyncs of the write-ahead log so far: each COMMIT that wrote something needs one. */
unsigned disk_log_syncs(void);

/* From now on every fsync fails; or every write finds the disk full. */
void disk_fail_sync(bool fail);
void disk_fill(bool full);
