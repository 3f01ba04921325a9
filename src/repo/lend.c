#include "repo/lend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "repo/inner.h"

#define ALTERNATES "objects/info/alternates"

/* A million references, and LEND_MAX lines. */
enum { REFS_MAX_BYTES = 128 << 20, ALTERNATES_MAX_BYTES = LEND_MAX * 64 };

static const char config[] = "[core]\n"
			     "\tbare = true\n"
			     "\trepositoryformatversion = 0\n"
			     "\tfilemode = true\n";

void lend_done(struct lend *lend)
{
	own_close(&lend->held);
	lend->held = -1;
}

/* Where a repository finds the objects of one beside it: of any data directory, wherever it is. */
static char *line_of(const char *hex)
{
	return mem_format("../../%s.git/objects", hex);
}

/* --- whose objects --- */

static int add_lender(struct lend *lend, const char *hex, struct err *err)
{
	if (lend->count == LEND_MAX)
		return err_set(err, ERR_TOO_LARGE,
			       "it is a duplicate of a duplicate, %d times over: upload its files "
			       "to a new repository instead",
			       LEND_MAX);
	memcpy(lend->lenders[lend->count++], hex, ID_HEX);
	return 0;
}

/* Those of the source, in its order: each comes after all that it borrows from itself. */
static int add_lenders_of(struct lend *lend, int source, struct err *err)
{
	owned(str_done) struct str text = str_new(ALTERNATES_MAX_BYTES);
	char hex[ID_HEX];
	int length;

	if (file_read(source, ALTERNATES, &text, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	for (const char *at = text.data; *at; at += length) {
		length = 0;
		if (sscanf(at, "../../%24[0-9a-f].git/objects%n", hex, &length) != 1 ||
		    at[length] != '\n')
			return err_set(err, ERR_SYSTEM,
				       "borrowed objects are named by no line of "
				       "ours");
		length++;
		if (add_lender(lend, hex, err) < 0)
			return -1;
	}
	return 0;
}

/* 1 something is there, 0 nothing, -1 failed. */
static int has_entries(int source, const char *path, struct err *err)
{
	owned(close) int fd = openat(source, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, "list the objects");
	take_fd(&fd);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "info") != 0 &&
		    strcmp(entry->d_name, "pack") != 0)
			return 1;
	return 0;
}

/*
 * A duplicate that nobody has written to has nothing to lend: what is duplicated often stays close
 * to its origin. Asked for after the references were read: what they lead to was there before.
 */
static int find_lenders(struct lend *lend, int source, const char *hex, struct err *err)
{
	int has_own;

	if (add_lenders_of(lend, source, err) < 0)
		return -1;
	has_own = lend->count == 0 ? 1 : has_entries(source, "objects", err);
	if (has_own == 0)
		has_own = has_entries(source, "objects/pack", err);
	if (has_own < 0)
		return -1;
	return has_own ? add_lender(lend, hex, err) : 0;
}

/* --- the new repository --- */

static int put_file(int fd, const char *path, const char *text, struct err *err)
{
	owned(close) int file = openat(fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (file < 0)
		return err_sys(err, "make %s", path);
	if (file_put(file, text, strlen(text), err) < 0)
		return -1;
	return fsync(file) < 0 ? err_sys(err, "sync %s", path) : 0;
}

static int put_alternates(const struct lend *lend, int fd, struct err *err)
{
	owned(str_done) struct str text = str_new(ALTERNATES_MAX_BYTES);

	for (size_t i = 0; i < lend->count; i++) {
		owned(free) char *line = line_of(lend->lenders[i]);

		str_addf(&text, "%s\n", line);
	}
	if (str_check(&text, ALTERNATES, err) < 0)
		return -1;
	return put_file(fd, ALTERNATES, text.data, err);
}

/* Not by git_init(): it waits for all that the file system has to write. */
static int put_frame(int fd, const char *refs, const struct lend *lend, struct err *err)
{
	static const char *const folders[] = {"objects", "objects/info", "objects/pack",
					      "refs",    "refs/heads",   "refs/tags"};
	static const char *const synced[] = {"objects/info", "objects", "refs", "."};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdirat(fd, folders[i], 0700) < 0)
			return err_sys(err, "make %s", folders[i]);
	if (put_file(fd, "HEAD", "ref: refs/heads/main\n", err) < 0 ||
	    put_file(fd, "config", config, err) < 0 || put_file(fd, "packed-refs", refs, err) < 0 ||
	    put_alternates(lend, fd, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(synced) / sizeof(synced[0]); i++)
		if (file_sync_dir(fd, synced[i], err) < 0)
			return -1;
	return 0;
}

/* --- references --- */

static int add_refs(struct git *from, const char *glob, struct str *out, struct err *err)
{
	owned(git_reference_iterator_free) git_reference_iterator *iterator = NULL;
	int rc = git_reference_iterator_glob_new(&iterator, from->repo, glob);

	while (rc == 0) {
		owned(git_reference_free) git_reference *reference = NULL;
		char hex[GIT_HEX];

		rc = git_reference_next(&reference, iterator);
		if (rc < 0 || !git_reference_target(reference))
			continue;
		git_oid_tostr(hex, sizeof(hex), git_reference_target(reference));
		str_addf(out, "%s %s\n", hex, git_reference_name(reference));
	}
	return rc == GIT_ITEROVER ? 0 : inner_fail(err, "list references");
}

static int hold_objects(int source, struct err *err)
{
	owned(close) int fd = openat(source, "objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open the objects");
	while (flock(fd, LOCK_SH) < 0)
		if (errno != EINTR)
			return err_sys(err, "hold the objects");
	return take_fd(&fd);
}

int lend_make(struct git *from, const char *hex, const char *path, struct lend *out,
	      struct err *err)
{
	owned(lend_done) struct lend lend = LEND_INIT;
	owned(str_done) struct str refs = str_new(REFS_MAX_BYTES);
	owned(close) int source = open(from->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(close) int fd = -1;

	if (source < 0)
		return errno == ENOENT ? err_set(err, ERR_NO_REPO, "the repository is gone")
				       : err_sys(err, "open a repository");
	lend.held = hold_objects(source, err);
	if (lend.held < 0 || add_refs(from, "refs/heads/*", &refs, err) < 0 ||
	    add_refs(from, "refs/tags/*", &refs, err) < 0 ||
	    str_check(&refs, "branches", err) < 0 || find_lenders(&lend, source, hex, err) < 0)
		return -1;
	if (mkdir(path, 0700) < 0)
		return err_sys(err, "make a repository");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open a new repository");
	if (put_frame(fd, refs.data, &lend, err) < 0)
		return -1;
	*out = lend;
	lend.held = -1;
	return 0;
}

/* --- rows --- */

static int run_on(struct store_db *db, const char *sql, const char *hex, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, sql);

	store_bind_text(query, hex);
	return store_step(query, err);
}

int lend_add(struct store_db *db, int64_t repo_id, const struct lend *lend, struct err *err)
{
	for (size_t i = 0; i < lend->count; i++) {
		owned(store_query_end) struct store_query *query =
			store_query(db, "INSERT INTO borrows (repo_id, lender) VALUES (?, ?)");

		store_bind_int(query, repo_id);
		store_bind_text(query, lend->lenders[i]);
		if (store_step(query, err) < 0)
			return err_in(err, "borrow");
	}
	return 0;
}

int lend_is_lent(struct store_db *db, const char *hex, struct err *err)
{
	return run_on(db, "SELECT 1 FROM borrows WHERE lender = ? LIMIT 1", hex, err);
}

int lend_keep(struct store_db *db, const char *hex, struct err *err)
{
	return run_on(db, "INSERT INTO lenders (hex) VALUES (?)", hex, err);
}

int lend_next_free(struct store_db *db, char hex[static ID_HEX], struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT hex FROM lenders WHERE NOT EXISTS"
				" (SELECT 1 FROM borrows WHERE lender = hex) LIMIT 1");
	int row = store_step(query, err);

	if (row > 0)
		store_copy(query, 0, hex, ID_HEX);
	return row;
}

int lend_forget(struct store_db *db, const char *hex, struct err *err)
{
	return run_on(db, "DELETE FROM lenders WHERE hex = ?", hex, err) < 0 ? -1 : 0;
}
