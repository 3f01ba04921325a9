#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "daemon/check/checkup.h"
#include "repo/git.h"
#include "repo/gitrun.h"
#include "repo/mark.h"

/*
 * repos/: folders against rows, then each repository by git itself.
 *
 * In flight with a running hub: a new repository is a folder before it is a row, a deleted one is
 * no row before its folder is gone, and both for moments only. An upload has its files in objects/
 * for as long as it takes.
 */
enum {
	HEX_LENGTH = 24,
	FSCK_LIMIT_MS = 10 * 60 * 1000,
	FSCK_OUTPUT_MAX = 8 << 20,
	LOCK_STALE_S = 10 * 60,        /* a lock of git's is held for milliseconds */
	UPLOAD_STALE_S = 24 * 60 * 60, /* no upload takes so long */
	DEPTH_MAX = 64,                /* of folders in refs/ */
};

struct repositories {
	struct checkup *checkup;
	int fd; /* of repos/ */
};

/* One folder or row. */
struct one {
	struct checkup *checkup;
	int fd;             /* of repos/ */
	const char *folder; /* "ID.git" */
	const char *hex;
	char *thing; /* "repos/ID.git" */
	int repo_fd;
};

/* 1 there is a row, 0 none, -1 failed. */
static int has_row(struct checkup *checkup, const char *hex, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(checkup->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query =
		store_query(store_read_db(read), "SELECT 1 FROM repos WHERE hex = ?1 UNION ALL"
						 " SELECT 1 FROM lenders WHERE hex = ?1");

	store_bind_text(query, hex);
	return store_step(query, err);
}

/* --- folders against rows --- */

static bool folder_has_no_row(void *arg)
{
	struct one *one = arg;
	struct err err = ERR_INIT; /* a question that fails blames nobody */

	return has_row(one->checkup, one->hex, &err) == 0 && file_exists(one->fd, one->folder);
}

static bool row_has_no_folder(void *arg)
{
	struct one *one = arg;
	struct err err = ERR_INIT;

	return !file_exists(one->fd, one->folder) && has_row(one->checkup, one->hex, &err) > 0;
}

/* It may be somebody's: of a database that was brought back from yesterday, say. */
static int put_aside(void *arg, struct err *err)
{
	const struct one *one = arg;
	int dir = one->checkup->dir->fd;
	owned(free) char *to = mem_format("lost+found/%s", one->folder);

	if (file_make_dirs(dir, "lost+found", 0700, err) < 0)
		return -1;
	if (renameat(one->fd, one->folder, dir, to) < 0)
		return err_sys(err, "move it to lost+found");
	return file_sync_dir(dir, "lost+found", err);
}

/* "ID.git": the id. */
static bool read_name(const char *name, char hex[static HEX_LENGTH + 1])
{
	if (strlen(name) != HEX_LENGTH + strlen(".git") || !str_ends(name, ".git"))
		return false;
	memcpy(hex, name, HEX_LENGTH);
	hex[HEX_LENGTH] = '\0';
	return hex_is(hex, HEX_LENGTH);
}

static bool is_old(int fd, const char *name, int64_t age_s)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       clock_wall_ms() / 1000 - st.st_mtim.tv_sec > age_s;
}

static void report_cut(struct checkup *checkup, const char *thing)
{
	checkup_warning(checkup, thing, "espaced gc removes it",
			"it was left by a call that was cut");
}

static void look_at_folder(const struct repositories *all, const char *name)
{
	struct checkup *checkup = all->checkup;
	owned(free) char *thing = mem_format("repos/%s", name);
	owned(free) char *path = datadir_path(checkup->dir, "%s", thing);
	char hex[HEX_LENGTH + 1] = "";
	struct one one = {.checkup = checkup, .fd = all->fd, .folder = name, .hex = hex};

	if (str_starts(name, "new-") || str_starts(name, "gone-")) {
		if (!checkup->hub_runs || is_old(all->fd, name, UPLOAD_STALE_S))
			report_cut(checkup, thing);
		return;
	}
	if (!read_name(name, hex)) {
		checkup_warning(checkup, thing, "move it to where it belongs",
				"it is no repository of ours");
		return;
	}
	if (!checkup_settles(checkup, folder_has_no_row, &one))
		return;
	if (mark_is_older(path, -1))
		report_cut(checkup, thing);
	else
		checkup_mend(checkup,
			     &(struct checkup_finding){.severity = CHECKUP_WARNING,
						       .thing = thing,
						       .what = "no row names it; it belongs to "
							       "lost+found/"},
			     put_aside, &one);
}

static int look_at_folders(const struct repositories *all, struct err *err)
{
	owned(close) int fd = openat(all->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return err_sys(err, "list the repositories");
	fd = -1; /* the list's now */
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			look_at_folder(all, entry->d_name);
	return 0;
}

/* --- inside of one --- */

static int remove_file(void *arg, struct err *err)
{
	const struct one *one = arg;

	return file_remove_tree(one->repo_fd, one->folder, err);
}

/* Something that an earlier process has left in the repository. */
static void report_left(const struct one *repo, const char *path, const char *what)
{
	owned(free) char *thing = mem_format("%s/%s", repo->thing, path);
	struct one left = {.repo_fd = repo->repo_fd, .folder = path};

	checkup_mend(repo->checkup,
		     &(struct checkup_finding){
			     .severity = CHECKUP_WARNING, .thing = thing, .what = what},
		     remove_file, &left);
}

static DIR *open_folder(int parent, const char *path)
{
	owned(close) int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		fd = -1; /* its now */
	return dir;
}

static void look_for_uploads(const struct one *repo)
{
	owned(closedir) DIR *dir = open_folder(repo->repo_fd, "objects");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		owned(free) char *path = mem_format("objects/%s", entry->d_name);

		if (str_starts(entry->d_name, "tmp_") &&
		    (!repo->checkup->hub_runs || is_old(repo->repo_fd, path, UPLOAD_STALE_S)))
			report_left(repo, path, "an upload that was cut has left it");
	}
}

static void look_for_locks(const struct one *repo, const char *folder, unsigned depth)
{
	owned(closedir) DIR *dir = open_folder(repo->repo_fd, folder);
	const struct dirent *entry;

	while (dir && depth < DEPTH_MAX && (entry = readdir(dir))) {
		owned(free) char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		path = strcmp(folder, ".") == 0 ? mem_text(entry->d_name)
						: mem_format("%s/%s", folder, entry->d_name);
		if (entry->d_type == DT_DIR && strcmp(folder, ".") != 0)
			look_for_locks(repo, path, depth + 1);
		else if (str_ends(path, ".lock") && is_old(repo->repo_fd, path, LOCK_STALE_S))
			report_left(repo, path, "a lock that nobody holds any more");
	}
}

/* What git says first of damage, in its words. */
static void explain(const char *output, struct err *err)
{
	while (str_starts(output, "notice:") && strchr(output, '\n'))
		output = strchr(output, '\n') + 1;
	if (*output && err->kind == ERR_SYSTEM)
		err_set(err, ERR_SYSTEM, "git fsck: %.*s", (int)strcspn(output, "\n"), output);
}

static int run_fsck(const struct one *repo, struct err *err)
{
	static const char *const command[] = {"fsck", "--full", "--no-dangling", "--no-progress",
					      NULL};
	owned(free) char *path = datadir_path(repo->checkup->dir, "%s", repo->thing);
	owned(str_done) struct str output = str_new(FSCK_OUTPUT_MAX);
	int result = gitrun(
		&(struct gitrun){.path = path, .command = command, .limit_ms = FSCK_LIMIT_MS},
		&output, err);

	if (result < 0)
		explain(output.data, err);
	return result;
}

/* Twice before it is believed where a hub runs: branches may have moved under git's eyes. */
static void look_at_objects(const struct one *repo)
{
	struct checkup *checkup = repo->checkup;
	struct err err = ERR_INIT;

	if (run_fsck(repo, &err) == 0 || !file_exists(repo->fd, repo->folder))
		return;
	if (err.kind == ERR_BUSY)
		checkup_warning(checkup, repo->thing, "run git fsck on it by hand", "%s", err.text);
	else if (!checkup->hub_runs || run_fsck(repo, &err) < 0)
		checkup_problem(checkup, repo->thing,
				"bring it back from a backup, or push it again from a clone", "%s",
				err.text);
}

/* The commit that its Space was asked to build. */
static void look_at_wish(const struct one *repo, const char *commit)
{
	owned(free) char *path = datadir_path(repo->checkup->dir, "%s", repo->thing);
	owned(git_close) struct git *git = NULL;
	char found[GIT_HEX];
	struct err err = ERR_INIT;

	if (git_open(path, &git, &err) < 0 || git_resolve(git, commit, found, &err) == 0)
		return; /* one that can't be opened was named already */
	checkup_problem(repo->checkup, repo->thing, "push to its Space once more",
			"its Space is to build commit %.10s, which is missing", commit);
}

static void look_at_one(const struct repositories *all, const char *hex, const char *commit)
{
	owned(free) char *folder = mem_format("%s.git", hex);
	owned(free) char *thing = mem_format("repos/%s", folder);
	owned(close) int repo_fd = openat(all->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct one one = {.checkup = all->checkup,
			  .fd = all->fd,
			  .folder = folder,
			  .hex = hex,
			  .thing = thing,
			  .repo_fd = repo_fd};

	if (repo_fd < 0) {
		if (checkup_settles(all->checkup, row_has_no_folder, &one))
			checkup_problem(all->checkup, thing, "bring it back from a backup",
					"a row names it and it is not there");
		return;
	}
	look_for_uploads(&one);
	look_for_locks(&one, ".", 0);
	look_for_locks(&one, "refs", 0);
	look_at_objects(&one);
	if (*commit)
		look_at_wish(&one, commit);
}

/* The next repository by its row, so that no reading stays open while git works. */
static int next_row(struct checkup *checkup, int64_t *id, char hex[static HEX_LENGTH + 1],
		    char commit[static GIT_HEX], struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(checkup->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query = store_query(
		store_read_db(read), "SELECT r.id, r.hex, COALESCE(s.\"commit\", '') FROM repos r"
				     " LEFT JOIN spaces s ON s.repo_id = r.id AND s.deleting = 0"
				     " WHERE r.id > ? ORDER BY r.id LIMIT 1");
	int row;

	store_bind_int(query, *id);
	row = store_step(query, err);
	if (row <= 0)
		return row;
	*id = store_int(query, 0);
	store_copy(query, 1, hex, HEX_LENGTH + 1);
	store_copy(query, 2, commit, GIT_HEX);
	return 1;
}

int checkup_repositories(struct checkup *checkup, struct err *err)
{
	owned(close) int fd = openat(checkup->dir->fd, "repos", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct repositories all = {.checkup = checkup, .fd = fd};
	char hex[HEX_LENGTH + 1];
	char commit[GIT_HEX];
	int64_t id = 0;
	int row;

	if (!checkup->store)
		return 0;
	if (fd < 0)
		return err_sys(err, "open the folder of repositories");
	if (look_at_folders(&all, err) < 0)
		return -1;
	while ((row = next_row(checkup, &id, hex, commit, err)) > 0)
		look_at_one(&all, hex, commit);
	return row;
}
