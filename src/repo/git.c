#include "repo/git.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/name.h"
#include "repo/inner.h"
#include "repo/shelf.h"
#include "repo/sizes.h"

/* Shortest abbreviation of an id that clients send (Wire: B2 `parentCommit`). */
enum { ABBREVIATION_MIN = 5 };

/* Longest name of a revision that is looked up. */
enum { REVISION_MAX = 255 };

enum { NESTING_MAX = 256 };

/* What libgit2 keeps of objects that it has read, and the largest tree among them. */
enum { OBJECTS_MAX_BYTES = 8 << 20, TREE_MAX_BYTES = 256 << 10 };

static bool setup_done;

static void setup(void)
{
	static const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM,
				     GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL};

	if (git_libgit2_init() < 0)
		return;
	/* The machine's own git settings are none of ours. */
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "") < 0)
			return;
	}
	/* Repositories belong to the hub's user; the administration words may come from root. */
	if (git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) < 0)
		return;
	/* zlib's checksum finds a damaged file; a SHA-1 over each read would halve the speed. */
	if (git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0) < 0)
		return;
	/* Of libgit2's own: objects of open repositories. It would take 256 MiB, but no large tree.
	 */
	if (git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)OBJECTS_MAX_BYTES) < 0 ||
	    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE,
			     (size_t)TREE_MAX_BYTES) < 0)
		return;
	setup_done = true;
}

int inner_setup(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, setup);
	if (!setup_done)
		return inner_fail(err, "prepare libgit2");
	return 0;
}

/* libgit2 keeps the text of errno and not its number. */
static enum err_kind kind_of_text(const char *text)
{
	static const int numbers[] = {ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (str_ends(text, strerrordesc_np(numbers[i])))
			return err_kind_of(numbers[i]);
	return ERR_SYSTEM;
}

int inner_fail(struct err *err, const char *what)
{
	const git_error *last = git_error_last();

	if (last && last->klass == GIT_ERROR_NOMEMORY)
		abort();
	/* libgit2's text may name a path of the server, but behind it stands that of errno. */
	if (last && last->klass == GIT_ERROR_OS) {
		const char *reason = strrchr(last->message, ':');

		return err_set(err, kind_of_text(last->message), "%s%s", what,
			       reason ? reason : "");
	}
	return err_set(err, ERR_SYSTEM, "%s: git error of class %d", what, last ? last->klass : 0);
}

int git_init(const char *path, struct err *err)
{
	git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
	owned(git_repository_free) git_repository *repo = NULL;

	options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH |
			GIT_REPOSITORY_INIT_NO_REINIT;
	options.initial_head = "main";
	if (inner_setup(err) < 0)
		return -1;
	int rc = git_repository_init_ext(&repo, path, &options);
	if (rc == GIT_EEXISTS)
		return err_set(err, ERR_EXISTS, "the repository exists already");
	if (rc < 0)
		return inner_fail(err, "make a repository");
	owned(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		return err_sys(err, "sync a new repository");
	return 0;
}

int git_open(const char *path, struct git **out, struct err *err)
{
	owned(git_close) struct git *git = mem_new(struct git);

	if (inner_setup(err) < 0)
		return -1;
	int rc = git_repository_open_bare(&git->repo, path);
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NO_REPO, "no such repository");
	if (rc < 0 || git_repository_odb(&git->odb, git->repo) < 0)
		return inner_fail(err, "open a repository");
	git->path = mem_text(path);
	*out = take(git);
	return 0;
}

void inner_free(struct git *git)
{
	git_odb_free(git->odb);
	git_repository_free(git->repo);
	free(git->path);
	free(git);
}

void git_close(struct git *git)
{
	if (git && git->shelf)
		shelf_return(git);
	else if (git)
		inner_free(git);
}

/* Revisions */

/* The commit behind a full reference name. 1 found, 0 none, -1 failed. */
static int peel_reference(struct git *git, const char *name, git_oid *out, struct err *err)
{
	owned(git_reference_free) git_reference *reference = NULL;
	owned(git_object_free) git_object *commit = NULL;

	if (strlen(name) > REVISION_MAX)
		return 0; /* longer than a file's name: the lookup would fail, not find nothing */
	if (strstr(name, "//"))
		return 0; /* libgit2 would take it for one slash: a second name of a branch */
	int rc = git_reference_lookup(&reference, git->repo, name);
	if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC)
		return 0;
	if (rc < 0)
		return inner_fail(err, "read a branch");
	rc = git_reference_peel(&commit, reference, GIT_OBJECT_COMMIT);
	if (rc == GIT_ENOTFOUND || rc == GIT_EPEEL || rc == GIT_EINVALIDSPEC)
		return 0;
	if (rc < 0)
		return inner_fail(err, "read a branch");
	*out = *git_object_id(commit);
	return 1;
}

char *inner_branch(const char *branch)
{
	if (str_starts(branch, "refs/heads/") || str_starts(branch, "refs/pr/") ||
	    str_starts(branch, "refs/convert/"))
		return mem_text(branch);
	return mem_format("refs/heads/%s", strcmp(branch, "HEAD") == 0 ? "main" : branch);
}

int inner_head(struct git *git, const char *branch, git_oid *out, struct err *err)
{
	owned(free) char *name = inner_branch(branch);

	return peel_reference(git, name, out, err);
}

static bool is_hex(const char *text)
{
	size_t n = 0;

	while (isxdigit((unsigned char)text[n]))
		n++;
	return text[n] == '\0' && n >= ABBREVIATION_MIN && n < GIT_HEX;
}

/* By id, which may be abbreviated where that is unique. 1 found, 0 none, -1 failed. */
static int peel_id(struct git *git, const char *hex, git_oid *out, struct err *err)
{
	owned(git_object_free) git_object *object = NULL;
	owned(git_object_free) git_object *commit = NULL;
	git_oid id;

	if (!is_hex(hex) || git_oid_fromstrp(&id, hex) < 0)
		return 0;
	int rc = git_object_lookup_prefix(&object, git->repo, &id, strlen(hex), GIT_OBJECT_ANY);
	if (rc == GIT_ENOTFOUND || rc == GIT_EAMBIGUOUS)
		return 0;
	if (rc < 0)
		return inner_fail(err, "read a commit");
	rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
	if (rc < 0)
		return 0; /* a blob or tree is no revision */
	*out = *git_object_id(commit);
	return 1;
}

/* By a name, or a whole id. 1 found, 0 none, -1 failed. */
static int find_named(struct git *git, const char *rev, git_oid *out, struct err *err)
{
	static const char *const spaces[] = {"refs/heads/", "refs/tags/"};
	int found = 0;

	if (strlen(rev) > REVISION_MAX)
		return 0;
	if (strcmp(rev, "HEAD") == 0 || str_starts(rev, "refs/"))
		return peel_reference(git, rev, out, err);
	if (strlen(rev) == GIT_HEX - 1 && (found = peel_id(git, rev, out, err)) != 0)
		return found;
	for (size_t i = 0; found == 0 && i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		owned(free) char *name = mem_format("%s%s", spaces[i], rev);

		found = peel_reference(git, name, out, err);
	}
	return found;
}

/* By the longest name that is made of `rev` and the beginning of *path, which is cut off it. */
static int find_longest(struct git *git, const char *rev, const char **path, git_oid *out,
			struct err *err)
{
	owned(free) char *name = mem_format("%s/%s", rev, *path);
	size_t shortest = strlen(rev);
	int found = 0;

	for (char *end = name + strlen(name); found == 0 && end; end = strrchr(name, '/')) {
		size_t length = (size_t)(end - name);

		if (length <= shortest)
			break;
		*end = '\0';
		found = find_named(git, name, out, err);
		if (found == 1) {
			*path += length - shortest - 1;
			*path += **path == '/';
		}
	}
	return found;
}

int git_resolve_begin(struct git *git, const char *rev, const char **path,
		      char commit[static GIT_HEX], struct err *err)
{
	git_oid id;

	if (*rev == '\0')
		rev = "main";
	int found = find_named(git, rev, &id, err);
	if (found == 0 && **path != '\0')
		found = find_longest(git, rev, path, &id, err);
	if (found == 0)
		found = peel_id(git, rev, &id, err);
	if (found == 0)
		return err_set(err, ERR_NO_REVISION, "no revision %.200s", rev);
	if (found < 0)
		return -1;
	git_oid_tostr(commit, GIT_HEX, &id);
	return 0;
}

int git_resolve(struct git *git, const char *rev, char commit[static GIT_HEX], struct err *err)
{
	const char *nothing = "";

	return git_resolve_begin(git, rev, &nothing, commit, err);
}

int inner_commit(struct git *git, const char *hex, git_commit **out, struct err *err)
{
	git_oid id;

	if (!hex_is(hex, GIT_HEX - 1) || git_oid_fromstr(&id, hex) < 0)
		return err_set(err, ERR_NO_REVISION, "no such commit");
	int rc = git_commit_lookup(out, git->repo, &id);
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NO_REVISION, "no such commit");
	return rc < 0 ? inner_fail(err, "read a commit") : 0;
}

/* Files and folders */

static int no_entry(const char *path, struct err *err)
{
	return err_set(err, ERR_NO_ENTRY, "no file \"%.200s\" in this revision", path);
}

/* Submodules are no files and no folders of ours: clients know no third type (Wire: B7). */
static bool is_foreign(const git_tree_entry *entry)
{
	git_object_t type = git_tree_entry_type(entry);

	return type != GIT_OBJECT_BLOB && type != GIT_OBJECT_TREE;
}

static int find_size(struct git *git, const git_oid *id, size_t *out, struct err *err)
{
	git_object_t type;

	if (git->sizes && sizes_find(git->sizes, id, out))
		return 0;
	if (git_odb_read_header(out, &type, git->odb, id) < 0)
		return inner_fail(err, "read the size of a file");
	if (git->sizes)
		sizes_keep(git->sizes, id, *out);
	return 0;
}

/* All of an entry but its path. */
static int entry_fill(struct git *git, const git_tree_entry *entry, struct git_entry *out,
		      struct err *err)
{
	const git_oid *id = git_tree_entry_id(entry);
	size_t size = 0;

	out->is_dir = git_tree_entry_type(entry) == GIT_OBJECT_TREE;
	git_oid_tostr(out->oid, sizeof(out->oid), id);
	if (!out->is_dir && find_size(git, id, &size, err) < 0)
		return -1;
	out->size = size;
	return 0;
}

static int root_tree(struct git *git, const char *hex, git_tree **out, struct err *err)
{
	owned(git_commit_free) git_commit *commit = NULL;

	if (inner_commit(git, hex, &commit, err) < 0)
		return -1;
	return git_commit_tree(out, commit) < 0 ? inner_fail(err, "read a tree") : 0;
}

static int find_entry(const git_tree *root, const char *path, git_tree_entry **out, struct err *err)
{
	owned(git_tree_entry_free) git_tree_entry *entry = NULL;

	/* libgit2 takes "dir/" for "dir". */
	if (*path == '\0' || strlen(path) > NAME_PATH_MAX || str_ends(path, "/"))
		return no_entry(path, err);
	int rc = git_tree_entry_bypath(&entry, root, path);
	if (rc == GIT_ENOTFOUND || (rc == 0 && is_foreign(entry)))
		return no_entry(path, err);
	if (rc < 0)
		return inner_fail(err, "read a tree");
	*out = take(entry);
	return 0;
}

int git_entry(struct git *git, const char *commit, const char *path, struct git_entry *out,
	      struct err *err)
{
	owned(git_tree_free) git_tree *root = NULL;
	owned(git_tree_entry_free) git_tree_entry *entry = NULL;
	struct git_entry found = {0};

	if (root_tree(git, commit, &root, err) < 0 || find_entry(root, path, &entry, err) < 0 ||
	    entry_fill(git, entry, &found, err) < 0)
		return -1;
	memcpy(found.path, path, strlen(path) + 1);
	*out = found;
	return 0;
}

struct walk {
	struct git *git;
	bool recursive;
	bool (*each)(void *arg, const struct git_entry *entry);
	void *arg;
	unsigned depth;
	struct git_entry entry; /* its path is the folder's while the walk is in it */
};

static int walk_tree(struct walk *walk, const git_oid *id, size_t length, struct err *err);

/* 1 go on, 0 stop, -1 failed. `length` is that of the folder's path. */
static int walk_entry(struct walk *walk, const git_tree_entry *entry, size_t length,
		      struct err *err)
{
	const char *name = git_tree_entry_name(entry);
	size_t name_length = strlen(name);
	size_t slash = length > 0 ? 1 : 0;

	if (is_foreign(entry))
		return 1;
	if (length + slash + name_length > NAME_PATH_MAX)
		return err_set(err, ERR_UNPROCESSED, "a path is longer than %d bytes",
			       NAME_PATH_MAX);
	if (slash)
		walk->entry.path[length] = '/';
	memcpy(walk->entry.path + length + slash, name, name_length + 1);
	if (entry_fill(walk->git, entry, &walk->entry, err) < 0)
		return -1;
	bool is_dir = walk->entry.is_dir;
	if (!walk->each(walk->arg, &walk->entry))
		return 0;
	if (!walk->recursive || !is_dir)
		return 1;
	return walk_tree(walk, git_tree_entry_id(entry), length + slash + name_length, err);
}

static int walk_tree(struct walk *walk, const git_oid *id, size_t length, struct err *err)
{
	owned(git_tree_free) git_tree *tree = NULL;
	int more = 1;

	if (walk->depth == NESTING_MAX)
		return err_set(err, ERR_UNPROCESSED, "folders are nested too deeply");
	if (git_tree_lookup(&tree, walk->git->repo, id) < 0)
		return inner_fail(err, "read a tree");
	walk->depth++;
	for (size_t i = 0; more == 1 && i < git_tree_entrycount(tree); i++)
		more = walk_entry(walk, git_tree_entry_byindex(tree, i), length, err);
	walk->depth--;
	walk->entry.path[length] = '\0';
	return more;
}

int git_walk(struct git *git, const char *commit, const char *path, bool recursive,
	     bool (*each)(void *arg, const struct git_entry *entry), void *arg, struct err *err)
{
	struct walk walk = {.git = git, .recursive = recursive, .each = each, .arg = arg};
	owned(git_tree_free) git_tree *root = NULL;
	owned(git_tree_entry_free) git_tree_entry *folder = NULL;

	if (root_tree(git, commit, &root, err) < 0)
		return -1;
	const git_oid *id = git_tree_id(root);
	if (*path != '\0') {
		if (find_entry(root, path, &folder, err) < 0)
			return -1;
		if (git_tree_entry_type(folder) != GIT_OBJECT_TREE)
			return err_set(err, ERR_NO_ENTRY, "%.200s is no folder", path);
		id = git_tree_entry_id(folder);
		memcpy(walk.entry.path, path, strlen(path) + 1);
	}
	return walk_tree(&walk, id, strlen(path), err) < 0 ? -1 : 0;
}

/* Contents. `struct git_blob` is libgit2's own: there is nothing to add to it. */

int git_blob_open(struct git *git, const char *oid, struct git_blob **out, struct err *err)
{
	git_oid id;

	if (!hex_is(oid, GIT_HEX - 1) || git_oid_fromstr(&id, oid) < 0)
		return err_set(err, ERR_NO_ENTRY, "no such file in this repository");
	int rc = git_blob_lookup(out, git->repo, &id);
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NO_ENTRY, "no such file in this repository");
	return rc < 0 ? inner_fail(err, "read a file") : 0;
}

void git_blob_release(struct git_blob *blob)
{
	git_blob_free(blob);
}

const void *git_blob_bytes(const struct git_blob *blob, size_t *length)
{
	*length = (size_t)git_blob_rawsize(blob);
	return *length > 0 ? git_blob_rawcontent(blob) : "";
}

/* Commits */

/* What follows the first line and the empty lines behind it. */
static const char *message_body(const char *message)
{
	const char *body = strchrnul(message, '\n');

	while (*body == '\n')
		body++;
	return body;
}

int git_commit_info(struct git *git, const char *hex, struct git_commit_info *out, struct err *err)
{
	owned(git_commit_free) git_commit *commit = NULL;

	if (inner_commit(git, hex, &commit, err) < 0)
		return -1;
	const char *message = git_commit_message(commit);
	const git_signature *author = git_commit_author(commit);
	const git_oid *parent = git_commit_parent_id(commit, 0);
	struct git_commit_info info = {
		.title = mem_text_n(message, strcspn(message, "\n")),
		.message = mem_text(message_body(message)),
		.time_s = git_commit_time(commit),
	};

	git_oid_tostr(info.oid, sizeof(info.oid), git_commit_id(commit));
	if (parent)
		git_oid_tostr(info.parent, sizeof(info.parent), parent);
	snprintf(info.author, sizeof(info.author), "%s", author->name);
	*out = info;
	return 0;
}

void git_commit_info_done(struct git_commit_info *info)
{
	free(info->title);
	free(info->message);
	*info = (struct git_commit_info){0};
}
