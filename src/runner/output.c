#include "runner/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "runner/beneath.h"

enum { BUILD_USER = 1000 };

bool output_exists(const struct datadir *dir, const char *layer)
{
	owned(free) char *path = mem_format("layers/%s", layer);
	owned(close) int fd = -1;
	struct err err = ERR_INIT; /* whatever hinders us: it can't be used */

	return beneath_open(dir, path, O_PATH | O_DIRECTORY, &fd, &err) == 0;
}

/* No package code runs in the shared cache, so there root writes; its owner's builder is user 1000.
 */
static uid_t writer(const struct datadir *dir, const char *cache)
{
	return strcmp(cache, "shared") == 0 ? dir->ids_base : dir->ids_base + BUILD_USER;
}

/* The folder of a scope can't be replaced by the builder: it is writable for its root only. */
static int open_scope(const struct datadir *dir, const char *cache, int *out, struct err *err)
{
	owned(close) int parent = -1;
	int fd;

	if (beneath_open_cache(dir, &parent, err) < 0 ||
	    beneath_make_dir(parent, cache, dir->ids_base, 0711, err) < 0)
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
	uid_t owner = writer(dir, spec->cache);

	if (open_scope(dir, spec->cache, &fd, err) < 0 ||
	    beneath_make_dir(fd, "cache", owner, 0755, err) < 0 ||
	    file_remove_tree(fd, name, err) < 0 || beneath_make_dir(fd, name, owner, 0755, err) < 0)
		return -1;
	*scope = take_fd(&fd);
	return 0;
}

int output_keep(const struct datadir *dir, const struct record *record, struct err *err)
{
	owned(free) char *name = mem_format("out-%s", record->run.key);
	owned(close) int scope = -1;
	owned(close) int layers = -1;
	owned(close) int tree = -1;

	if (open_scope(dir, record->cache, &scope, err) < 0 ||
	    beneath_open_layers(dir, &layers, err) < 0)
		return -1;
	tree = openat(scope, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree < 0)
		return errno == ENOENT && output_exists(dir, record->result)
			       ? 0 /* renamed before we were restarted */
			       : err_sys(err, "open the output of the build");
	/* The folder becomes "/" of Spaces: it is root's there, and open to all. */
	if (fchown(tree, dir->ids_base, dir->ids_base) < 0 || fchmod(tree, 0755) < 0)
		return err_sys(err, "set the owner of the layer");
	if (syncfs(tree) < 0)
		return err_sys(err, "sync the layer");
	if (renameat2(scope, name, layers, record->result, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "put the layer into place");
		return file_remove_tree(scope, name, err);
	}
	return file_sync_dir(layers, ".", err);
}

int output_drop(const struct datadir *dir, const struct record *record, struct err *err)
{
	owned(free) char *name = mem_format("out-%s", record->run.key);
	owned(close) int scope = -1;

	if (open_scope(dir, record->cache, &scope, err) < 0)
		return -1;
	return file_remove_tree(scope, name, err);
}
