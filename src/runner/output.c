#include "runner/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/beneath.h"
#include "runner/caches.h"
#include "runner/check.h"
#include "runner/harvest.h"

#define IMAGE_END ".img"

bool output_exists(const struct datadir *dir, const char *layer)
{
	owned(free) char *path = mem_format("layers/%s", layer);
	owned(close) int fd = -1;
	struct err err = ERR_INIT; /* whatever hinders us: it can't be used */

	return beneath_open(dir, path, O_PATH | O_DIRECTORY, &fd, &err) == 0;
}

bool output_is_own(const char *cache)
{
	return strcmp(cache, "shared") != 0;
}

char *output_image(const char *key)
{
	return mem_format("%s" IMAGE_END, key);
}

/* Where out-KEY is: a shared build sees that folder, an owner's output is copied to our own. */
static int open_scope(const struct datadir *dir, const char *cache, int *out, struct err *err)
{
	owned(close) int parent = -1;
	int fd;

	if (beneath_open_cache(dir, &parent, err) < 0)
		return -1;
	if (output_is_own(cache)) {
		*out = take_fd(&parent);
		return 0;
	}
	if (beneath_make_dir(parent, cache, dir->ids_base, 0711, err) < 0)
		return -1;
	fd = openat(parent, cache, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open the cache");
	*out = fd;
	return 0;
}

int output_prepare(const struct datadir *dir, const struct engine_spec *spec, int *scope,
		   struct err *err)
{
	owned(free) char *name = mem_format("out-%s", spec->key);
	owned(close) int fd = -1;
	owned(close) int locked = -1; /* while a cache could be taken away under us */
	uid_t owner = dir->ids_base;

	if (caches_lock(dir, &locked, err) < 0 || open_scope(dir, spec->cache, &fd, err) < 0 ||
	    beneath_make_dir(fd, "cache", owner, 0755, err) < 0 ||
	    file_remove_tree(fd, name, err) < 0 || beneath_make_dir(fd, name, owner, 0755, err) < 0)
		return -1;
	*scope = take_fd(&fd);
	return 0;
}

/* Take the output of an owner's build out of its image, into a folder of our own. */
static int fetch_own(const struct datadir *dir, const struct record *record, int scope,
		     const char *name, struct err *err)
{
	owned(free) char *image_name = output_image(record->run.key);
	owned(close) int image = openat(scope, image_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	owned(close) int target = -1;

	if (image < 0)
		return err_sys(err, "open the disk of the build");
	if (file_remove_tree(scope, name, err) < 0 ||
	    beneath_make_dir(scope, name, dir->ids_base, 0755, err) < 0)
		return -1;
	target = openat(scope, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_sys(err, "open the output of the build");
	return harvest(dir, record, image, target, err);
}

/* Durably into layers/. */
static int put_into_place(const struct datadir *dir, const struct record *record, int scope,
			  const char *name, struct err *err)
{
	owned(close) int layers = -1;
	owned(close) int tree =
		openat(scope, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (tree < 0)
		return err_sys(err, "open the output of the build");
	/* The folder becomes "/" of Spaces: it is root's there, and open to all. */
	if (fchown(tree, dir->ids_base, dir->ids_base) < 0 || fchmod(tree, 0755) < 0)
		return err_sys(err, "set the owner of the layer");
	if (syncfs(tree) < 0)
		return err_sys(err, "sync the layer");
	if (beneath_open_layers(dir, &layers, err) < 0)
		return -1;
	if (renameat2(scope, name, layers, record->result, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "put the layer into place");
		return file_remove_tree(scope, name, err);
	}
	return file_sync_dir(layers, ".", err);
}

int output_keep(const struct datadir *dir, const struct record *record, struct err *err)
{
	owned(free) char *name = mem_format("out-%s", record->run.key);
	owned(close) int scope = -1;
	bool own = output_is_own(record->cache);

	if (open_scope(dir, record->cache, &scope, err) < 0)
		return -1;
	/* We may have renamed it before we were restarted, and not have synced its name. */
	if (output_exists(dir, record->result)) {
		if (file_sync_dir(dir->fd, "layers", err) < 0)
			return -1;
	} else if ((own && fetch_own(dir, record, scope, name, err) < 0) ||
		   put_into_place(dir, record, scope, name, err) < 0) {
		return -1;
	}
	return output_drop(dir, record, err);
}

int output_drop(const struct datadir *dir, const struct record *record, struct err *err)
{
	owned(free) char *name = mem_format("out-%s", record->run.key);
	owned(close) int scope = -1;

	if (output_is_own(record->cache))
		return output_drop_own(dir, record->run.key, err);
	if (open_scope(dir, record->cache, &scope, err) < 0)
		return -1;
	return file_remove_tree(scope, name, err);
}

int output_drop_own(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *name = mem_format("out-%s", key);
	owned(free) char *image = output_image(key);
	owned(close) int cache = -1;

	if (beneath_open_cache(dir, &cache, err) < 0 || file_remove_tree(cache, name, err) < 0)
		return -1;
	return file_remove_tree(cache, image, err);
}

/* The key of the build that an entry of cache/ belongs to; NULL for other entries. For free(). */
static char *key_of(const char *entry)
{
	size_t length = strlen(entry);
	struct err err = ERR_INIT; /* no key: it is somebody else's */
	owned(free) char *key = NULL;

	if (str_starts(entry, "out-"))
		key = mem_text(entry + strlen("out-"));
	else if (length > strlen(IMAGE_END) && str_ends(entry, IMAGE_END))
		key = mem_format("%.*s", (int)(length - strlen(IMAGE_END)), entry);
	return key && check_key(key, &err) == 0 ? take(key) : NULL;
}

int output_sweep(const struct datadir *dir, struct err *err)
{
	owned(close) int cache = -1;
	owned(closedir) DIR *entries = NULL;
	struct dirent *entry;

	if (beneath_open_cache(dir, &cache, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	entries = fdopendir(take_fd(&cache));
	while (entries && (entry = readdir(entries))) {
		owned(free) char *key = key_of(entry->d_name);
		owned(free) char *bundle = mem_format("run/bundles/%s", key ? key : "");

		if (key && !file_exists(dir->fd, bundle) && output_drop_own(dir, key, err) < 0)
			return -1;
	}
	return 0;
}
