#include "repo/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "repo/pending.h"

/*
 * So many objects are synced one by one. Beyond that one wait for the whole file system is shorter,
 * though it waits for what others have written, too: of 1100 files a commit took 9 s, and takes 2.
 */
enum { EACH_MAX = 64 };

struct quarantine {
	int objects_fd; /* of the repository */
	/* The folder in objects/, made for the first object that is not small; else -1. */
	int fd;
	char name[64];
	/* What a publication has changed and must sync: folders of the objects, objects/ itself. */
	bool fan_changed[256];
	bool fan_made;
	size_t count;            /* of objects, when they were last synced */
	struct syncs *syncs;     /* of quarantine_add_objects(), while it runs */
	struct pending *pending; /* small objects; belongs to the odb */
	git_odb *odb;
};

/* A folder of the loose objects whose ids begin with its two digits. */
struct fan {
	struct quarantine *quarantine;
	const char *name;
	int fd;
};

typedef int object_fn(const struct fan *fan, const char *name, struct err *err);

/* Where this fails libgit2 fails too, when it writes into the folder. */
static void make_folder(void *arg)
{
	struct quarantine *quarantine = arg;

	if (mkdirat(quarantine->objects_fd, quarantine->name, 0700) < 0)
		return;
	quarantine->fd = openat(quarantine->objects_fd, quarantine->name,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* libgit2 takes the folders by path. */
static int open_odb(struct quarantine *quarantine, const char *objects, struct err *err)
{
	owned(free) char *path = mem_format("%s/%s", objects, quarantine->name);
	git_odb_backend *loose = NULL;

	if (git_odb_new(&quarantine->odb) < 0)
		return inner_fail(err, "open a quarantine");
	if (pending_new(quarantine->odb, quarantine->objects_fd, make_folder, quarantine,
			&quarantine->pending, err) < 0)
		return -1;
	if (git_odb_backend_loose(&loose, path, -1, 0, 0, 0) < 0)
		return inner_fail(err, "open a quarantine");
	if (git_odb_add_backend(quarantine->odb, loose, 1) < 0) {
		loose->free(loose);
		return inner_fail(err, "open a quarantine");
	}
	if (git_odb_add_disk_alternate(quarantine->odb, objects) < 0)
		return inner_fail(err, "open a quarantine");
	return 0;
}

/* What is there already, and is not written once more, must stay: tidy.h asks for this lock. */
static int hold_objects(int objects_fd)
{
	while (flock(objects_fd, LOCK_SH) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return 0;
}

int quarantine_new(struct git *git, struct quarantine **out, struct err *err)
{
	owned(free) char *objects = mem_format("%s/objects", git->path);
	owned(quarantine_free) struct quarantine *quarantine = mem_new(struct quarantine);
	char id[ID_HEX];

	quarantine->fd = -1;
	quarantine->objects_fd = open(objects, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (quarantine->objects_fd < 0 || hold_objects(quarantine->objects_fd) < 0)
		return err_sys(err, "open the objects");
	/* `git prune` deletes old folders of this prefix: what a crash left behind goes in time. */
	random_id(id);
	snprintf(quarantine->name, sizeof(quarantine->name), "tmp_objdir-%s", id);
	if (open_odb(quarantine, objects, err) < 0)
		return -1;
	*out = take(quarantine);
	return 0;
}

void quarantine_free(struct quarantine *quarantine)
{
	struct err err;

	if (!quarantine)
		return;
	if (quarantine->pending)
		pending_abandon(quarantine->pending);
	git_odb_free(quarantine->odb);
	if (quarantine->fd >= 0) {
		close(quarantine->fd);
		if (file_remove_tree(quarantine->objects_fd, quarantine->name, &err) < 0)
			log_warn("repo.quarantine", "left=%s error=%s", quarantine->name, err.text);
	}
	if (quarantine->objects_fd >= 0)
		close(quarantine->objects_fd);
	free(quarantine);
}

git_odb *quarantine_odb(struct quarantine *quarantine)
{
	return quarantine->odb;
}

int quarantine_fd(const struct quarantine *quarantine)
{
	return quarantine->objects_fd;
}

static int open_dir(int fd, const char *name, DIR **out, struct err *err)
{
	owned(close) int dir_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*out = dir_fd < 0 ? NULL : fdopendir(dir_fd);
	if (!*out)
		return err_sys(err, "read a quarantine");
	take_fd(&dir_fd);
	return 0;
}

static int each_in_fan(struct quarantine *quarantine, const char *name, object_fn *object,
		       struct err *err)
{
	owned(closedir) DIR *dir = NULL;
	const struct dirent *entry;

	if (open_dir(quarantine->fd, name, &dir, err) < 0)
		return -1;
	struct fan fan = {.quarantine = quarantine, .name = name, .fd = dirfd(dir)};
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && object(&fan, entry->d_name, err) < 0)
			return -1;
	}
	return 0;
}

/* Call `fan` for each folder, or `object` for each object in it. */
static int each_fan(struct quarantine *quarantine,
		    int (*fan)(struct quarantine *quarantine, const char *name, struct err *err),
		    object_fn *object, struct err *err)
{
	owned(closedir) DIR *dir = NULL;
	const struct dirent *entry;

	if (quarantine->fd < 0)
		return 0;
	if (open_dir(quarantine->fd, ".", &dir, err) < 0)
		return -1;
	while ((entry = readdir(dir))) {
		if (strlen(entry->d_name) != 2 || !hex_is(entry->d_name, 2))
			continue;
		if ((fan ? fan(quarantine, entry->d_name, err)
			 : each_in_fan(quarantine, entry->d_name, object, err)) < 0)
			return -1;
	}
	return 0;
}

/* Let the kernel begin to write, so that the fsyncs behind it find little left to wait for. */
static int object_start(const struct fan *fan, const char *name, struct err *err)
{
	owned(close) int fd = openat(fan->fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open a new object");
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* only a hint */
	fan->quarantine->count++;
	return 0;
}

static int object_add(const struct fan *fan, const char *name, struct err *err)
{
	owned(close) int fd = openat(fan->fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open a new object");
	syncs_add(fan->quarantine->syncs, take_fd(&fd));
	return 0;
}

int quarantine_add_objects(struct quarantine *quarantine, struct syncs *syncs, struct err *err)
{
	quarantine->count = pending_count(quarantine->pending);
	if (each_fan(quarantine, NULL, object_start, err) < 0)
		return -1;
	bool at_once = quarantine->count > EACH_MAX;
	if (pending_write(quarantine->pending, at_once ? NULL : syncs, err) < 0)
		return -1;
	if (at_once)
		return syncfs(quarantine->objects_fd) < 0 ? err_sys(err, "sync new objects") : 0;
	quarantine->syncs = syncs;
	return each_fan(quarantine, NULL, object_add, err);
}

int quarantine_sync(struct quarantine *quarantine, struct err *err)
{
	owned(syncs_free) struct syncs *syncs = syncs_new();

	if (quarantine_add_objects(quarantine, syncs, err) < 0)
		return -1;
	return syncs_run(syncs, err);
}

static int fan_make(struct quarantine *quarantine, const char *name, struct err *err);

/* git removes empty folders of objects, perhaps right behind our look at this one. */
enum { MOVE_TRIES = 10 };

/* From `file` in `fd` to the database's `name` in the folder `fan`. */
static int move_object(struct quarantine *quarantine, int fd, const char *file, const char *fan,
		       const char *name)
{
	char to[NAME_MAX + 4];
	struct err err = ERR_INIT; /* told by the rename that follows */

	snprintf(to, sizeof(to), "%s/%s", fan, name);
	for (int i = 0; i < MOVE_TRIES; i++) {
		if (renameat(fd, file, quarantine->objects_fd, to) == 0)
			return 0;
		if (errno != ENOENT || fan_make(quarantine, fan, &err) < 0)
			break;
	}
	return -1;
}

static int object_move(const struct fan *fan, const char *name, struct err *err)
{
	if (move_object(fan->quarantine, fan->fd, name, fan->name, name) < 0)
		return err_sys(err, "publish a new object");
	return 0;
}

/* The database's folder for ids that begin so. */
static int fan_make(struct quarantine *quarantine, const char *name, struct err *err)
{
	bool made = mkdirat(quarantine->objects_fd, name, 0700) == 0;

	if (!made && errno != EEXIST)
		return err_sys(err, "publish a new object");
	quarantine->fan_made |= made;
	quarantine->fan_changed[strtoul(name, NULL, 16)] = true;
	return 0;
}

static int fan_move(struct quarantine *quarantine, const char *name, struct err *err)
{
	if (fan_make(quarantine, name, err) < 0 ||
	    each_in_fan(quarantine, name, object_move, err) < 0)
		return -1;
	/* Empty now: the next round need not look at it. */
	if (unlinkat(quarantine->fd, name, AT_REMOVEDIR) < 0)
		return err_sys(err, "publish a new object");
	return 0;
}

static int small_move(void *arg, const char *file, const char *hex, struct err *err)
{
	struct quarantine *quarantine = arg;
	char fan[3] = {hex[0], hex[1], '\0'};

	if (fan_make(quarantine, fan, err) < 0)
		return -1;
	if (move_object(quarantine, quarantine->objects_fd, file, fan, hex + 2) < 0)
		return err_sys(err, "publish a new object");
	return 0;
}

int quarantine_move(struct quarantine *quarantine, struct err *err)
{
	if (pending_move(quarantine->pending, small_move, quarantine, err) < 0)
		return -1;
	return each_fan(quarantine, fan_move, NULL, err);
}

static int add_folder(int objects_fd, const char *name, struct syncs *syncs, struct err *err)
{
	owned(close) int fd = openat(objects_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0; /* all that was in it lies in a pack by now, and git has synced that */
	if (fd < 0)
		return err_sys(err, "open a folder of objects");
	syncs_add(syncs, take_fd(&fd));
	return 0;
}

int quarantine_add_folders(struct quarantine *quarantine, struct syncs *syncs, struct err *err)
{
	bool at_once = quarantine->count > EACH_MAX;
	char name[3];

	if (at_once && syncfs(quarantine->objects_fd) < 0)
		return err_sys(err, "sync the objects");
	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "%02x", i & 0xff);
		if (quarantine->fan_changed[i] && !at_once &&
		    add_folder(quarantine->objects_fd, name, syncs, err) < 0)
			return -1;
		quarantine->fan_changed[i] = false;
	}
	if (quarantine->fan_made && !at_once &&
	    add_folder(quarantine->objects_fd, ".", syncs, err) < 0)
		return -1;
	quarantine->fan_made = false;
	return 0;
}

int quarantine_publish(struct quarantine *quarantine, struct err *err)
{
	owned(syncs_free) struct syncs *syncs = syncs_new();

	if (quarantine_sync(quarantine, err) < 0 || quarantine_move(quarantine, err) < 0 ||
	    quarantine_add_folders(quarantine, syncs, err) < 0)
		return -1;
	return syncs_run(syncs, err);
}
