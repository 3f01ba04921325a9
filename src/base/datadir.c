#include "base/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/instance.h"
#include "base/mem.h"

static const char user_name[] = "espace";
static const char www_name[] = "espace-www";

enum who { WHO_ROOT, WHO_ESPACE, WHO_WWW /* owner espace, group espace-www */ };

/*
 * The folders (design: data directory). What holds a part of a Space's root needs search permission
 * for everybody, since that root belongs to user ids of its own.
 */
static const struct folder {
	const char *name;
	mode_t mode;
	enum who who;
} folders[] = {
	{"repos", 0700, WHO_ESPACE},  {"lfs", 0750, WHO_WWW},
	{"xet", 0750, WHO_WWW},       {"static", 0750, WHO_WWW},
	{"layers", 0711, WHO_ESPACE}, {"cache", 0711, WHO_ROOT},
	{"images", 0711, WHO_ROOT},   {"spaces", 0711, WHO_ESPACE},
	{"run", 0711, WHO_ROOT}, /* the keeper mounts a tmpfs on it */
};

static int no_account(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "there is no account %s: scripts/build makes it, or "
		       "useradd --system --no-create-home --home-dir /nonexistent "
		       "--shell /usr/sbin/nologin %s",
		       name, name);
}

static int find_accounts(struct datadir *dir, struct err *err)
{
	const struct passwd *user = getpwnam(user_name);

	if (!user)
		return no_account(user_name, err);
	dir->owner = user->pw_uid;
	dir->group = user->pw_gid;

	const struct passwd *www = getpwnam(www_name);

	if (!www)
		return no_account(www_name, err);
	dir->www_user = www->pw_uid;

	const struct group *group = getgrnam(www_name);

	if (!group)
		return no_account(www_name, err);
	dir->www = group->gr_gid;
	return 0;
}

/* Every folder above the directory, and itself: a Space's user ids must get through. */
static int check_search(const char *path, struct err *err)
{
	owned(free) char *part = mem_text(path);

	for (;;) {
		char *slash = strrchr(part, '/');
		struct stat st;

		if (stat(*part ? part : "/", &st) < 0)
			return err_sys(err, "stat %s", part);
		if (!(st.st_mode & S_IXOTH))
			return err_set(err, ERR_INVALID,
				       "no Space could start in %s, since other users can't search "
				       "%s: choose another place or chmod o+x it",
				       path, *part ? part : "/");
		if (!slash)
			return 0;
		*slash = '\0';
	}
}

/* Open it and learn its real path. */
static int open_dir(const char *path, struct datadir *dir, struct err *err)
{
	dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0 && errno == EACCES) {
		dir->fd =
			open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); /* neither root nor espace */
	}
	if (dir->fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(err, "open %s", path);
	if (dir->fd >= 0)
		dir->path = realpath(path, NULL);
	if (!dir->path)
		return err_set(err, ERR_NOT_FOUND,
			       "%s is no data directory: make one with espaced --data %s init",
			       path, path);
	return 0;
}

int datadir_open(const char *path, struct datadir *out, struct err *err)
{
	owned(datadir_done) struct datadir dir = DATADIR_INIT;
	struct instance instance;

	if (open_dir(path, &dir, err) < 0 || check_search(dir.path, err) < 0)
		return -1;
	if (instance_read(dir.fd, &instance, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return err_in(err, "%s", path);
		return err_set(err, ERR_NOT_FOUND,
			       "%s is no data directory: make one with espaced --data %s init",
			       path, path);
	}
	if (find_accounts(&dir, err) < 0)
		return -1;
	memcpy(dir.instance, instance.id, sizeof(dir.instance));
	dir.network = instance.network;
	dir.block = instance.block;
	dir.ids_base = instance.ids_base;
	*out = dir;
	dir = DATADIR_INIT;
	return 0;
}

/* What may lie in a directory before it is claimed: the operator's settings, and a disk's own. */
static bool is_no_obstacle(const char *name)
{
	static const char *const names[] = {".", "..", "espace.conf", "hardware.yaml",
					    "lost+found"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/* A slip such as `--data /etc` must not give that away to espace. */
static int check_free(int fd, const char *path, struct err *err)
{
	if (file_exists(fd, "instance"))
		return 0;

	owned(close) int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, "read %s", path);
	take_fd(&copy);
	while ((entry = readdir(dir))) {
		if (!is_no_obstacle(entry->d_name))
			return err_set(err, ERR_EXISTS,
				       "%s is neither empty nor a data directory: it holds %s",
				       path, entry->d_name);
	}
	return 0;
}

/* Through a descriptor: the directory is espace's, who could put a link where a folder was. */
static int prepare_folder(const struct datadir *dir, const struct folder *folder, struct err *err)
{
	uid_t owner = folder->who == WHO_ROOT ? 0 : dir->owner;
	gid_t group = folder->who == WHO_ROOT ? 0 : folder->who == WHO_WWW ? dir->www : dir->group;

	if (mkdirat(dir->fd, folder->name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make folder %s", folder->name);

	owned(close) int fd =
		openat(dir->fd, folder->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open folder %s", folder->name);
	if (fchown(fd, owner, group) < 0 || fchmod(fd, folder->mode) < 0)
		return err_sys(err, "set the owner of %s", folder->name);
	return 0;
}

int datadir_claim(const char *path, uint32_t pool, uint32_t ids_base, struct err *err)
{
	owned(datadir_done) struct datadir dir = DATADIR_INIT;

	if (geteuid() != 0)
		return err_set(err, ERR_DENIED, "only root can prepare a data directory");
	if (find_accounts(&dir, err) < 0 || file_make_dirs(AT_FDCWD, path, 0755, err) < 0 ||
	    open_dir(path, &dir, err) < 0 || check_free(dir.fd, dir.path, err) < 0)
		return -1;
	if (fchown(dir.fd, dir.owner, dir.group) < 0 || fchmod(dir.fd, 0711) < 0)
		return err_sys(err, "set the owner of %s", path);
	if (check_search(dir.path, err) < 0 ||
	    instance_claim(dir.fd, dir.path, pool, ids_base, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (prepare_folder(&dir, &folders[i], err) < 0)
			return -1;
	}
	return file_sync_dir(dir.fd, ".", err);
}

void datadir_done(struct datadir *dir)
{
	if (dir->path || dir->fd > 0) /* an all-zero one holds nothing either */
		own_close(&dir->fd);
	free(dir->path);
	*dir = DATADIR_INIT;
}

char *datadir_path(const struct datadir *dir, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);

	owned(free) char *name = vasprintf(&text, format, args) < 0 ? NULL : text;

	va_end(args);
	return mem_format("%s/%s", dir->path, name ? name : "");
}
