#include "runner/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "runner/beneath.h"
#include "runner/data.h"
#include "runner/idmap.h"
#include "runner/output.h"
#include "runner/upper.h"

enum {
	PLACES_MAX = ENGINE_LAYERS_MAX + 1 + 7,
	APP_USER = 1000, /* in the container: hub's files show as its */
};

/* A detached mount and where it goes, a name in the bundle. */
struct place {
	char name[8];
	int fd;
	bool is_layer;
};

struct mounts {
	char *bundle;
	uint32_t ids; /* first user id of the slot */
	struct upper upper;
	char *own_output; /* of an owner's build, "out-KEY" on the disk image; NULL for others */
	bool has_secrets; /* a file in a folder of the app's home, which other programs may share */
	struct place places[PLACES_MAX];
	size_t place_count;
};

static struct place *add_place(struct mounts *mounts, const char *name)
{
	struct place *place = &mounts->places[mounts->place_count++];

	snprintf(place->name, sizeof(place->name), "%s", name);
	place->fd = -1;
	return place;
}

/* Where a file or folder is to be mounted, something of its kind must be. */
static int make_target(const struct mounts *mounts, const char *name, bool is_folder,
		       struct err *err)
{
	owned(free) char *path = mem_format("%s/%s", mounts->bundle, name);
	owned(close) int fd = -1;

	if (is_folder) {
		if (mkdir(path, 0711) < 0 && errno != EEXIST)
			return err_sys(err, "make %s", name);
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, "make %s", name) : 0;
}

/* Whose the files of a layer are on disk. */
static struct idmap layer_map(const struct datadir *dir, const char *name, uint32_t ids)
{
	if (str_starts(name, "app-"))
		return (struct idmap){dir->owner, dir->group, ids + APP_USER, 1};
	if (str_starts(name, "env-"))
		return (struct idmap){dir->ids_base, dir->ids_base, ids, DATADIR_RANGE};
	return (struct idmap){0, 0, ids, DATADIR_RANGE};
}

static int add_layer(struct mounts *mounts, const struct datadir *dir, const char *layer,
		     struct err *err)
{
	owned(free) char *path = mem_format("layers/%s", layer);
	owned(close) int fd = -1;
	struct idmap map = layer_map(dir, layer, mounts->ids);
	struct place *place;
	char name[8];

	snprintf(name, sizeof(name), "l%zu", mounts->place_count);
	place = add_place(mounts, name);
	place->is_layer = true;
	if (beneath_open(dir, path, O_RDONLY | O_DIRECTORY, &fd, err) < 0 ||
	    idmap_clone(fd, &map, true, &place->fd, err) < 0 ||
	    make_target(mounts, name, true, err) < 0)
		return err_in(err, "layer %s", layer);
	return 0;
}

/* A file of the machine, such as the init program, from wherever it lies. */
static int add_file(struct mounts *mounts, const char *path, const char *name, struct err *err)
{
	owned(close) int fd = open(path, O_PATH | O_CLOEXEC);
	struct place *place = add_place(mounts, name);

	if (fd < 0)
		return err_sys(err, "open %s", name);
	if (idmap_clone(fd, NULL, true, &place->fd, err) < 0)
		return err_in(err, "%s", name);
	return make_target(mounts, name, false, err);
}

static int add_log(struct mounts *mounts, const struct datadir *dir, const struct engine_spec *spec,
		   struct err *err)
{
	owned(close) int fd = -1;
	struct place *place = add_place(mounts, "log");

	if (beneath_open_log(dir, spec->space, spec->log, &fd, err) < 0 ||
	    idmap_clone(fd, NULL, false, &place->fd, err) < 0)
		return err_in(err, "log %s", spec->log);
	return make_target(mounts, "log", false, err);
}

/* The hub's input. No map: tmpfs has them since Linux 6.3 only, and everybody may read these files.
 */
static int add_input(struct mounts *mounts, const struct datadir *dir, const char *key,
		     struct err *err)
{
	owned(free) char *path = mem_format("run/in/%s", key);
	owned(close) int fd = -1;
	struct place *place;

	if (beneath_open(dir, path, O_RDONLY | O_DIRECTORY, &fd, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		*err = ERR_INIT;
	}
	place = add_place(mounts, "in");
	if (make_target(mounts, "in", true, err) < 0)
		return -1;
	if (fd < 0) {
		/* Missing is fine: an empty folder of ours is shown. */
		owned(free) char *empty = mem_format("%s/in", mounts->bundle);

		fd = open(empty, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, "open in");
	}
	return idmap_clone(fd, NULL, true, &place->fd, err);
}

static int add_shared_cache(struct mounts *mounts, const struct datadir *dir,
			    const struct engine_spec *spec, struct err *err)
{
	struct idmap map = {dir->ids_base, dir->ids_base, mounts->ids, DATADIR_RANGE};
	owned(close) int cache = -1;
	struct place *place = add_place(mounts, "build");

	if (output_prepare(dir, spec, &cache, err) < 0)
		return -1;
	return idmap_clone(cache, &map, false, &place->fd, err);
}

/*
 * No package code runs where the shared cache is, so that one is the real one. A build that runs
 * such code has nothing but its disk image, bounded like all that it writes, and an empty cache.
 */
static int add_build(struct mounts *mounts, const struct runner_config *config,
		     const struct engine_spec *spec, struct err *err)
{
	const struct datadir *dir = config->dir;

	if (output_is_own(spec->cache))
		mounts->own_output = mem_format("upper/build/out-%s", spec->key);
	else if (add_shared_cache(mounts, dir, spec, err) < 0)
		return -1;
	if (make_target(mounts, "build", true, err) < 0 ||
	    add_input(mounts, dir, spec->key, err) < 0 ||
	    add_file(mounts, config->uv_path, "uv", err) < 0)
		return -1;
	return add_file(mounts, config->steps_path, "steps", err);
}

static int add_data(struct mounts *mounts, const struct datadir *dir,
		    const struct engine_spec *spec, struct err *err)
{
	struct place *place = add_place(mounts, "data");

	if (data_open(dir, spec->space, spec->data_bytes, mounts->ids, &place->fd, err) < 0)
		return -1;
	return make_target(mounts, "data", true, err);
}

static int add_upper(struct mounts *mounts, const struct datadir *dir,
		     const struct engine_spec *spec, struct err *err)
{
	owned(close) int cache = -1;
	owned(free) char *name = NULL;

	if (spec->kind == ENGINE_BUILD && output_is_own(spec->cache)) {
		name = output_image(spec->key);
		if (output_drop_own(dir, spec->key, err) < 0)
			return -1;
	}
	if (beneath_open_cache(dir, &cache, err) < 0 ||
	    upper_open(cache, name, spec->limits.disk_bytes, &mounts->upper, err) < 0 ||
	    make_target(mounts, "upper", true, err) < 0)
		return -1;
	return make_target(mounts, "rootfs", true, err);
}

int mounts_new(const struct runner_config *config, const struct engine_spec *spec, unsigned slot,
	       const char *base, struct mounts **out, struct err *err)
{
	owned(mounts_free) struct mounts *mounts = mem_new(struct mounts);
	const struct datadir *dir = config->dir;

	mounts->upper = UPPER_INIT;
	mounts->bundle = datadir_path(dir, "run/bundles/%s", spec->key);
	mounts->ids = datadir_ids(dir, slot);
	mounts->has_secrets = spec->secrets_from > 0;
	if (add_layer(mounts, dir, base, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->layer_count; i++)
		if (add_layer(mounts, dir, spec->layers[i], err) < 0)
			return -1;
	if (add_log(mounts, dir, spec, err) < 0 ||
	    add_file(mounts, config->init_path, "init", err) < 0 ||
	    add_upper(mounts, dir, spec, err) < 0)
		return -1;
	if (spec->data_bytes > 0 && add_data(mounts, dir, spec, err) < 0)
		return -1;
	if (spec->kind == ENGINE_BUILD && add_build(mounts, config, spec, err) < 0)
		return -1;
	*out = take(mounts);
	return 0;
}

void mounts_free(struct mounts *mounts)
{
	if (!mounts)
		return;
	for (size_t i = 0; i < mounts->place_count; i++)
		own_close(&mounts->places[i].fd);
	upper_done(&mounts->upper);
	free(mounts->own_output);
	free(mounts->bundle);
	free(mounts);
}

static int attach_places(const struct mounts *mounts, struct err *err)
{
	for (size_t i = 0; i < mounts->place_count; i++) {
		const struct place *place = &mounts->places[i];

		if (move_mount(place->fd, "", AT_FDCWD, place->name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return err_sys(err, "mount %s", place->name);
	}
	return 0;
}

/* A folder on the disk image, of this user inside of the container. */
static int make_folder(const struct mounts *mounts, const char *path, uint32_t user,
		       struct err *err)
{
	uid_t owner = mounts->ids + user;

	if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0 || chown(path, owner, owner) < 0)
		return err_sys(err, "make a folder on the disk image");
	return 0;
}

/* Like that of a shared build, but for the mount that it is on. */
static int make_own_build(const struct mounts *mounts, struct err *err)
{
	if (make_folder(mounts, "upper/build", 0, err) < 0 ||
	    make_folder(mounts, "upper/build/cache", APP_USER, err) < 0 ||
	    make_folder(mounts, mounts->own_output, APP_USER, err) < 0)
		return -1;
	if (mount("upper/build", "build", NULL, MS_BIND, NULL) < 0)
		return err_sys(err, "mount build");
	return 0;
}

/* On the empty disk image, where no layer could have put a link. runc would make them root's. */
static int make_secrets_folder(const struct mounts *mounts, struct err *err)
{
	if (make_folder(mounts, "upper/u/home", 0, err) < 0 ||
	    make_folder(mounts, "upper/u/home/user", APP_USER, err) < 0)
		return -1;
	return make_folder(mounts, "upper/u/home/user/.streamlit", APP_USER, err);
}

static int make_upper(const struct mounts *mounts, struct err *err)
{
	if (upper_mount(&mounts->upper, "upper", err) < 0 ||
	    make_folder(mounts, "upper/u", 0, err) < 0 ||
	    make_folder(mounts, "upper/w", 0, err) < 0 ||
	    (mounts->has_secrets && make_secrets_folder(mounts, err) < 0))
		return -1;
	return mounts->own_output ? make_own_build(mounts, err) : 0;
}

/*
 * The upper may not be idmapped: overlayfs then falls back to read-only with only a line in the
 * kernel's log. Volatile: the upper dies with the run, nothing in it needs to reach the disk.
 */
static int mount_overlay(const struct mounts *mounts, struct err *err)
{
	char options[512] = "volatile,upperdir=upper/u,workdir=upper/w,lowerdir=";
	size_t length = strlen(options);
	const char *separator = "";

	for (size_t i = mounts->place_count; i-- > 0;) {
		if (!mounts->places[i].is_layer)
			continue;
		length += (size_t)snprintf(options + length, sizeof(options) - length, "%s%s",
					   separator, mounts->places[i].name);
		separator = ":";
	}
	if (mount("overlay", "rootfs", "overlay", MS_NODEV, options) < 0)
		return err_sys(err, "mount the overlay");
	for (size_t i = 0; i < mounts->place_count; i++) /* the overlay keeps clones of its own */
		if (mounts->places[i].is_layer && umount2(mounts->places[i].name, MNT_DETACH) < 0)
			return err_sys(err, "unmount a layer");
	return 0;
}

int mounts_enter(void *arg, struct err *err)
{
	const struct mounts *mounts = arg;

	umask(022);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, "make a mount namespace");
	if (chdir(mounts->bundle) < 0)
		return err_sys(err, "enter the bundle");
	if (attach_places(mounts, err) < 0 || make_upper(mounts, err) < 0)
		return -1;
	return mount_overlay(mounts, err);
}
