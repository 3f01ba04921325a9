#include "runner/caches.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tree.h"
#include "runner/beneath.h"
#include "runner/check.h"
#include "runner/record.h"

#define SHARED "shared"
#define CACHE  "cache"
#define GONE   "gone-"

enum { SCOPES_MAX = 4096 };

struct scope {
	char name[NAME_MAX + 1];
	int64_t bytes;
	int64_t used_s;
};

int caches_lock(const struct datadir *dir, int *out, struct err *err)
{
	owned(close) int fd = -1;

	if (beneath_open_cache(dir, &fd, err) < 0)
		return -1;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(err, "lock the caches");
	}
	*out = take_fd(&fd);
	return 0;
}

/* The container's root owns the folder of a scope: its builder can't put a link in its place. */
static int open_scope(int caches, const char *name)
{
	return openat(caches, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* uv touches its lock each time. */
static int64_t last_use_s(int scope)
{
	struct stat st;

	if (fstatat(scope, CACHE "/.lock", &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	    fstatat(scope, CACHE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_atim.tv_sec > st.st_mtim.tv_sec ? st.st_atim.tv_sec : st.st_mtim.tv_sec;
}

static int read_scopes(int caches, struct scope *scopes, size_t *count, struct err *err)
{
	owned(close) int fd = openat(caches, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return err_sys(err, "list the caches");
	fd = -1; /* the list's now */
	*count = 0;
	while (*count < SCOPES_MAX && (entry = readdir(dir))) {
		owned(close) int scope = -1;
		struct scope *at = &scopes[*count];

		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR)
			continue;
		scope = open_scope(caches, entry->d_name);
		if (scope < 0 || !file_exists(scope, CACHE))
			continue;
		snprintf(at->name, sizeof(at->name), "%s", entry->d_name);
		at->used_s = last_use_s(scope);
		if (tree_bytes(scope, CACHE, &at->bytes, err) < 0)
			return -1;
		(*count)++;
	}
	return 0;
}

/* Longest unused first, the shared one last. */
static int compare(const void *left, const void *right)
{
	const struct scope *a = left;
	const struct scope *b = right;
	int is_shared = (strcmp(a->name, SHARED) == 0) - (strcmp(b->name, SHARED) == 0);

	return is_shared ? is_shared : (a->used_s > b->used_s) - (a->used_s < b->used_s);
}

static bool is_live_build(const struct datadir *dir, const char *key)
{
	struct record record;
	struct err err = ERR_INIT;

	if (check_key(key, &err) < 0)
		return false;
	if (record_read(dir, key, &record, &err) < 0)
		return err.kind != ERR_NOT_FOUND; /* cut: who knows what it will be */
	return record.run.kind == ENGINE_BUILD && record.run.state != ENGINE_ENDED;
}

static bool a_build_lives(const struct datadir *dir)
{
	owned(free) char *path = datadir_path(dir, "run/bundles");
	owned(closedir) DIR *bundles = opendir(path);
	const struct dirent *entry;

	while (bundles && (entry = readdir(bundles)))
		if (is_live_build(dir, entry->d_name))
			return true;
	return false;
}

/* 1 it has another name, 0 a build may use it, -1 failed. */
static int put_aside(const struct datadir *dir, int scope, struct err *err)
{
	owned(close) int locked = -1;
	owned(free) char *gone = NULL;
	char mark[ID_HEX];

	if (caches_lock(dir, &locked, err) < 0)
		return -1;
	if (a_build_lives(dir))
		return 0;
	random_id(mark);
	gone = mem_format(GONE "%s", mark);
	return renameat(scope, CACHE, scope, gone) < 0 ? err_sys(err, "put a cache aside") : 1;
}

static int remove_gone(int scope, struct err *err)
{
	owned(close) int fd = openat(scope, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return err_sys(err, "list a cache");
	fd = -1; /* the list's now */
	while ((entry = readdir(dir)))
		if (str_starts(entry->d_name, GONE) &&
		    file_remove_tree(scope, entry->d_name, err) < 0)
			return -1;
	return 0;
}

int caches_trim(const struct datadir *dir, int64_t max_bytes, int64_t *bytes, struct err *err)
{
	owned(free) struct scope *scopes = mem_array(SCOPES_MAX, sizeof(*scopes));
	owned(close) int caches = -1;
	int64_t total = 0;
	size_t count;

	*bytes = 0;
	if (beneath_open_cache(dir, &caches, err) < 0 ||
	    read_scopes(caches, scopes, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		total += scopes[i].bytes;
	qsort(scopes, count, sizeof(*scopes), compare);
	for (size_t i = 0; i < count; i++) {
		owned(close) int scope = open_scope(caches, scopes[i].name);
		int aside = 0;

		if (scope >= 0 && total > max_bytes)
			aside = put_aside(dir, scope, err);
		if (aside < 0 || (scope >= 0 && remove_gone(scope, err) < 0))
			return -1;
		total -= aside ? scopes[i].bytes : 0;
		*bytes += aside ? scopes[i].bytes : 0;
	}
	return 0;
}
