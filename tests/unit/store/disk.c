#include "disk.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

/*
 * Each open file is ours with the real one behind it in memory; all but write and sync is passed
 * on.
 */
struct disk_file {
	sqlite3_file base;
	bool log;
	sqlite3_file *real; /* lies behind this struct */
};

static sqlite3_vfs disk;
static sqlite3_vfs *real_vfs;
static atomic_uint log_syncs;
static atomic_bool sync_fails;
static atomic_bool is_full;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct disk_file *)file)->real;
}

static int disk_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int disk_read(sqlite3_file *file, void *bytes, int amount, sqlite3_int64 offset)
{
	return real_of(file)->pMethods->xRead(real_of(file), bytes, amount, offset);
}

static int disk_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset)
{
	if (atomic_load(&is_full))
		return SQLITE_FULL;
	return real_of(file)->pMethods->xWrite(real_of(file), bytes, amount, offset);
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int disk_sync(sqlite3_file *file, int flags)
{
	if (atomic_load(&sync_fails))
		return SQLITE_IOERR_FSYNC;
	if (((struct disk_file *)file)->log)
		atomic_fetch_add(&log_syncs, 1);
	return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int disk_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int disk_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int disk_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int disk_check_lock(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int disk_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int disk_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int disk_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int disk_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int disk_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void disk_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int disk_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_unlock,
	.xCheckReservedLock = disk_check_lock,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_traits,
	.xShmMap = disk_shm_map,
	.xShmLock = disk_shm_lock,
	.xShmBarrier = disk_shm_barrier,
	.xShmUnmap = disk_shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct disk_file *ours = (struct disk_file *)file;

	memset(ours, 0, sizeof(*ours));
	ours->real = (sqlite3_file *)(ours + 1);
	ours->log = flags & SQLITE_OPEN_WAL;
	int code = real_vfs->xOpen(real_vfs, name, ours->real, flags, out);
	if (ours->real->pMethods)
		ours->base.pMethods = &methods;
	return code;
}

void disk_install(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	disk = *real_vfs;
	disk.zName = "disk";
	disk.pNext = NULL;
	disk.szOsFile = (int)sizeof(struct disk_file) + real_vfs->szOsFile;
	disk.xOpen = disk_open;
	sqlite3_vfs_register(&disk, 1);
}

unsigned disk_log_syncs(void)
{
	return atomic_load(&log_syncs);
}

void disk_fail_sync(bool fail)
{
	atomic_store(&sync_fails, fail);
}

void disk_fill(bool full)
{
	atomic_store(&is_full, full);
}
