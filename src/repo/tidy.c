#include "repo/tidy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "repo/git.h"
#include "repo/gitrun.h"
#include "repo/ref.h"
#include "repo/usage.h"

enum { REFS_MANY = 100, REFS_DEPTH_MAX = 64 };

/* Files above this stay loose. In git's words, see rev-list's --filter. */
#define SMALL_FILTER "--filter=blob:limit=1m"

enum {
	PACK_LIMIT_MS = 60 * 60 * 1000,
	PRUNE_LIMIT_MS = 60 * 1000, /* commits to this repository wait meanwhile */
	OUTPUT_MAX = 256 << 20,     /* ids and paths of new objects */
	LOCK_TRIES = 20,
	LOCK_PAUSE_NS = 100 * 1000 * 1000,
};

/* One processor, little memory, and everything on the disk before anything is removed. */
static const char *const options[] = {"-c", "pack.threads=1", "-c", "pack.windowMemory=64m",
				      "-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync",
				      NULL};

struct work {
	const struct tidy *tidy;
	int fd; /* of the repository */
};

static int run_git(const struct work *work, const char *const *command, const char *input,
		   struct str *output, struct err *err)
{
	return gitrun(&(struct gitrun){.path = work->tidy->path,
				       .options = options,
				       .command = command,
				       .input = input,
				       .limit_ms = PACK_LIMIT_MS},
		      output, err);
}

/* --- how much there is --- */

static DIR *open_folder(int parent, const char *path)
{
	owned(close) int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		fd = -1; /* its now */
	return dir;
}

/* Entries of a folder whose names end so; 0 for a folder that is not there. */
static size_t count(int parent, const char *path, const char *ending)
{
	owned(closedir) DIR *dir = open_folder(parent, path);
	const struct dirent *entry;
	size_t found = 0;

	while (dir && (entry = readdir(dir)))
		found += entry->d_name[0] != '.' && str_ends(entry->d_name, ending);
	return found;
}

static size_t count_loose(const struct work *work)
{
	size_t found = 0;

	for (unsigned i = 0; i < 256; i++) {
		owned(free) char *fan = mem_format("objects/%02x", i);

		found += count(work->fd, fan, "");
	}
	return found;
}

static size_t count_refs(int parent, const char *path, unsigned depth)
{
	owned(closedir) DIR *dir = open_folder(parent, path);
	const struct dirent *entry;
	size_t found = 0;

	while (dir && depth < REFS_DEPTH_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		found += entry->d_type == DT_DIR ? count_refs(dirfd(dir), entry->d_name, depth + 1)
						 : 1;
	}
	return found;
}

/* --- packs --- */

/* Write a pack of what `input` lists, in the way that `how` says, durably. */
static int write_pack(const struct work *work, const char *how, const char *input, struct str *name,
		      struct err *err)
{
	owned(free) char *base = mem_format("%s/objects/pack/pack", work->tidy->path);
	/* What is borrowed stays borrowed: --local. */
	const char *const command[] = {"pack-objects", "-q", "--local", "--delta-base-offset", how,
				       base,           NULL};

	if (run_git(work, command, input, name, err) < 0)
		return err_in(err, "pack");
	return file_sync_dir(work->fd, "objects/pack", err);
}

static int pack_loose(const struct work *work, struct err *err)
{
	static const char *const list[] = {"rev-list",   "--objects",  "--all",
					   "--unpacked", SMALL_FILTER, NULL};
	static const char *const prune[] = {"prune-packed", "-q", NULL};
	owned(str_done) struct str objects = str_new(OUTPUT_MAX);
	owned(str_done) struct str output = str_new(OUTPUT_MAX);

	if (run_git(work, list, NULL, &objects, err) < 0)
		return err_in(err, "list new objects");
	/* Large files alone, or what no reference leads to. */
	if (objects.length == 0)
		return 0;
	if (write_pack(work, "--incremental", objects.data, &output, err) < 0)
		return -1;
	return run_git(work, prune, NULL, &output, err);
}

/* "pack-ID.pack": of the new one, which has all that was in the others? */
static bool is_new(const char *file, const struct str *name)
{
	size_t length = strcspn(name->data, "\n");

	return strncmp(file + strlen("pack-"), name->data, length) == 0;
}

/* The index first: git and libgit2 find a pack by it. Who has the pack open reads on. */
static int remove_packs(const struct work *work, const char *files, const struct str *name,
			struct err *err)
{
	static const char *const endings[] = {".idx", ".rev", ".bitmap", ".mtimes", ".pack"};

	while (*files) {
		size_t length = strcspn(files, "\n");

		for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
			owned(free) char *path =
				mem_format("objects/pack/%.*s%s", (int)(length - strlen(".pack")),
					   files, endings[i]);

			if (!is_new(files, name) && unlinkat(work->fd, path, 0) < 0 &&
			    errno != ENOENT)
				return err_sys(err, "remove an old pack");
		}
		files += length + (files[length] == '\n');
	}
	return 0;
}

/* All packs into one; they were written one after the other, so few objects are in two. */
static int join_packs(const struct work *work, struct err *err)
{
	owned(closedir) DIR *dir = open_folder(work->fd, "objects/pack");
	owned(str_done) struct str files = str_new(OUTPUT_MAX);
	owned(str_done) struct str name = str_new(OUTPUT_MAX);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		owned(free) char *keep = NULL;

		if (!str_starts(entry->d_name, "pack-") || !str_ends(entry->d_name, ".pack"))
			continue;
		keep = mem_format("objects/pack/%.*s.keep", (int)strlen(entry->d_name) - 5,
				  entry->d_name);
		if (!file_exists(work->fd, keep))
			str_addf(&files, "%s\n", entry->d_name);
	}
	if (str_check(&files, "the list of packs", err) < 0 ||
	    write_pack(work, "--stdin-packs", files.data, &name, err) < 0)
		return -1;
	return remove_packs(work, files.data, &name, err);
}

/* --- what nothing leads to --- */

/* Nobody uploads, and no reference moves, until both are closed. */
struct alone {
	int turn;
	int uploads;
};

static void alone_done(struct alone *alone)
{
	own_close(&alone->uploads);
	own_close(&alone->turn);
}

static void own_alone_done(struct alone *held)
{
	alone_done(held);
}

/*
 * 1 alone, 0 somebody uploads all the time, -1 failed. The turn first, and nothing is waited for
 * with it: whoever has the turn may be about to begin an upload, whoever uploads waits for it.
 */
static int be_alone(struct git *git, int objects, struct alone *out, struct err *err)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		owned(close) int turn = -1;

		if (ref_turn(git, &turn, err) < 0)
			return -1;
		if (flock(objects, LOCK_EX | LOCK_NB) == 0) {
			out->turn = take_fd(&turn);
			out->uploads = objects;
			return 1;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "lock the objects");
		close(take_fd(&turn));
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
	}
	return 0;
}

static int prune_alone(const struct work *work, const char *expire, struct str *output,
		       struct err *err)
{
	const char *const command[] = {"prune", expire, NULL};
	owned(git_close) struct git *git = NULL;
	owned(close) int objects =
		openat(work->fd, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	owned(alone_done) struct alone alone = {.turn = -1, .uploads = -1};

	if (objects < 0)
		return err_sys(err, "open the objects");
	if (git_open(work->tidy->path, &git, err) < 0)
		return -1;
	int is_alone = be_alone(git, objects, &alone, err);
	if (is_alone <= 0)
		return is_alone;
	take_fd(&objects); /* closed with `alone` */
	/* Only now: who is about to borrow holds the objects as an upload does. */
	int lent = work->tidy->is_lent ? work->tidy->is_lent(work->tidy->arg, err) : 0;
	if (lent != 0)
		return lent < 0 ? -1 : 0;
	/* git holds both, too: it may live longer than we, by a moment that matters. */
	const int held[] = {alone.turn, alone.uploads};
	return gitrun(&(struct gitrun){.path = work->tidy->path,
				       .options = options,
				       .command = command,
				       .held = held,
				       .held_count = 2,
				       .limit_ms = PRUNE_LIMIT_MS},
		      output, err);
}

static int prune(const struct work *work, struct err *err)
{
	owned(free) char *expire =
		mem_format("--expire=%lld.seconds.ago", (long long)work->tidy->keep_s);
	const char *const look[] = {"prune", "-n", expire, NULL};
	owned(str_done) struct str output = str_new(OUTPUT_MAX);

	/* The long walk first, without holding anybody up: most repositories have nothing. */
	if (run_git(work, look, NULL, &output, err) < 0)
		return err_in(err, "look for what nothing leads to");
	return output.length ? prune_alone(work, expire, &output, err) : 0;
}

static int pack_refs(const struct work *work, struct err *err)
{
	static const char *const command[] = {"pack-refs", "--all", NULL};
	owned(str_done) struct str output = str_new(OUTPUT_MAX);

	return run_git(work, command, NULL, &output, err);
}

static int do_all(const struct work *work, struct err *err)
{
	if (count_refs(work->fd, "refs", 0) >= REFS_MANY && pack_refs(work, err) < 0)
		return -1;
	if (count_loose(work) >= work->tidy->loose_many && pack_loose(work, err) < 0)
		return -1;
	if (count(work->fd, "objects/pack", ".pack") >= work->tidy->packs_many &&
	    join_packs(work, err) < 0)
		return -1;
	return prune(work, err);
}

int tidy_repo(const struct tidy *tidy, int64_t *freed, struct err *err)
{
	owned(close) int fd = open(tidy->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct work work = {.tidy = tidy, .fd = fd};
	int64_t before = 0;
	int64_t after = 0;

	if (fd < 0)
		return errno == ENOENT ? err_set(err, ERR_NO_REPO, "the repository is gone")
				       : err_sys(err, "open a repository");
	if (usage_of(tidy->path, &before, err) < 0 || do_all(&work, err) < 0 ||
	    usage_of(tidy->path, &after, err) < 0)
		return -1;
	*freed = before > after ? before - after : 0;
	return 0;
}
