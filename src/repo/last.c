#include "repo/last.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "repo/inner.h"

/* What one step costs beside the entries that are looked at, in entries: see struct last_query. */
enum { COMMIT_WORK = 200, FOLDER_WORK = 20, STOPS_WORK = 16 };

/* A path whose commit is sought. All along its way its entry is the same. */
struct leaf {
	struct last_path *path;
	const char *name; /* behind the last slash */
	git_oid id;
	git_filemode_t mode;
	struct stop *stop; /* the commit where it is, NULL when it has been found */
};

struct folder {
	char *path; /* "" is the root */
	size_t first;
	size_t end; /* its leaves are those from `first` on */
};

/* A commit to be looked at. */
struct stop {
	git_oid id;
	git_time_t time;
	size_t leaves;    /* how many are here */
	git_oid root;     /* its tree */
	git_oid *folders; /* the tree of each folder; zero where there is none */
	git_commit *commit;
};

struct walk {
	struct git *git;
	struct leaf *leaves; /* by folder */
	size_t leaf_count;
	struct folder *folders;
	size_t folder_count;
	struct stop **stops; /* those with leaves, in no order: there are few */
	size_t stop_count;
	size_t stop_room;
	int64_t work;
	int64_t work_max;
};

static void stop_free(struct stop *stop)
{
	if (!stop)
		return;
	git_commit_free(stop->commit);
	free(stop->folders);
	free(stop);
}

DEFINE_OWNED(struct stop *, stop_free);

static void walk_done(struct walk *walk)
{
	for (size_t i = 0; i < walk->stop_count; i++)
		stop_free(walk->stops[i]);
	for (size_t i = 0; i < walk->folder_count; i++)
		free(walk->folders[i].path);
	free(walk->stops);
	free(walk->folders);
	free(walk->leaves);
}

static inline void own_walk_done(struct walk *held)
{
	walk_done(held);
}

/* Stops */

static int read_tree(struct walk *walk, const git_oid *id, git_tree **out, struct err *err)
{
	if (git_tree_lookup(out, walk->git->repo, id) < 0)
		return inner_fail(err, "read a tree");
	walk->work += (int64_t)git_tree_entrycount(*out);
	return 0;
}

/* The trees of all folders in a commit. */
static int read_folders(struct walk *walk, struct stop *stop, struct err *err)
{
	owned(git_tree_free) git_tree *root = NULL;

	if (read_tree(walk, &stop->root, &root, err) < 0)
		return -1;
	for (size_t i = 0; i < walk->folder_count; i++) {
		owned(git_tree_entry_free) git_tree_entry *entry = NULL;
		const char *path = walk->folders[i].path;

		if (*path == '\0') {
			stop->folders[i] = stop->root;
			continue;
		}
		int rc = git_tree_entry_bypath(&entry, root, path);
		if (rc < 0 && rc != GIT_ENOTFOUND)
			return inner_fail(err, "read a tree");
		if (rc == 0 && git_tree_entry_type(entry) == GIT_OBJECT_TREE)
			stop->folders[i] = *git_tree_entry_id(entry);
	}
	walk->work += FOLDER_WORK * (int64_t)walk->folder_count;
	return 0;
}

/* `child` NULL: the first one. Its folders are those of the parent too where the roots are equal.
 */
static int stop_new(struct walk *walk, const git_oid *id, const struct stop *child,
		    struct stop **out, struct err *err)
{
	owned(stop_free) struct stop *stop = mem_new(struct stop);
	size_t bytes = walk->folder_count * sizeof(git_oid);

	stop->id = *id;
	stop->folders = mem_array(walk->folder_count + 1, sizeof(git_oid));
	if (git_commit_lookup(&stop->commit, walk->git->repo, id) < 0)
		return inner_fail(err, "read a commit");
	stop->time = git_commit_time(stop->commit);
	stop->root = *git_commit_tree_id(stop->commit);
	walk->work += COMMIT_WORK;
	if (child && git_oid_equal(&child->root, &stop->root))
		memcpy(stop->folders, child->folders, bytes);
	else if (read_folders(walk, stop, err) < 0)
		return -1;
	*out = take(stop);
	return 0;
}

static void stop_add(struct walk *walk, struct stop *stop)
{
	if (walk->stop_count == walk->stop_room) {
		walk->stop_room = walk->stop_room * 2 + 16;
		walk->stops = mem_grow(walk->stops, walk->stop_room, sizeof(struct stop *));
	}
	walk->stops[walk->stop_count++] = stop;
}

/* The newest one is taken out: so those that meet below wait there for each other. */
static struct stop *stop_next(struct walk *walk)
{
	size_t newest = 0;

	if (walk->stop_count == 0)
		return NULL;
	for (size_t i = 1; i < walk->stop_count; i++)
		if (walk->stops[i]->time > walk->stops[newest]->time)
			newest = i;
	struct stop *stop = walk->stops[newest];
	walk->stops[newest] = walk->stops[--walk->stop_count];
	return stop;
}

/* Borrowed. A stop that is new has no leaves yet. */
static int stop_of(struct walk *walk, const git_oid *id, const struct stop *child,
		   struct stop **out, struct err *err)
{
	struct stop *stop = NULL;

	/* There are few, unless somebody has pushed a merge of thousands to keep us busy. */
	walk->work += (int64_t)(walk->stop_count / STOPS_WORK);
	for (size_t i = 0; i < walk->stop_count; i++) {
		*out = walk->stops[i];
		if (git_oid_equal(&(*out)->id, id))
			return 0;
	}
	if (stop_new(walk, id, child, &stop, err) < 0)
		return -1;
	assert(stop);
	stop_add(walk, stop);
	*out = stop;
	return 0;
}

/* Steps */

static void move_leaf(struct leaf *leaf, struct stop *from, struct stop *to)
{
	leaf->stop = to;
	from->leaves--;
	to->leaves++;
}

/* Leaves of a folder that are the same in the parent go there. */
static int move_folder(struct walk *walk, size_t folder, struct stop *from, struct stop *to,
		       struct err *err)
{
	owned(git_tree_free) git_tree *tree = NULL;
	bool same = git_oid_equal(&from->folders[folder], &to->folders[folder]);

	for (size_t i = walk->folders[folder].first; i < walk->folders[folder].end; i++) {
		struct leaf *leaf = &walk->leaves[i];

		if (leaf->stop != from)
			continue;
		if (!same && !tree && git_oid_is_zero(&to->folders[folder]))
			return 0;
		if (!same && !tree && read_tree(walk, &to->folders[folder], &tree, err) < 0)
			return -1;
		const git_tree_entry *entry = same ? NULL : git_tree_entry_byname(tree, leaf->name);
		if (same || (entry && git_oid_equal(git_tree_entry_id(entry), &leaf->id) &&
			     git_tree_entry_filemode_raw(entry) == leaf->mode))
			move_leaf(leaf, from, to);
	}
	return 0;
}

/* What no parent has as it is was changed here. */
static void settle(struct walk *walk, const struct stop *stop)
{
	for (size_t i = 0; stop->leaves > 0 && i < walk->leaf_count; i++) {
		struct leaf *leaf = &walk->leaves[i];

		if (leaf->stop != stop)
			continue;
		git_oid_tostr(leaf->path->commit, GIT_HEX, &stop->id);
		leaf->stop = NULL;
	}
}

static int step(struct walk *walk, struct stop *stop, struct err *err)
{
	unsigned parents = git_commit_parentcount(stop->commit);

	for (unsigned p = 0; p < parents && stop->leaves > 0; p++) {
		struct stop *parent;

		if (walk->work >= walk->work_max)
			return 0; /* what was not compared to all parents is not settled */
		if (stop_of(walk, git_commit_parent_id(stop->commit, p), stop, &parent, err) < 0)
			return -1;
		for (size_t i = 0; i < walk->folder_count; i++)
			if (move_folder(walk, i, stop, parent, err) < 0)
				return -1;
	}
	settle(walk, stop);
	return 0;
}

static int go(struct walk *walk, struct err *err)
{
	while (walk->work < walk->work_max) {
		owned(stop_free) struct stop *stop = stop_next(walk);

		if (!stop)
			return 0;
		if (stop->leaves > 0 && step(walk, stop, err) < 0)
			return -1;
	}
	return 0;
}

/* The beginning */

static size_t folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* By folder. */
static int by_folder(const void *a, const void *b)
{
	const char *left = ((const struct leaf *)a)->path->path;
	const char *right = ((const struct leaf *)b)->path->path;
	size_t left_length = folder_length(left), right_length = folder_length(right);

	if (left_length != right_length)
		return left_length < right_length ? -1 : 1;
	return memcmp(left, right, left_length);
}

static void collect_folders(struct walk *walk)
{
	walk->folders = mem_array(walk->leaf_count, sizeof(*walk->folders));
	for (size_t i = 0; i < walk->leaf_count; i++) {
		struct leaf *leaf = &walk->leaves[i];
		const char *path = leaf->path->path;
		size_t length = folder_length(path);

		if (i == 0 || by_folder(&walk->leaves[i - 1], leaf) != 0)
			walk->folders[walk->folder_count++] = (struct folder){
				.path = mem_text_n(path, length),
				.first = i,
			};
		leaf->name = path + length + (length > 0);
		walk->folders[walk->folder_count - 1].end = i + 1;
	}
}

/* Put the leaves of a folder that are there to the first stop. */
static int begin_folder(struct walk *walk, size_t folder, struct stop *stop, struct err *err)
{
	owned(git_tree_free) git_tree *tree = NULL;

	if (git_oid_is_zero(&stop->folders[folder]))
		return 0;
	if (read_tree(walk, &stop->folders[folder], &tree, err) < 0)
		return -1;
	for (size_t i = walk->folders[folder].first; i < walk->folders[folder].end; i++) {
		struct leaf *leaf = &walk->leaves[i];
		const git_tree_entry *entry = git_tree_entry_byname(tree, leaf->name);

		if (!entry)
			continue;
		leaf->id = *git_tree_entry_id(entry);
		leaf->mode = git_tree_entry_filemode_raw(entry);
		leaf->stop = stop;
		stop->leaves++;
	}
	return 0;
}

static int begin(struct walk *walk, const git_oid *commit, struct err *err)
{
	struct stop *stop;

	if (stop_of(walk, commit, NULL, &stop, err) < 0)
		return -1;
	for (size_t i = 0; i < walk->folder_count; i++)
		if (begin_folder(walk, i, stop, err) < 0)
			return -1;
	return 0;
}

int last_find(struct git *git, const char *commit, const struct last_query *query, struct err *err)
{
	owned(git_commit_free) git_commit *head = NULL;
	owned(walk_done) struct walk walk = {
		.git = git,
		.leaf_count = query->count,
		.work_max = query->work_max,
	};

	if (inner_commit(git, commit, &head, err) < 0)
		return -1;
	if (query->count == 0)
		return 0;
	walk.leaves = mem_array(query->count, sizeof(*walk.leaves));
	for (size_t i = 0; i < query->count; i++) {
		walk.leaves[i].path = &query->paths[i];
		query->paths[i].commit[0] = '\0';
	}
	qsort(walk.leaves, query->count, sizeof(*walk.leaves), by_folder);
	collect_folders(&walk);
	if (begin(&walk, git_commit_id(head), err) < 0)
		return -1;
	return go(&walk, err);
}
