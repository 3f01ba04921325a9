#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "daemon/check/checkup.h"
#include "runner/data.h"

/*
 * The disks of Spaces: each image must be of a Space that has storage, root's own and not cut; and
 * a Space that has had a disk must have it. Nothing is mended: what is in them is somebody's.
 */
enum { HEX_ROOM = 25 };

struct disk {
	struct checkup *checkup;
	char hex[HEX_ROOM];
	char what[128]; /* is wrong with it */
	const char *todo;
	enum checkup_severity severity;
};

/* What the rows say of it. */
struct claim {
	bool has_space;
	bool keeps; /* it has storage, or had some that is being removed */
	bool goes;
	uint64_t bytes; /* at least; 0: it need not be there */
};

static int read_claim(const struct disk *disk, struct claim *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	*out = (struct claim){0};
	if (store_read_begin(disk->checkup->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query = store_query(
		store_read_db(read), "SELECT storage <> '', data_drops <> data_dropped OR deleting,"
				     " data_bytes FROM spaces WHERE hex = ?");
	int row;

	store_bind_text(query, disk->hex);
	row = store_step(query, err);
	if (row <= 0)
		return row;
	out->has_space = true;
	out->goes = store_int(query, 1) != 0;
	out->keeps = store_int(query, 0) != 0 || out->goes;
	out->bytes = out->goes ? 0 : (uint64_t)store_int(query, 2);
	return 0;
}

static bool blame(struct disk *disk, enum checkup_severity severity, const char *what,
		  const char *todo)
{
	disk->severity = severity;
	disk->todo = todo;
	snprintf(disk->what, sizeof(disk->what), "%s", what);
	return true;
}

static bool is_wrong(void *arg)
{
	struct disk *disk = arg;
	owned(free) char *path = mem_format("spaces/%s/" DATA_IMAGE, disk->hex);
	bool there;
	struct claim claim;
	struct err err = ERR_INIT; /* a question that fails blames nobody */
	struct stat st;

	if (read_claim(disk, &claim, &err) < 0)
		return false;
	there = fstatat(disk->checkup->dir->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there)
		return claim.bytes > 0 &&
		       blame(disk, CHECKUP_PROBLEM, "it is missing, with all that the Space kept",
			     "bring it back from a copy: the next start makes an empty one");
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1 || (st.st_mode & 0077))
		return blame(disk, CHECKUP_PROBLEM, "it is not a file of root's own",
			     "see where it comes from; it must be root's, mode 0600, without "
			     "another name");
	if (!claim.keeps)
		return blame(disk, CHECKUP_WARNING,
			     claim.has_space ? "its Space has no storage" : "no Space has it",
			     "see what is in it, then remove it");
	return (uint64_t)st.st_size < claim.bytes &&
	       blame(disk, CHECKUP_PROBLEM, "its end is missing",
		     "bring it back from a copy, or let the Space's owner delete the storage");
}

static void look_at(struct checkup *checkup, const char *hex)
{
	struct disk disk = {.checkup = checkup};
	owned(free) char *thing = mem_format("spaces/%.24s/" DATA_IMAGE, hex);

	snprintf(disk.hex, sizeof(disk.hex), "%.24s", hex);
	if (is_wrong(&disk) && checkup_settles(checkup, is_wrong, &disk))
		checkup_say(checkup, &(struct checkup_finding){.severity = disk.severity,
							       .thing = thing,
							       .what = disk.what,
							       .todo = disk.todo});
}

/* Rows first: what is there as well is looked at with the folders. */
static int look_at_rows(struct checkup *checkup, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(checkup->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query = store_query(
		store_read_db(read), "SELECT hex FROM spaces WHERE data_bytes > 0 ORDER BY hex");
	int row;

	while ((row = store_step(query, err)) > 0) {
		owned(free) char *path =
			mem_format("spaces/%.24s/" DATA_IMAGE, store_text(query, 0));

		if (faccessat(checkup->dir->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			look_at(checkup, store_text(query, 0));
	}
	return row;
}

int checkup_disks(struct checkup *checkup, struct err *err)
{
	owned(free) char *path = datadir_path(checkup->dir, "spaces");
	owned(closedir) DIR *spaces = opendir(path);
	const struct dirent *entry;

	if (!spaces)
		return err_sys(err, "open spaces");
	if (!checkup->store)
		return 0;
	while ((entry = readdir(spaces))) {
		owned(free) char *name = mem_format("%s/" DATA_IMAGE, entry->d_name);

		if (strlen(entry->d_name) == HEX_ROOM - 1 &&
		    faccessat(dirfd(spaces), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			look_at(checkup, entry->d_name);
	}
	return look_at_rows(checkup, err);
}
