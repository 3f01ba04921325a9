#include "daemon/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>

#include "base/datadir.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "daemon/exe.h"
#include "daemon/owner.h"
#include "runner/caches.h"
#include "space/collect.h"
#include "store/audit.h"

enum { DAY_S = 24 * 60 * 60, DETAIL_MAX = 1000 };

#define MB 1000000.0

/* --- the owner's part --- */

struct found {
	size_t count;
	int64_t bytes; /* that came free */
};

static int collect_layers_and_sweep(const struct collect *collect, struct found *out,
				    struct err *err)
{
	if (collect_layers(collect, &out->count, err) < 0)
		return -1;
	return collect_sweep(collect->dir, &out->bytes, err);
}

static int collect_old_logs(const struct collect *collect, struct found *out, struct err *err)
{
	return collect_logs(collect, &out->count, err);
}

static int collect_cut_calls(const struct collect *collect, struct found *out, struct err *err)
{
	size_t lenders = 0;

	if (collect_leftovers(collect, &out->count, err) < 0 ||
	    collect_lenders(collect, &lenders, err) < 0)
		return -1;
	out->count += lenders;
	return 0;
}

static int collect_objects(const struct collect *collect, struct found *out, struct err *err)
{
	return collect_repositories(collect, &out->bytes, err);
}

static const struct part {
	const char *name;
	const char *verb; /* NULL: only bytes are counted */
	int (*collect)(const struct collect *collect, struct found *out, struct err *err);
} parts[] = {
	{"layers", "put aside", collect_layers_and_sweep},
	{"logs", "removed", collect_old_logs},
	{"leftovers of repositories", "removed", collect_cut_calls},
	{"objects of repositories", NULL, collect_objects},
};

static int lock_out_others(const struct datadir *dir, int *out, struct err *err)
{
	owned(close) int fd = openat(dir->fd, "repos", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open the repositories");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_BUSY, "another gc runs on %s", dir->path);
	*out = take_fd(&fd);
	return 0;
}

/* What one part has done, for the row of the audit. */
static void note(const struct part *part, const struct found *found, struct str *detail)
{
	if (found->count == 0 && found->bytes == 0)
		return;
	str_add(detail, detail->length ? ", " : "");
	if (part->verb)
		str_addf(detail, "%zu ", found->count);
	str_add(detail, part->name);
	if (found->bytes)
		str_addf(detail, " (%.1f MB)", (double)found->bytes / MB);
}

static void tell(const struct part *part, const struct found *found)
{
	if (part->verb)
		printf("%zu %s %s\n", found->count, part->name, part->verb);
	printf("%s: %.1f MB came free\n", part->name, (double)found->bytes / MB);
	log_info("gc.part", "part=\"%s\" count=%zu freed=%lld", part->name, found->count,
		 (long long)found->bytes);
}

/* One part that fails keeps no other from its turn; the last error is told. */
static int collect_parts(const struct collect *collect, struct str *detail, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct found found = {0};

		if (parts[i].collect(collect, &found, err) < 0)
			result = err_in(err, "%s", parts[i].name);
		else
			tell(&parts[i], &found);
		note(&parts[i], &found, detail);
	}
	fflush(stdout);
	return result;
}

/* Nobody's wish, whoever has called us: what goes is what nothing needs. */
static int write_audit(struct store *store, const char *detail, struct err *err)
{
	const struct audit_who who = {.actor = "the hub", .address = "local", .via = "espaced gc"};
	const struct audit_entry entry = {
		.who = &who, .action = "gc.collect", .target = "the hub", .detail = detail};
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (store_tx_begin(store, &tx, err) < 0 || audit_add(store_tx_db(tx), &entry, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

static int as_owner(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(store_close) struct store *store = NULL;
	owned(free) char *path = NULL;
	owned(close) int locked = -1;
	owned(str_done) struct str detail = str_new(DETAIL_MAX);
	struct err unwritten = ERR_INIT;
	int result;

	if (datadir_open(options->data, &dir, err) < 0 || lock_out_others(&dir, &locked, err) < 0)
		return -1;
	path = datadir_path(&dir, "espace.db");
	if (store_open(path, &store, err) < 0)
		return -1;
	result = collect_parts(&(struct collect){.store = store,
						 .dir = &dir,
						 .keep_s = options->settings.gc_keep_days * DAY_S},
			       &detail, err);
	if (detail.length == 0 || write_audit(store, detail.data, &unwritten) == 0)
		return result;
	*err = unwritten;
	return -1;
}

/* --- root's part --- */

/* In the child: it ends with us, and what it holds for git does not outlive it. */
static int become_owner(void *arg, struct err *err)
{
	const struct options *options = arg;

	if (owner_become(options->data, err) < 0)
		return -1;
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? err_sys(err, "bind the child to us") : 0;
}

/* The same word as the owner. It tells its errors itself. */
static int run_as_owner(const struct options *options, struct err *err)
{
	owned(free) char *self = NULL;
	owned(free) const char **argv = NULL;
	owned(proc_done) struct proc proc = PROC_INIT;
	const int fds[] = {-1, STDOUT_FILENO, STDERR_FILENO};
	size_t count = 0;
	int status;

	if (exe_self(&self, err) < 0)
		return -1;
	while (options->words_before[count])
		count++;
	argv = mem_array(count + 3, sizeof(*argv));
	argv[0] = self;
	for (size_t i = 0; i < count; i++)
		argv[1 + i] = options->words_before[i];
	argv[1 + count] = "gc";
	if (proc_start(&(struct proc_spec){.argv = argv,
					   .fds = fds,
					   .fd_count = 3,
					   .prepare = become_owner,
					   .prepare_arg = (void *)options},
		       &proc, err) < 0 ||
	    proc_wait(&proc, &status, err) < 0)
		return -1;
	return status ? err_set(err, ERR_SYSTEM, "not all could be collected") : 0;
}

static int as_root(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	int64_t limit = options->settings.gc_cache_gib << 30;
	int64_t layers = 0;
	int64_t caches = 0;
	int result;

	if (datadir_open(options->data, &dir, err) < 0)
		return -1;
	result = run_as_owner(options, err);
	if (collect_sweep(&dir, &layers, err) < 0 ||
	    (limit && caches_trim(&dir, limit, &caches, err) < 0))
		return -1;
	printf("layers of containers: %.1f MB came free\ncaches of builds: %.1f MB came free\n",
	       (double)layers / MB, (double)caches / MB);
	log_info("gc.done", "layers=%lld caches=%lld", (long long)layers, (long long)caches);
	return result;
}

int gc_word(const struct options *options, struct err *err)
{
	return geteuid() == 0 ? as_root(options, err) : as_owner(options, err);
}
