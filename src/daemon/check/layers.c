#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "daemon/check/checkup.h"

/*
 * layers/: names, owners, the link to today's base system, what was never finished. A layer that is
 * missing is no fault: who needs it makes it anew.
 */
enum {
	UNFINISHED_S = 24 * 60 * 60, /* no layer takes so long */
	BASE_HEX = 12,
	APP_NAME =
		sizeof("app-0123456789abcdef01234567-0123456789abcdef0123456789abcdef01234567") - 1,
};

struct layer {
	struct checkup *checkup;
	int layers;
	const char *name;
	const char *thing;
	struct stat st;
};

static bool is_app(const char *name)
{
	return str_starts(name, "app-") && strlen(name) == APP_NAME;
}

static bool is_known(const char *name)
{
	return is_app(name) || (str_starts(name, "base-") && hex_is(name + 5, BASE_HEX)) ||
	       (str_starts(name, "env-") && name[4]);
}

static int64_t age_s(const struct layer *layer)
{
	return clock_wall_ms() / 1000 - layer->st.st_ctim.tv_sec;
}

/* An app's files are the hub's own, a base is root's, an environment belongs to its builder. */
static bool has_good_owner(const struct layer *layer)
{
	const struct datadir *dir = layer->checkup->dir;
	uid_t owner = layer->st.st_uid;

	if (is_app(layer->name))
		return owner == dir->owner;
	if (str_starts(layer->name, "base-"))
		return owner == 0;
	return owner >= dir->ids_base && owner < dir->ids_base + DATADIR_RANGE;
}

static void look_at(struct layer *layer)
{
	struct checkup *checkup = layer->checkup;

	if (str_starts(layer->name, "gone-") || strstr(layer->name, ".tmp-")) {
		if (!checkup->hub_runs || age_s(layer) > UNFINISHED_S)
			checkup_warning(checkup, layer->thing, "espaced gc removes it",
					"it was never finished, or is to be removed");
	} else if (!S_ISDIR(layer->st.st_mode) || !is_known(layer->name)) {
		checkup_warning(checkup, layer->thing, "move it to where it belongs",
				"it is no layer of ours");
	} else if (!has_good_owner(layer)) {
		checkup_problem(checkup, layer->thing, "remove it: whoever needs it makes it anew",
				"it belongs to user %u", layer->st.st_uid);
	} else if (layer->st.st_mode & 0022) {
		checkup_problem(checkup, layer->thing, "chmod go-w",
				"others than its owner may write to it");
	}
}

/* The link is made by a rename: there is no moment without it. */
static void look_at_base(struct checkup *checkup, int layers)
{
	struct stat st;

	if (fstatat(layers, "base", &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (!checkup->hub_runs)
			checkup_warning(checkup, "layers/base", "espaced prepare, or start the hub",
					"there is no base system yet");
	} else if (fstatat(layers, "base", &st, 0) < 0 || !S_ISDIR(st.st_mode)) {
		checkup_problem(checkup, "layers/base", "espaced prepare",
				"it names a base system that is not there");
	}
}

int checkup_layers(struct checkup *checkup, struct err *err)
{
	owned(close) int fd =
		openat(checkup->dir->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return err_sys(err, "list the layers");
	fd = -1; /* the list's now */
	look_at_base(checkup, dirfd(dir));
	while ((entry = readdir(dir))) {
		owned(free) char *thing = mem_format("layers/%s", entry->d_name);
		struct layer layer = {.checkup = checkup,
				      .layers = dirfd(dir),
				      .name = entry->d_name,
				      .thing = thing};

		/* "base.new" lies there while the link is made anew. */
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "base") != 0 &&
		    strcmp(entry->d_name, "base.new") != 0 &&
		    fstatat(layer.layers, layer.name, &layer.st, AT_SYMLINK_NOFOLLOW) == 0)
			look_at(&layer);
	}
	return 0;
}
