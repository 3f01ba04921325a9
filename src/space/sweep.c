#include "space/sweep.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "repo/git.h"
#include "repo/listing.h"
#include "repo/repo.h"
#include "space/digest.h"
#include "store/audit.h"

enum {
	PART = 1000,            /* rows that are read in one go */
	PACKED_MAX = 256 << 10, /* a longer packed-refs is left to libgit2 */
};

struct sweep {
	struct sweep_config config;
	pthread_t thread;
	atomic_bool stopping;
};

struct row {
	int64_t id;
	char hex[ID_HEX];
	bool listed;
	char head[GIT_HEX];
};

/* The next rows behind `after`; returns how many, or -1. */
static int read_rows(struct store *store, int64_t after, struct row *rows, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(store_query_end) struct store_query *query = NULL;
	int count = 0;
	int row;

	if (store_read_begin(store, &read, err) < 0)
		return -1;
	query = store_query(store_read_db(read),
			    "SELECT r.id, r.hex, l.repo_id IS NOT NULL, ifnull(l.head, '')"
			    " FROM repos r LEFT JOIN listings l ON l.repo_id = r.id"
			    " WHERE r.id > ? ORDER BY r.id LIMIT ?");
	store_bind_int(query, after);
	store_bind_int(query, PART);
	while ((row = store_step(query, err)) > 0) {
		struct row *out = &rows[count++];

		out->id = store_int(query, 0);
		store_copy(query, 1, out->hex, sizeof(out->hex));
		out->listed = store_int(query, 2) != 0;
		store_copy(query, 3, out->head, sizeof(out->head));
	}
	return row < 0 ? -1 : count;
}

/* Does this file say that main is at `head`? A line of packed-refs ends in the name. */
static bool file_says(const struct sweep_config *config, const char *path, const char *head)
{
	owned(str_done) struct str text = str_new(PACKED_MAX);
	owned(free) char *line = mem_format("%s refs/heads/main\n", head);
	struct err none;

	if (file_read(config->dir->fd, path, &text, &none) < 0)
		return false;
	if (text.length == GIT_HEX)
		return strncmp(text.data, head, GIT_HEX - 1) == 0;
	return strstr(text.data, line);
}

/* Nothing to do, as far as can be told without opening it. */
static bool is_current(const struct sweep_config *config, const struct row *row)
{
	owned(free) char *loose = mem_format("repos/%s.git/refs/heads/main", row->hex);
	owned(free) char *packed = mem_format("repos/%s.git/packed-refs", row->hex);

	if (!row->listed || !row->head[0])
		return false;
	if (file_exists(config->dir->fd, loose))
		return file_says(config, loose, row->head);
	return file_says(config, packed, row->head);
}

static int find_repo(const struct sweep_config *config, int64_t id, struct repo *out,
		     struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(config->store, &read, err) < 0)
		return -1;
	return repo_by_id(store_read_db(read), id, out, err);
}

/*
 * A push that was not told: the repository is newer than it says, and the audit misses a row. Who
 * it was is in the commit. One without a listing may only be older than listings are.
 */
static int write_push(struct store_db *db, const struct repo *repo, const char *head,
		      struct err *err)
{
	owned(free) char *target =
		mem_format("%s/%s", repo_type_plural(repo->type), repo->full_name);
	const struct audit_entry entry = {
		.action = "repo.commit", .target = target, .detail = head};

	if (repo_touch(db, repo->id, clock_wall_ms(), err) < 0)
		return -1;
	return audit_add(db, &entry, err);
}

/* In a transaction: the repository may be gone. As bring_up_to_date(). */
static int write_row(const struct sweep_config *config, struct git *git, const struct row *row,
		     struct listing *listing, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo repo;
	bool told = false;
	int found;

	if (store_tx_begin(config->store, &tx, err) < 0)
		return -1;
	found = repo_by_id(store_tx_db(tx), row->id, &repo, err);
	if (found <= 0)
		return found;
	if (digest_write(store_tx_db(tx), git, &repo, listing, &told, err) < 0 ||
	    (row->listed && write_push(store_tx_db(tx), &repo, listing->head, err) < 0) ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	if (told && config->wake)
		config->wake(config->arg, repo.id);
	log_info("sweep.written", "repo=%s head=%s", repo.full_name, listing->head);
	return 1;
}

/* 1 written, 0 nothing to do, -1 failed. */
static int bring_up_to_date(const struct sweep_config *config, const struct row *row,
			    struct err *err)
{
	owned(free) char *path = datadir_path(config->dir, "repos/%s.git", row->hex);
	owned(listing_done) struct listing listing = {0};
	owned(git_close) struct git *git = NULL;
	struct repo repo;
	int found = find_repo(config, row->id, &repo, err);

	if (found <= 0)
		return found;
	if (git_open(path, &git, err) < 0 || digest_head(git, &repo, &listing, err) < 0)
		return -1;
	if (row->listed && strcmp(listing.head, row->head) == 0)
		return 0;
	return write_row(config, git, row, &listing, err);
}

static int sweep(const struct sweep_config *config, const atomic_bool *stopping, int64_t *written,
		 struct err *err)
{
	owned(free) struct row *rows = mem_array(PART, sizeof(*rows));
	int64_t after = 0;
	int count;

	if (config->catalogue && catalogue_learn(config->catalogue, err) < 0)
		return -1;
	while ((count = read_rows(config->store, after, rows, err)) > 0) {
		for (int i = 0; i < count; i++) {
			struct err refused = ERR_INIT;
			int done = 0;

			if (atomic_load(stopping))
				return 0;
			if (!is_current(config, &rows[i]))
				done = bring_up_to_date(config, &rows[i], &refused);
			if (done < 0)
				log_warn("sweep.refused", "repo=%s error=%s", rows[i].hex,
					 refused.text);
			*written += done > 0;
		}
		after = rows[count - 1].id;
	}
	return count;
}

int sweep_all(const struct sweep_config *config, int64_t *written, struct err *err)
{
	const atomic_bool never = false;

	*written = 0;
	return sweep(config, &never, written, err);
}

static void *run(void *arg)
{
	struct sweep *self = arg;
	struct err err = ERR_INIT;
	int64_t began_ms = clock_mono_ms();
	int64_t written = 0;

	if (sweep(&self->config, &self->stopping, &written, &err) < 0)
		log_error("sweep.failed", "error=%s", err.text);
	else
		log_info("sweep.done", "written=%lld ms=%lld", (long long)written,
			 (long long)(clock_mono_ms() - began_ms));
	return NULL;
}

int sweep_start(const struct sweep_config *config, struct sweep **out, struct err *err)
{
	struct sweep *sweep = mem_new(struct sweep);

	sweep->config = *config;
	if (pthread_create(&sweep->thread, NULL, run, sweep) != 0) {
		free(sweep);
		return err_set(err, ERR_SYSTEM, "start a thread");
	}
	*out = sweep;
	return 0;
}

void sweep_stop(struct sweep *sweep)
{
	if (!sweep)
		return;
	atomic_store(&sweep->stopping, true);
	pthread_join(sweep->thread, NULL);
	free(sweep);
}
