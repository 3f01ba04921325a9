#include "space/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tree.h"
#include "repo/lend.h"
#include "repo/mark.h"
#include "repo/tidy.h"

enum {
	CUT_S = 24 * 60 * 60, /* no call or build takes so long */
	AT_ONCE = 64,         /* layers in one transaction: others write rows, too */
	HEX_ROOM = 25,
};

#define GONE "gone-"

static int open_folder(int parent, const char *path, DIR **out, struct err *err)
{
	owned(close) int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*out = fd < 0 ? NULL : fdopendir(fd);
	if (!*out)
		return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no %s", path)
				       : err_sys(err, "open %s", path);
	take_fd(&fd);
	return 0;
}

/* Seconds since its content or its name changed; 0 for what is not there any more. */
static int64_t age_s(int fd, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return clock_wall_ms() / 1000 - st.st_ctim.tv_sec;
}

/* --- layers --- */

/* Does a row name it? The age of runs counts in milliseconds of their end. */
static int is_named(struct store_db *db, const char *layer, int64_t ended_ms, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db,
		"SELECT 1 FROM spaces WHERE env_layer = ?1 OR env_own = ?1"
		" OR ?1 IN ('app-' || hex || '-' || \"commit\", 'app-' || hex || '-' || "
		"built_commit,"
		" 'app-' || hex || '-' || running_commit)"
		" UNION ALL SELECT 1 FROM runs r JOIN spaces s ON s.repo_id = r.repo_id"
		" WHERE (r.ended_ms IS NULL OR r.ended_ms > ?2)"
		" AND (r.env_layer = ?1 OR ?1 = 'app-' || s.hex || '-' || r.\"commit\") LIMIT 1");

	store_bind_text(query, layer);
	store_bind_int(query, ended_ms);
	return store_step(query, err);
}

/* A base system that is not the one of today: does an app still stand on it? */
static int is_stood_on(struct store_db *db, int layers, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT 1 FROM runs WHERE ended_ms IS NULL AND created_ms < ? LIMIT 1");
	struct stat link;

	if (fstatat(layers, "base", &link, AT_SYMLINK_NOFOLLOW) < 0)
		return 1; /* no base of today: it is being made */
	/* A start may have begun with the old one just before. */
	store_bind_int(query, (link.st_mtim.tv_sec + CUT_S) * 1000);
	return store_step(query, err);
}

static bool is_current_base(int layers, const char *name)
{
	char target[NAME_MAX + 1] = "";

	return readlinkat(layers, "base", target, sizeof(target) - 1) > 0 &&
	       strcmp(target, name) == 0;
}

/* The files of a commit are read from git again in no time: nobody waits for a build. */
static int64_t keep_s(const struct collect *collect, const char *name)
{
	bool is_short = str_starts(name, "app-") && collect->keep_s > CUT_S;

	return is_short ? CUT_S : collect->keep_s;
}

/* 1 it must stay, 0 not, -1 failed. */
static int is_needed(const struct collect *collect, struct store_db *db, int layers,
		     const char *name, struct err *err)
{
	int64_t ended_ms = clock_wall_ms() - keep_s(collect, name) * 1000;

	if (strstr(name, ".tmp-"))
		return age_s(layers, name) <= CUT_S;
	if (age_s(layers, name) < keep_s(collect, name))
		return 1;
	if (str_starts(name, "base-"))
		return is_current_base(layers, name) ? 1 : is_stood_on(db, layers, err);
	return is_named(db, name, ended_ms, err);
}

/* 1 it is put aside, 0 another collection took it since it was listed, -1 failed. */
static int put_aside(int layers, const char *name, struct err *err)
{
	char mark[ID_HEX];
	owned(free) char *to = NULL;

	random_id(mark); /* an earlier one of this name may still be there */
	to = mem_format(GONE "%.8s-%s", mark, name);
	if (renameat(layers, name, layers, to) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "put %s aside", name);
	log_info("collect.layer", "layer=%s", name);
	return 1;
}

/* Up to AT_ONCE of them, with the turn to write, so that no row changes between look and name. */
static int collect_some(const struct collect *collect, char *const *names, size_t count,
			size_t *collected, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(close) int layers =
		openat(collect->dir->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (layers < 0)
		return err_sys(err, "open the layers");
	if (store_tx_begin(collect->store, &tx, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int needed = is_needed(collect, store_tx_db(tx), layers, names[i], err);
		int aside = needed == 0 ? put_aside(layers, names[i], err) : 0;

		if (needed < 0 || aside < 0)
			return -1;
		*collected += (size_t)aside;
	}
	return file_sync_dir(collect->dir->fd, "layers", err);
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
}

/* The next names behind `*after` in the alphabet. */
static int read_names(const struct collect *collect, char **after, char **names, size_t *count,
		      struct err *err)
{
	static const char *const kinds[] = {"env-", "app-", "base-"};
	struct dirent **entries = NULL;
	owned(free) char *path = datadir_path(collect->dir, "layers");
	int found = scandir(path, &entries, NULL, alphasort);

	if (found < 0)
		return err_sys(err, "list the layers");
	*count = 0;
	for (int i = 0; i < found; i++) {
		const char *name = entries[i]->d_name;
		bool is_ours = false;

		for (size_t j = 0; j < sizeof(kinds) / sizeof(kinds[0]); j++)
			is_ours |= str_starts(name, kinds[j]);
		if (is_ours && *count < AT_ONCE && (!*after || strcoll(name, *after) > 0))
			names[(*count)++] = mem_text(name);
		free(entries[i]);
	}
	free(entries);
	if (*count > 0) {
		free(*after);
		*after = mem_text(names[*count - 1]);
	}
	return 0;
}

int collect_layers(const struct collect *collect, size_t *count, struct err *err)
{
	owned(free) char *after = NULL;
	char *names[AT_ONCE];
	size_t some = 0;

	*count = 0;
	do {
		int result;

		if (read_names(collect, &after, names, &some, err) < 0)
			return -1;
		result = some ? collect_some(collect, names, some, count, err) : 0;
		free_names(names, some);
		if (result < 0)
			return -1;
	} while (some == AT_ONCE);
	return 0;
}

static int sweep_one(int layers, const char *name, int64_t *bytes, struct err *err)
{
	int64_t freed = 0;

	if (tree_bytes(layers, name, &freed, err) < 0 || file_remove_tree(layers, name, err) < 0)
		return -1;
	*bytes += freed;
	return 0;
}

int collect_sweep(const struct datadir *dir, int64_t *bytes, struct err *err)
{
	owned(closedir) DIR *layers = NULL;
	const struct dirent *entry;

	*bytes = 0;
	if (open_folder(dir->fd, "layers", &layers, err) < 0)
		return -1;
	while ((entry = readdir(layers))) {
		struct stat st;

		if (!str_starts(entry->d_name, GONE) ||
		    fstatat(dirfd(layers), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (geteuid() != 0 && st.st_uid != geteuid()))
			continue;
		if (sweep_one(dirfd(layers), entry->d_name, bytes, err) < 0)
			return -1;
	}
	return 0;
}

/* --- logs --- */

/* "run-12.log" or "build-3.log.end": its number, or -1 for what is no log. */
static int64_t log_number(const char *name, char kind[static 8])
{
	long long number = -1;
	int end = 0;

	if (sscanf(name, "%7[a-z]-%lld.log%n", kind, &number, &end) != 2 || end == 0 ||
	    (name[end] && strcmp(name + end, ".end") != 0))
		return -1;
	return number;
}

/* 1 the newest of its kind, or of a run that is open; 0 not, or no such Space; -1 failed. */
static int is_shown(const struct collect *collect, const char *hex, const char *kind,
		    int64_t number, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(collect->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query =
		store_query(store_read_db(read),
			    "SELECT 1 FROM spaces WHERE hex = ?1"
			    " AND ?3 >= CASE ?2 WHEN 'run' THEN run_log ELSE build_log END"
			    " UNION ALL SELECT 1 FROM runs r JOIN spaces s ON s.repo_id = r.repo_id"
			    " WHERE s.hex = ?1 AND r.ended_ms IS NULL AND r.log = ?3"
			    " AND r.kind = CASE ?2 WHEN 'run' THEN 'app' ELSE 'build' END LIMIT 1");

	store_bind_text(query, hex);
	store_bind_text(query, kind);
	store_bind_int(query, number);
	return store_step(query, err);
}

static int collect_logs_of(const struct collect *collect, int spaces, const char *hex,
			   size_t *count, struct err *err)
{
	owned(free) char *path = mem_format("%s/logs", hex);
	owned(closedir) DIR *logs = NULL;
	const struct dirent *entry;

	if (open_folder(spaces, path, &logs, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0
						  : -1; /* a Space without a log, or gone by now */
	while ((entry = readdir(logs))) {
		char kind[8] = "";
		int64_t number = log_number(entry->d_name, kind);
		int shown;

		if (number < 0 || age_s(dirfd(logs), entry->d_name) <= collect->keep_s)
			continue;
		shown = is_shown(collect, hex, kind, number, err);
		if (shown < 0)
			return -1;
		if (shown == 0 && unlinkat(dirfd(logs), entry->d_name, 0) == 0)
			(*count)++;
	}
	return 0;
}

int collect_logs(const struct collect *collect, size_t *count, struct err *err)
{
	owned(closedir) DIR *spaces = NULL;
	const struct dirent *entry;

	*count = 0;
	if (open_folder(collect->dir->fd, "spaces", &spaces, err) < 0)
		return -1;
	while ((entry = readdir(spaces)))
		if (hex_is(entry->d_name, HEX_ROOM - 1) &&
		    collect_logs_of(collect, dirfd(spaces), entry->d_name, count, err) < 0)
			return -1;
	return 0;
}

/* --- repositories --- */

/* Is there a row of what is in the folder "ID.git", or is it kept for others? As is_named(). */
static int has_row(const struct collect *collect, const char *folder, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(collect->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query = store_query(
		store_read_db(read), "SELECT 1 FROM repos WHERE hex || '.git' = ?1 UNION ALL"
				     " SELECT 1 FROM lenders WHERE hex || '.git' = ?1 LIMIT 1");

	store_bind_text(query, folder);
	return store_step(query, err);
}

/* Was it left by a call that was cut? As is_named(). */
static int is_leftover(const struct collect *collect, int repos, const char *name, struct err *err)
{
	owned(free) char *path = datadir_path(collect->dir, "repos/%s", name);
	int row;

	if (str_starts(name, "new-") || str_starts(name, GONE))
		return age_s(repos, name) > CUT_S;
	if (!mark_is_older(path, CUT_S))
		return 0;
	row = has_row(collect, name, err);
	if (row > 0)
		mark_clear(path);
	return row < 0 ? -1 : !row;
}

int collect_leftovers(const struct collect *collect, size_t *count, struct err *err)
{
	owned(closedir) DIR *repos = NULL;
	const struct dirent *entry;

	*count = 0;
	if (open_folder(collect->dir->fd, "repos", &repos, err) < 0)
		return -1;
	while ((entry = readdir(repos))) {
		const char *name = entry->d_name;
		int left = is_leftover(collect, dirfd(repos), name, err);

		if (left < 0 || (left > 0 && file_remove_tree(dirfd(repos), name, err) < 0))
			return -1;
		*count += left > 0;
	}
	return 0;
}

/* 1 and its files are put aside, 0 there is none, -1 failed. */
static int put_lender_aside(const struct collect *collect, int repos, char hex[static ID_HEX],
			    struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(free) char *path = NULL;
	owned(free) char *gone = NULL;
	int found;

	if (store_tx_begin(collect->store, &tx, err) < 0)
		return -1;
	found = lend_next_free(store_tx_db(tx), hex, err);
	if (found <= 0)
		return found;
	path = mem_format("%s.git", hex);
	gone = mem_format(GONE "%s.git", hex);
	if (renameat(repos, path, repos, gone) < 0 && errno != ENOENT)
		return err_sys(err, "put a repository aside");
	if (file_sync_dir(repos, ".", err) < 0 || lend_forget(store_tx_db(tx), hex, err) < 0 ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	return 1;
}

int collect_lenders(const struct collect *collect, size_t *count, struct err *err)
{
	owned(closedir) DIR *repos = NULL;
	char hex[ID_HEX];
	int found;

	*count = 0;
	if (open_folder(collect->dir->fd, "repos", &repos, err) < 0)
		return -1;
	while ((found = put_lender_aside(collect, dirfd(repos), hex, err)) > 0) {
		owned(free) char *gone = mem_format(GONE "%s.git", hex);

		if (file_remove_tree(dirfd(repos), gone, err) < 0)
			return -1;
		(*count)++;
	}
	return found;
}

/* The next one by its row, so that no reading stays open while git works. */
static int next_repository(const struct collect *collect, int64_t *id, char hex[static HEX_ROOM],
			   struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(collect->store, &read, err) < 0)
		return -1;

	owned(store_query_end) struct store_query *query = store_query(
		store_read_db(read), "SELECT id, hex FROM repos WHERE id > ? ORDER BY id LIMIT 1");
	int row;

	store_bind_int(query, *id);
	row = store_step(query, err);
	if (row <= 0)
		return row;
	*id = store_int(query, 0);
	store_copy(query, 1, hex, HEX_ROOM);
	return 1;
}

/* Who asks, and about which repository. */
struct lent_question {
	const struct collect *collect;
	const char *hex;
};

static int is_lent(void *arg, struct err *err)
{
	const struct lent_question *question = arg;
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(question->collect->store, &read, err) < 0)
		return -1;
	return lend_is_lent(store_read_db(read), question->hex, err);
}

int collect_repositories(const struct collect *collect, int64_t *bytes, struct err *err)
{
	char hex[HEX_ROOM];
	int64_t id = 0;
	int row;

	*bytes = 0;
	while ((row = next_repository(collect, &id, hex, err)) > 0) {
		owned(free) char *path = datadir_path(collect->dir, "repos/%s.git", hex);
		struct lent_question question = {collect, hex};
		const struct tidy tidy = {
			.path = path,
			.is_lent = is_lent,
			.arg = &question,
			.keep_s = collect->keep_s > CUT_S ? collect->keep_s : CUT_S,
			.loose_many = TIDY_LOOSE_MANY,
			.packs_many = TIDY_PACKS_MANY,
		};
		struct err refused = ERR_INIT;
		int64_t freed = 0;

		if (tidy_repo(&tidy, &freed, &refused) < 0 && refused.kind != ERR_NO_REPO)
			log_warn("collect.repo", "repo=%s error=%s", hex, refused.text);
		*bytes += freed;
	}
	return row;
}
