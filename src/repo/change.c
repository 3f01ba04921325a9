#include "repo/change.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/str.h"
#include "repo/edit.h"
#include "repo/inner.h"
#include "repo/land.h"
#include "repo/quarantine.h"
#include "repo/ref.h"
#include "repo/words.h"

/* Files up to this size wait in memory, larger ones in the quarantine: git wants the size first. */
enum { IN_MEMORY_MAX_BYTES = 1 << 20 };

/* How many commits behind the head may be the one that is sent again. */
enum { REPLAY_DEPTH = 16 };

/* From where on contents are made durable before the turn: see sync_early(). */
enum { EARLY_BYTES = 256 << 10, EARLY_COUNT = 16 };

/* How often a race against a push by git may be lost. Our own commits take turns. */
enum { RACES_MAX = 8 };

enum { COPY_BYTES = 64 << 10 };

enum operation_type { PUT, REMOVE_FILE, REMOVE_FOLDER };

struct operation {
	enum operation_type type;
	git_oid blob;
	char *path;
};

/* A file whose bytes arrive. */
struct incoming {
	bool is_open;
	uint64_t size;
	struct str memory;
	int fd; /* once there is too much for memory, else -1 */
};

struct change {
	struct git *git;
	char *branch; /* its full name */
	struct quarantine *quarantine;
	uint64_t file_max_bytes;
	uint64_t bytes; /* of all files so far */
	struct operation *operations;
	size_t count;
	size_t room;
	struct incoming file;
	bool expects;
	git_oid expected;
};

static int begin(struct git *git, const char *branch, struct change **out, struct err *err)
{
	owned(change_end) struct change *change = mem_new(struct change);

	change->git = git;
	change->branch = inner_branch(branch);
	change->file_max_bytes = CHANGE_FILE_MAX_BYTES;
	change->file.memory = str_new(IN_MEMORY_MAX_BYTES);
	change->file.fd = -1;
	if (quarantine_new(git, &change->quarantine, err) < 0)
		return -1;
	*out = take(change);
	return 0;
}

/* The head of the branch. Errors: ERR_NO_REVISION. */
static int need_head(struct git *git, const char *branch, git_oid *out, struct err *err)
{
	int found = inner_head(git, branch, out, err);

	if (found == 0)
		return err_set(err, ERR_NO_REVISION, "no branch %.100s", branch);
	return found < 0 ? -1 : 0;
}

int change_begin(struct git *git, const char *branch, struct change **out, struct err *err)
{
	char commit[GIT_HEX];
	git_oid head;

	if (str_starts(branch, "refs/heads/"))
		branch += strlen("refs/heads/");
	if (need_head(git, branch, &head, err) == 0)
		return begin(git, branch, out, err);
	if (err->kind == ERR_NO_REVISION && *branch && git_resolve(git, branch, commit, err) == 0)
		return err_set(err, ERR_UNPROCESSED,
			       "%.100s is not a branch: commits can be added to branches only",
			       branch);
	return -1;
}

void change_end(struct change *change)
{
	if (!change)
		return;
	if (change->file.fd >= 0)
		close(change->file.fd);
	str_done(&change->file.memory);
	for (size_t i = 0; i < change->count; i++)
		free(change->operations[i].path);
	free(change->operations);
	quarantine_free(change->quarantine);
	free(change->branch);
	free(change);
}

void change_limit_file(struct change *change, uint64_t max_bytes)
{
	change->file_max_bytes = max_bytes;
}

size_t change_count(const struct change *change)
{
	return change->count;
}

/* The parent that is expected */

/* The first parent of a commit. 1 found, 0 the first commit has none, -1 failed. */
static int step_back(struct git *git, git_oid *id, struct err *err)
{
	owned(git_commit_free) git_commit *commit = NULL;

	if (git_commit_lookup(&commit, git->repo, id) < 0)
		return inner_fail(err, "read a commit");
	const git_oid *parent = git_commit_parent_id(commit, 0);
	if (!parent)
		return 0;
	git_oid_cpy(id, parent);
	return 1;
}

int change_expect(struct change *change, const char *parent, struct err *err)
{
	git_oid id, wanted;
	size_t length = strlen(parent);
	int more = 1;

	if (length < 5 || length >= GIT_HEX || strspn(parent, "0123456789abcdefABCDEF") != length ||
	    git_oid_fromstrn(&wanted, parent, length) < 0)
		return err_set(err, ERR_INVALID, "the parent must be 5 to 40 hexadecimal digits");
	if (need_head(change->git, change->branch, &id, err) < 0)
		return -1;
	for (int i = 0; more == 1 && i <= REPLAY_DEPTH; i++) {
		if (git_oid_ncmp(&id, &wanted, length) == 0) {
			change->expects = true;
			change->expected = id;
			return 0;
		}
		more = step_back(change->git, &id, err);
	}
	if (more < 0)
		return -1;
	return err_set(err, ERR_STALE, "the branch is not at the stated parent any more");
}

/* Operations */

static int add_operation(struct change *change, enum operation_type type, const char *path,
			 const git_oid *blob, struct err *err)
{
	if (!name_path_is_valid(path))
		return err_set(err, ERR_UNPROCESSED, "a path is not acceptable in a repository");
	if (change->count == CHANGE_OPERATIONS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d operations in one commit",
			       CHANGE_OPERATIONS_MAX);
	if (change->count == change->room) {
		change->room = change->room ? change->room * 2 : 16;
		change->operations =
			mem_grow(change->operations, change->room, sizeof(*change->operations));
	}
	struct operation *operation = &change->operations[change->count++];
	*operation = (struct operation){.type = type, .path = mem_text(path)};
	if (blob)
		operation->blob = *blob;
	return 0;
}

int change_delete_file(struct change *change, const char *path, struct err *err)
{
	return add_operation(change, REMOVE_FILE, path, NULL, err);
}

int change_delete_folder(struct change *change, const char *path, struct err *err)
{
	size_t length = strlen(path);
	owned(free) char *name = mem_text_n(path, length);

	if (length > 0 && name[length - 1] == '/')
		name[length - 1] = '\0';
	return add_operation(change, REMOVE_FOLDER, name, NULL, err);
}

static void file_reset(struct incoming *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	file->size = 0;
	file->is_open = false;
	str_clear(&file->memory);
}

int change_file_open(struct change *change, struct err *err)
{
	if (change->count == CHANGE_OPERATIONS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d operations in one commit",
			       CHANGE_OPERATIONS_MAX);
	file_reset(&change->file);
	change->file.is_open = true;
	return 0;
}

/* The file outgrew memory: move it into a nameless file in the quarantine. */
static int file_spill(struct change *change, struct err *err)
{
	struct incoming *file = &change->file;

	file->fd = openat(quarantine_fd(change->quarantine), ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			  0600);
	if (file->fd < 0)
		return err_sys(err, "hold a file");
	return file_put(file->fd, file->memory.data, file->memory.length, err);
}

int change_file_data(struct change *change, const void *bytes, size_t length, struct err *err)
{
	struct incoming *file = &change->file;

	assert(file->is_open);
	if (length > change->file_max_bytes || file->size > change->file_max_bytes - length)
		return err_set(err, ERR_TOO_LARGE, "a file is larger than %llu bytes",
			       (unsigned long long)change->file_max_bytes);
	file->size += length;
	change->bytes += length;
	if (file->fd < 0 && file->size <= IN_MEMORY_MAX_BYTES) {
		str_add_n(&file->memory, bytes, length);
		return 0;
	}
	if (file->fd < 0 && file_spill(change, err) < 0)
		return -1;
	return file_put(file->fd, bytes, length, err);
}

static int copy_to_stream(int fd, uint64_t size, git_odb_stream *stream, struct err *err)
{
	owned(free) char *buffer = mem_alloc(COPY_BYTES);

	for (uint64_t at = 0; at < size;) {
		ssize_t got = pread(fd, buffer, COPY_BYTES, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_sys(err, "read a held file");
		if (git_odb_stream_write(stream, buffer, (size_t)got) < 0)
			return inner_fail(err, "write a file");
		at += (uint64_t)got;
	}
	return 0;
}

static int file_store(struct change *change, git_oid *out, struct err *err)
{
	const struct incoming *file = &change->file;
	owned(git_odb_stream_free) git_odb_stream *stream = NULL;
	git_odb *odb = quarantine_odb(change->quarantine);

	if (file->fd < 0) {
		if (git_odb_write(out, odb, file->memory.data, file->memory.length,
				  GIT_OBJECT_BLOB) < 0)
			return inner_fail(err, "write a file");
		return 0;
	}
	if (git_odb_open_wstream(&stream, odb, (git_object_size_t)file->size, GIT_OBJECT_BLOB) < 0)
		return inner_fail(err, "write a file");
	if (copy_to_stream(file->fd, file->size, stream, err) < 0)
		return -1;
	if (git_odb_stream_finalize_write(out, stream) < 0)
		return inner_fail(err, "write a file");
	return 0;
}

int change_file_close(struct change *change, const char *path, struct err *err)
{
	git_oid blob;

	assert(change->file.is_open);
	if (!name_path_is_valid(path))
		return err_set(err, ERR_UNPROCESSED, "a path is not acceptable in a repository");
	if (file_store(change, &blob, err) < 0)
		return -1;
	file_reset(&change->file);
	return add_operation(change, PUT, path, &blob, err);
}

/* The commit */

/* The tree that the operations make of the tree `root` (NULL: of nothing). */
static int apply(struct change *change, const git_oid *root, git_oid *out, struct err *err)
{
	owned(edit_free) struct edit *edit = NULL;

	if (edit_new(quarantine_odb(change->quarantine), root, &edit, err) < 0)
		return -1;
	for (size_t i = 0; i < change->count; i++) {
		const struct operation *operation = &change->operations[i];

		if ((operation->type == PUT
			     ? edit_put(edit, operation->path, &operation->blob, err)
			     : edit_remove(edit, operation->path, operation->type == REMOVE_FOLDER,
					   err)) < 0)
			return -1;
	}
	return edit_write(edit, out, err);
}

static int commit_tree(struct git *git, const git_oid *commit_id, git_oid *out, struct err *err)
{
	owned(git_commit_free) git_commit *commit = NULL;

	if (git_commit_lookup(&commit, git->repo, commit_id) < 0)
		return inner_fail(err, "read a commit");
	git_oid_cpy(out, git_commit_tree_id(commit));
	return 0;
}

/* Is it the tree that the operations do not fit on? */
static bool does_not_fit(const struct err *err)
{
	return err->kind == ERR_NO_ENTRY || err->kind == ERR_UNPROCESSED;
}

/* Was this commit made by the same change? 1 yes, 0 no, -1 failed. */
static int is_replay(struct change *change, const git_commit *commit, const struct words *words,
		     struct err *err)
{
	const git_signature *author = git_commit_author(commit);
	const git_oid *parent = git_commit_parent_id(commit, 0);
	owned(free) char *signature = mem_format("%s <%s>", author->name, author->email);
	git_oid old, made;

	if (!parent || (change->expects && !git_oid_equal(parent, &change->expected)) ||
	    strcmp(git_commit_message(commit), words->message.data) != 0 ||
	    strcmp(signature, words->signature.data) != 0)
		return 0;
	if (commit_tree(change->git, parent, &old, err) < 0)
		return -1;
	if (apply(change, &old, &made, err) < 0)
		return does_not_fit(err) ? 0 : -1;
	return git_oid_equal(&made, git_commit_tree_id(commit)) ? 1 : 0;
}

/* A newest commit that this same change has made. 1 found, 0 none, -1 failed. */
static int find_replay(struct change *change, git_oid id, const struct words *words, git_oid *out,
		       struct err *err)
{
	for (int i = 0; i < REPLAY_DEPTH; i++) {
		owned(git_commit_free) git_commit *commit = NULL;

		if (git_commit_lookup(&commit, change->git->repo, &id) < 0)
			return inner_fail(err, "read a commit");
		int found = is_replay(change, commit, words, err);
		if (found != 0) {
			*out = id;
			return found;
		}
		const git_oid *parent = git_commit_parent_id(commit, 0);
		if (!parent)
			return 0;
		git_oid_cpy(&id, parent);
	}
	return 0;
}

/* Where the branch ends up, or already is. */
struct result {
	git_oid commit;
	bool moved;
};

static int land(struct change *change, const git_oid *old, const git_oid *new, struct err *err)
{
	const struct land to = {.git = change->git, .name = change->branch, .old = old, .new = new};

	return land_ref(&to, change->quarantine, err);
}

/* One try on top of `head`. 1 done, 0 the branch was moved by git meanwhile, -1 failed. */
static int commit_on(struct change *change, const git_oid *head, const struct words *words,
		     struct result *out, struct err *err)
{
	git_oid old, tree;

	if (change->expects && !git_oid_equal(&change->expected, head))
		return err_set(err, ERR_STALE, "the branch is not at the stated parent any more");
	if (commit_tree(change->git, head, &old, err) < 0 || apply(change, &old, &tree, err) < 0)
		return -1;
	if (git_oid_equal(&old, &tree)) {
		*out = (struct result){.commit = *head};
		return 1;
	}
	out->moved = true;
	if (words_commit(words, quarantine_odb(change->quarantine), &tree, head, &out->commit,
			 err) < 0)
		return -1;
	return land(change, head, &out->commit, err);
}

/* In our turn: until it is done, fails, or proves to be done already. */
static int commit_in_turn(struct change *change, const struct words *words, struct result *out,
			  struct err *err)
{
	git_oid head;
	int done = 0;

	for (int i = 0; done == 0 && i < RACES_MAX; i++) {
		if (need_head(change->git, change->branch, &head, err) < 0)
			return -1;
		done = commit_on(change, &head, words, out, err);
	}
	if (done == 0)
		return err_set(err, ERR_BUSY, "the branch moves too fast, try again");
	if (done < 0 && (err->kind == ERR_STALE || does_not_fit(err))) {
		struct err first = *err;

		out->moved = false;
		done = find_replay(change, head, words, &out->commit, err);
		if (done == 0) {
			*err = first;
			return -1;
		}
	}
	return done < 0 ? -1 : 0;
}

/*
 * Much is made durable before others must wait for our turn. Little goes with the trees, which must
 * be in it: another wait for the disk would be all that it saves.
 */
static int sync_early(struct change *change, struct err *err)
{
	if (change->bytes <= EARLY_BYTES && change->count <= EARLY_COUNT)
		return 0;
	return quarantine_sync(change->quarantine, err);
}

int change_commit(struct change *change, const struct change_meta *meta,
		  char commit[static GIT_HEX], bool *moved, struct err *err)
{
	owned(words_done) struct words words = WORDS_INIT;
	owned(close) int turn = -1;
	struct result result = {0};

	if (words_make(meta, &words, err) < 0 || sync_early(change, err) < 0 ||
	    ref_turn(change->git, &turn, err) < 0 ||
	    commit_in_turn(change, &words, &result, err) < 0)
		return -1;
	git_oid_tostr(commit, GIT_HEX, &result.commit);
	*moved = result.moved;
	return 0;
}

/* The first commit */

static int seed_files(struct change *change, const struct change_seed *files, size_t count,
		      struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (change_file_open(change, err) < 0 ||
		    change_file_data(change, files[i].text, strlen(files[i].text), err) < 0 ||
		    change_file_close(change, files[i].path, err) < 0)
			return -1;
	}
	return 0;
}

static int seed_commit(struct change *change, const struct words *words, git_oid *out,
		       struct err *err)
{
	owned(close) int turn = -1;
	git_oid tree;

	if (ref_turn(change->git, &turn, err) < 0 || apply(change, NULL, &tree, err) < 0 ||
	    words_commit(words, quarantine_odb(change->quarantine), &tree, NULL, out, err) < 0)
		return -1;
	int moved = land(change, NULL, out, err);
	if (moved == 0)
		return err_set(err, ERR_EXISTS, "the repository has a first commit already");
	return moved < 0 ? -1 : 0;
}

int change_seed(struct git *git, const struct change_seed *files, size_t count,
		const struct change_meta *meta, char commit[static GIT_HEX], struct err *err)
{
	owned(words_done) struct words words = WORDS_INIT;
	owned(change_end) struct change *change = NULL;
	git_oid id;

	if (words_make(meta, &words, err) < 0 || begin(git, "main", &change, err) < 0 ||
	    seed_files(change, files, count, err) < 0 || seed_commit(change, &words, &id, err) < 0)
		return -1;
	git_oid_tostr(commit, GIT_HEX, &id);
	return 0;
}
