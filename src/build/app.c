#include "build/app.h"

#include <errno.h>
#include <fcntl.h>
#include <git2/blob.h>
#include <git2/commit.h>
#include <git2/errors.h>
#include <git2/global.h>
#include <git2/repository.h>
#include <git2/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/name.h"

/* Modes of git's tree entries as they are stored: repo/git.h tells files from folders only. */
DEFINE_OWNED(git_repository *, git_repository_free);
DEFINE_OWNED(git_commit *, git_commit_free);
DEFINE_OWNED(git_tree *, git_tree_free);
DEFINE_OWNED(git_blob *, git_blob_free);

enum {
	DEPTH_MAX = 64,     /* as name_path_is_valid() */
	LINK_MAX = 1024,    /* bytes of a link's target */
	SYNC_EACH_MAX = 64, /* more files than that are synced with the whole file system */
	FOLDER_MODE = 0755,
	FILE_MODE = 0644,
	PROGRAM_MODE = 0755,
};

struct writer {
	git_repository *repo;
	bool durable;
	unsigned files;
	unsigned depth;
};

static int git_fail(struct err *err, const char *what)
{
	const git_error *last = git_error_last();

	return err_set(err, ERR_SYSTEM, "%s: %.200s", what, last ? last->message : "unknown");
}

/* Does a relative link in a folder `depth` levels below the app stay inside of it? */
static bool stays_inside(const char *target, size_t length, unsigned depth)
{
	long level = depth;
	const char *end = target + length;

	if (length == 0 || length > LINK_MAX || *target == '/' || memchr(target, '\0', length))
		return false;
	while (target < end) {
		const char *slash = memchr(target, '/', (size_t)(end - target));
		size_t part = (size_t)((slash ? slash : end) - target);

		if (part == 2 && memcmp(target, "..", 2) == 0)
			level--;
		else if (part > 0 && !(part == 1 && *target == '.'))
			level++;
		if (level < 0)
			return false;
		target += part + 1;
	}
	return true;
}

static int write_link(struct writer *writer, int folder, const char *name, const char *target,
		      size_t length, struct err *err)
{
	owned(free) char *text = NULL;

	if (!stays_inside(target, length, writer->depth)) {
		log_info("app.link", "left out=%s", name);
		return 0;
	}
	text = mem_text_n(target, length);
	return symlinkat(text, folder, name) < 0 ? err_sys(err, "make link %s", name) : 0;
}

static int write_file(struct writer *writer, int folder, const char *name, mode_t mode,
		      const git_blob *blob, struct err *err)
{
	owned(close) int fd =
		openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(err, "make file %s", name);
	if (file_put(fd, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob), err) < 0)
		return err_in(err, "write file %s", name);
	/* The mode again, for the process may have a umask. */
	if (fchmod(fd, mode) < 0)
		return err_sys(err, "make file %s", name);
	if (writer->durable && writer->files <= SYNC_EACH_MAX && fsync(fd) < 0)
		return err_sys(err, "sync file %s", name);
	return 0;
}

static int write_blob(struct writer *writer, int folder, const git_tree_entry *entry,
		      struct err *err)
{
	owned(git_blob_free) git_blob *blob = NULL;
	git_filemode_t mode = git_tree_entry_filemode(entry);
	const char *name = git_tree_entry_name(entry);

	if (++writer->files > APP_FILES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d files", APP_FILES_MAX);
	if (git_blob_lookup(&blob, writer->repo, git_tree_entry_id(entry)) < 0)
		return git_fail(err, "read a file");
	if (mode == GIT_FILEMODE_LINK)
		return write_link(writer, folder, name, git_blob_rawcontent(blob),
				  (size_t)git_blob_rawsize(blob), err);
	return write_file(writer, folder, name,
			  mode == GIT_FILEMODE_BLOB_EXECUTABLE ? PROGRAM_MODE : FILE_MODE, blob,
			  err);
}

/* Make a folder that was not there and open it; a link in its place is refused. */
static int make_folder(int parent, const char *name, struct err *err)
{
	int fd;

	if (mkdirat(parent, name, FOLDER_MODE) < 0)
		return err_sys(err, "make folder %s", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, FOLDER_MODE) < 0) {
		err_sys(err, "make folder %s", name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int write_tree(struct writer *writer, int folder, const git_oid *id, struct err *err);

static int write_entry(struct writer *writer, int folder, const git_tree_entry *entry,
		       struct err *err)
{
	owned(close) int child = -1;
	const char *name = git_tree_entry_name(entry);

	if (strchr(name, '/') || !name_path_is_valid(name))
		return err_set(err, ERR_UNPROCESSED, "the repository holds a file named %.80s",
			       name);
	if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
		return write_blob(writer, folder, entry, err);
	if (git_tree_entry_type(entry) != GIT_OBJECT_TREE)
		return 0; /* a submodule */
	if (writer->depth >= DEPTH_MAX)
		return err_set(err, ERR_UNPROCESSED, "folders are nested too deeply");
	child = make_folder(folder, name, err);
	if (child < 0)
		return -1;
	writer->depth++;
	if (write_tree(writer, child, git_tree_entry_id(entry), err) < 0)
		return err_in(err, "%s", name);
	writer->depth--;
	return 0;
}

static int write_tree(struct writer *writer, int folder, const git_oid *id, struct err *err)
{
	owned(git_tree_free) git_tree *tree = NULL;

	if (git_tree_lookup(&tree, writer->repo, id) < 0)
		return git_fail(err, "read a tree");
	for (size_t i = 0; i < git_tree_entrycount(tree); i++)
		if (write_entry(writer, folder, git_tree_entry_byindex(tree, i), err) < 0)
			return -1;
	if (writer->durable && writer->files <= SYNC_EACH_MAX && fsync(folder) < 0)
		return err_sys(err, "sync a folder");
	return 0;
}

static int write_commit(const char *git_path, const char *hex, int folder, bool durable,
			struct err *err)
{
	owned(git_repository_free) git_repository *repo = NULL;
	owned(git_commit_free) git_commit *commit = NULL;
	struct writer writer = {.durable = durable};
	git_oid id;

	git_libgit2_init(); /* counted; never undone, as the handles of other threads need it */
	if (git_repository_open_bare(&repo, git_path) < 0)
		return git_fail(err, "open the repository");
	if (git_oid_fromstr(&id, hex) < 0 || git_commit_lookup(&commit, repo, &id) < 0)
		return err_set(err, ERR_NO_REVISION, "no commit %.40s", hex);
	writer.repo = repo;
	if (write_tree(&writer, folder, git_commit_tree_id(commit), err) < 0)
		return -1;
	if (durable && writer.files > SYNC_EACH_MAX && syncfs(folder) < 0)
		return err_sys(err, "sync the app's files");
	return 0;
}

int app_write(const char *git_path, const char *commit, const char *folder, struct err *err)
{
	owned(close) int fd = make_folder(AT_FDCWD, folder, err);

	return fd < 0 ? -1 : write_commit(git_path, commit, fd, false, err);
}

void app_layer_name(const char *hex, const char *commit, char out[static APP_LAYER_ROOM])
{
	snprintf(out, APP_LAYER_ROOM, "app-%.24s-%.40s", hex, commit);
}

/* The tree of a layer below a temporary name: home/user/app. Durable when it returns. */
static int write_layer(const char *git_path, const char *commit, const char *folder,
		       struct err *err)
{
	static const char *const names[] = {"home", "user", "app"};
	owned(close) int top = make_folder(AT_FDCWD, folder, err);
	owned(close) int at = -1;

	if (top < 0)
		return -1;
	at = dup(top);
	if (at < 0)
		return err_sys(err, "open a folder");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int child = make_folder(at, names[i], err);

		if (child < 0)
			return -1;
		if (fsync(at) < 0) {
			close(child);
			return err_sys(err, "sync a folder");
		}
		close(at);
		at = child;
	}
	return write_commit(git_path, commit, at, true, err);
}

int app_layer_make(const char *git_path, const char *hex, const char *commit, const char *layers,
		   struct err *err)
{
	owned(free) char *final = NULL;
	owned(free) char *temporary = NULL;
	char name[APP_LAYER_ROOM];
	char mark[ID_HEX];
	struct err ignored = ERR_INIT;

	app_layer_name(hex, commit, name);
	final = mem_format("%s/%s", layers, name);
	if (file_exists(AT_FDCWD, final))
		return 0;
	random_id(mark);
	temporary = mem_format("%s.tmp-%.8s", final, mark);
	if (write_layer(git_path, commit, temporary, err) == 0) {
		if (rename(temporary, final) == 0)
			return file_sync_dir(AT_FDCWD, layers, err);
		if (errno == ENOTEMPTY || errno == EEXIST) /* another thread was faster */
			err->kind = ERR_NONE;
		else
			err_sys(err, "finish the layer");
	}
	/* What can't be removed now has a name that nothing uses. */
	if (file_remove_tree(AT_FDCWD, temporary, &ignored) < 0)
		log_warn("app.cleanup", "error=%s", ignored.text);
	return err->kind == ERR_NONE ? 0 : -1;
}
