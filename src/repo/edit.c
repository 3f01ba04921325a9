#include "repo/edit.h"

#include <search.h>
#include <string.h>

#include "base/mem.h"
#include "base/name.h"
#include "base/str.h"

/* Modes that git writes into trees. */
enum {
	MODE_TREE = 0040000,
	MODE_FILE = 0100644,
	MODE_PROGRAM = 0100755,
};

/* The largest tree object that is written. A folder of a million files needs less. */
enum { TREE_MAX_BYTES = 256 << 20 };

struct node {
	const char *name;
	unsigned mode;
	git_oid id;
	struct folder *folder; /* of a tree that was read; then `id` is that of its old state */
	char text[];
};

/* Balanced by tsearch(3): a folder of 100,000 files takes 100,000 more without a long copy for
 * each. */
struct folder {
	void *nodes;
	size_t count;
	bool changed;
};

struct edit {
	git_odb *odb;
	struct folder *root;
	git_oid root_id; /* of the unchanged root */
};

static void folder_free(struct folder *folder);

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static void node_free(void *held)
{
	struct node *node = held;

	if (!node)
		return;
	folder_free(node->folder);
	free(node);
}

static void folder_free(struct folder *folder)
{
	if (!folder)
		return;
	tdestroy(folder->nodes, node_free);
	free(folder);
}

static struct node *folder_find(const struct folder *folder, const char *name)
{
	struct node probe = {.name = name};
	void *const *found = tfind(&probe, &folder->nodes, by_name);

	return found ? *found : NULL;
}

/* A node of that name, which is not there yet. */
static struct node *folder_add(struct folder *folder, const char *name)
{
	size_t length = strlen(name);
	struct node *node = mem_alloc(sizeof(*node) + length + 1);

	memcpy(node->text, name, length + 1);
	node->name = node->text;
	if (!tsearch(node, &folder->nodes, by_name))
		abort(); /* out of memory, as in base/mem.h */
	folder->count++;
	return node;
}

static void folder_drop(struct folder *folder, struct node *node)
{
	tdelete(node, &folder->nodes, by_name);
	folder->count--;
	folder->changed = true;
	node_free(node);
}

/* One entry of a tree object: "MODE NAME\0" and the id's bytes. Returns what is behind it, or NULL.
 */
static const char *parse_entry(struct folder *folder, const char *at, const char *end)
{
	unsigned mode = 0;
	const char *nul = memchr(at, '\0', (size_t)(end - at));

	if (!nul || end - nul <= GIT_OID_RAWSZ)
		return NULL;
	for (; *at >= '0' && *at <= '7'; at++)
		mode = mode << 3 | (unsigned)(*at - '0');
	if (*at != ' ' || at + 1 == nul || folder_find(folder, at + 1))
		return NULL;
	struct node *node = folder_add(folder, at + 1);
	node->mode = mode;
	git_oid_fromraw(&node->id, (const unsigned char *)nul + 1);
	return nul + 1 + GIT_OID_RAWSZ;
}

static int folder_read(git_odb *odb, const git_oid *id, struct folder **out, struct err *err)
{
	owned(git_odb_object_free) git_odb_object *object = NULL;
	struct folder *folder;

	if (git_odb_read(&object, odb, id) < 0)
		return inner_fail(err, "read a tree");
	const char *at = git_odb_object_data(object);
	const char *end = at + git_odb_object_size(object);

	if (git_odb_object_type(object) != GIT_OBJECT_TREE)
		return err_set(err, ERR_SYSTEM, "a folder is no tree");
	folder = mem_new(struct folder);
	while (at && at < end)
		at = parse_entry(folder, at, end);
	if (!at) {
		folder_free(folder);
		return err_set(err, ERR_SYSTEM, "a tree is damaged");
	}
	*out = folder;
	return 0;
}

int edit_new(git_odb *odb, const git_oid *root, struct edit **out, struct err *err)
{
	owned(edit_free) struct edit *edit = mem_new(struct edit);

	edit->odb = odb;
	if (root) {
		edit->root_id = *root;
		if (folder_read(odb, root, &edit->root, err) < 0)
			return -1;
	} else {
		edit->root = mem_new(struct folder);
		edit->root->changed = true;
	}
	*out = take(edit);
	return 0;
}

void edit_free(struct edit *edit)
{
	if (!edit)
		return;
	folder_free(edit->root);
	free(edit);
}

/* Cut the first component off. Returns the rest, NULL behind the last one. */
static char *split(char *path)
{
	char *slash = strchr(path, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

/* The folder below a node, read where that has not happened. */
static int enter(struct edit *edit, struct node *node, struct err *err)
{
	return node->folder ? 0 : folder_read(edit->odb, &node->id, &node->folder, err);
}

static int put_blob(struct folder *folder, const char *name, const git_oid *blob, struct err *err)
{
	struct node *node = folder_find(folder, name);
	unsigned mode = node && node->mode == MODE_PROGRAM ? MODE_PROGRAM : MODE_FILE;

	if (node && node->mode == MODE_TREE)
		return err_set(err, ERR_UNPROCESSED,
			       "a folder has this name, delete it first to put a file here");
	if (node && node->mode == mode && git_oid_equal(&node->id, blob))
		return 0;
	if (!node)
		node = folder_add(folder, name);
	node->mode = mode;
	node->id = *blob;
	folder->changed = true;
	return 0;
}

/* `path` is cut into components on the way. */
static int put_in(struct edit *edit, struct folder *folder, char *path, const git_oid *blob,
		  struct err *err)
{
	char *rest = split(path);
	struct node *node;

	if (!rest)
		return put_blob(folder, path, blob, err);
	node = folder_find(folder, path);
	if (node && node->mode != MODE_TREE)
		return err_set(err, ERR_UNPROCESSED,
			       "%s is a file, delete it first to put files below it", path);
	if (!node) {
		node = folder_add(folder, path);
		node->mode = MODE_TREE;
		node->folder = mem_new(struct folder);
	}
	if (enter(edit, node, err) < 0 || put_in(edit, node->folder, rest, blob, err) < 0)
		return -1;
	folder->changed |= node->folder->changed;
	return 0;
}

int edit_put(struct edit *edit, const char *path, const git_oid *blob, struct err *err)
{
	owned(free) char *copy = mem_text(path);

	if (put_in(edit, edit->root, copy, blob, err) < 0)
		return err_in(err, "%.200s", path);
	return 0;
}

static int no_entry(struct err *err)
{
	/* Clients look for these words (Wire: B2). */
	return err_set(err, ERR_NO_ENTRY, "A file with this name doesn't exist");
}

static int remove_in(struct edit *edit, struct folder *folder, char *path, bool must_be_folder,
		     struct err *err)
{
	char *rest = split(path);
	struct node *node = folder_find(folder, path);

	if (!node || ((rest || must_be_folder) && node->mode != MODE_TREE))
		return no_entry(err);
	if (!rest) {
		folder_drop(folder, node);
		return 0;
	}
	if (enter(edit, node, err) < 0 ||
	    remove_in(edit, node->folder, rest, must_be_folder, err) < 0)
		return -1;
	folder->changed = true;
	if (node->folder->count == 0)
		folder_drop(folder, node);
	return 0;
}

int edit_remove(struct edit *edit, const char *path, bool must_be_folder, struct err *err)
{
	owned(free) char *copy = mem_text(path);

	if (remove_in(edit, edit->root, copy, must_be_folder, err) < 0)
		return err_in(err, "%.200s", path);
	return 0;
}

/* Nodes in the order of a walk. */
struct list {
	struct node **nodes;
	size_t count;
};

static void collect(const void *at, VISIT visit, void *arg)
{
	struct list *list = arg;

	if (visit == postorder || visit == leaf)
		list->nodes[list->count++] = *(struct node *const *)at;
}

/* git compares as if a folder's name ended in a slash. */
static int by_git_order(const void *a, const void *b)
{
	const struct node *left = *(struct node *const *)a, *right = *(struct node *const *)b;
	size_t left_length = strlen(left->name), right_length = strlen(right->name);
	size_t common = left_length < right_length ? left_length : right_length;
	int order = memcmp(left->name, right->name, common);

	if (order != 0)
		return order;
	unsigned char l = (unsigned char)left->name[common];
	unsigned char r = (unsigned char)right->name[common];
	if (l == '\0' && left->mode == MODE_TREE)
		l = '/';
	if (r == '\0' && right->mode == MODE_TREE)
		r = '/';
	return l < r ? -1 : l > r;
}

static int folder_write(struct edit *edit, struct folder *folder, git_oid *out, struct err *err);

static int write_nodes(struct edit *edit, const struct list *list, struct str *tree,
		       struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct node *node = list->nodes[i];

		if (node->folder && node->folder->changed &&
		    folder_write(edit, node->folder, &node->id, err) < 0)
			return -1;
		str_addf(tree, "%o %s", node->mode, node->name);
		str_add_char(tree, '\0');
		str_add_n(tree, node->id.id, GIT_OID_RAWSZ);
	}
	return str_check(tree, "a folder", err);
}

static int folder_write(struct edit *edit, struct folder *folder, git_oid *out, struct err *err)
{
	owned(str_done) struct str tree = str_new(TREE_MAX_BYTES);
	owned(free) struct node **nodes = mem_array(folder->count, sizeof(struct node *));
	struct list list = {.nodes = nodes};

	twalk_r(folder->nodes, collect, &list);
	if (list.count > 1)
		qsort(nodes, list.count, sizeof(struct node *), by_git_order);
	if (write_nodes(edit, &list, &tree, err) < 0)
		return -1;
	if (git_odb_write(out, edit->odb, tree.data, tree.length, GIT_OBJECT_TREE) < 0)
		return inner_fail(err, "write a tree");
	folder->changed = false;
	return 0;
}

int edit_write(struct edit *edit, git_oid *out, struct err *err)
{
	if (edit->root->changed && folder_write(edit, edit->root, &edit->root_id, err) < 0)
		return -1;
	*out = edit->root_id;
	return 0;
}
