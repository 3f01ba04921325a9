#include "repo/refs.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "repo/inner.h"
#include "repo/quarantine.h"
#include "repo/ref.h"
#include "repo/words.h"

/* How often a race against git may be lost. Our own changes take turns. */
enum { RACES_MAX = 8 };

static const char *const prefixes[] = {
	[REFS_BRANCH] = "refs/heads/",
	[REFS_TAG] = "refs/tags/",
	[REFS_CONVERT] = "refs/convert/",
	[REFS_PULL] = "refs/pr/",
};

/* Listing */

static int begin_list(struct git *git, enum refs_kind kind, git_reference_iterator **out,
		      struct err *err)
{
	owned(free) char *glob = mem_format("%s*", prefixes[kind]);

	if (git_reference_iterator_glob_new(out, git->repo, glob) < 0)
		return inner_fail(err, "list references");
	return 0;
}

/* The commit of a reference. Only what is a tag needs more than a look. */
static bool find_commit(git_reference *reference, char commit[static GIT_HEX])
{
	owned(git_object_free) git_object *object = NULL;

	if (git_reference_peel(&object, reference, GIT_OBJECT_COMMIT) < 0)
		return false;
	git_oid_tostr(commit, GIT_HEX, git_object_id(object));
	return true;
}

int refs_each(struct git *git, enum refs_kind kind,
	      void (*each)(void *arg, const struct refs_entry *entry), void *arg, struct err *err)
{
	owned(git_reference_iterator_free) git_reference_iterator *iterator = NULL;
	int rc = 0;

	if (begin_list(git, kind, &iterator, err) < 0)
		return -1;
	while (rc == 0) {
		owned(git_reference_free) git_reference *reference = NULL;
		struct refs_entry entry;

		rc = git_reference_next(&reference, iterator);
		if (rc < 0 || !find_commit(reference, entry.commit))
			continue;
		entry.ref = git_reference_name(reference);
		entry.name = entry.ref + strlen(prefixes[kind]);
		each(arg, &entry);
	}
	return rc == GIT_ITEROVER ? 0 : inner_fail(err, "list references");
}

int refs_count(struct git *git, enum refs_kind kind, size_t *out, struct err *err)
{
	owned(git_reference_iterator_free) git_reference_iterator *iterator = NULL;
	const char *name;
	size_t count = 0;
	int rc;

	if (begin_list(git, kind, &iterator, err) < 0)
		return -1;
	while ((rc = git_reference_next_name(&name, iterator)) == 0)
		count++;
	if (rc != GIT_ITEROVER)
		return inner_fail(err, "list references");
	*out = count;
	return 0;
}

/* Names */

/* libgit2 overlooks some. A whole id would hide the name, an option is a word of commands. */
static bool is_good_name(const char *name)
{
	owned(free) char *full = mem_format("refs/heads/%s", name);
	int valid = 0;

	if (strstr(name, "//") || strchr(name, '\x7f') || str_ends(full, "/") || *name == '-' ||
	    strcmp(name, "HEAD") == 0 || hex_is(name, GIT_HEX - 1))
		return false;
	return git_reference_name_is_valid(&valid, full) == 0 && valid;
}

int refs_check_name(const char *name, struct err *err)
{
	if (strlen(name) > REFS_NAME_MAX)
		return err_set(err, ERR_INVALID, "the name of a branch or tag has at most %d bytes",
			       REFS_NAME_MAX);
	if (str_starts(name, "refs/"))
		return err_set(err, ERR_INVALID, "%s: names that begin with refs/ are reserved",
			       name);
	if (!is_good_name(name))
		return err_set(err, ERR_INVALID, "\"%s\" can't be the name of a branch or tag",
			       name);
	return 0;
}

static char *full_name(enum refs_kind kind, const char *name)
{
	return mem_format("%s%s", prefixes[kind], name);
}

/* Making and deleting */

/* 1 done, 0 the reference is not as it should be, -1 failed. */
static int move_to(struct git *git, const char *ref, bool overwrite, const git_oid *id,
		   struct err *err)
{
	git_oid head;
	int found = overwrite ? inner_head(git, ref, &head, err) : 0;

	return found < 0 ? -1 : ref_move(git, ref, found == 1 ? &head : NULL, id, err);
}

static int make(struct git *git, const char *ref, bool overwrite, const git_oid *id,
		struct err *err)
{
	owned(close) int turn = -1;
	int moved = 0;

	if (ref_turn(git, &turn, err) < 0)
		return -1;
	for (int i = 0; moved == 0 && i < (overwrite ? RACES_MAX : 1); i++)
		moved = move_to(git, ref, overwrite, id, err);
	if (moved == 0 && overwrite)
		return err_set(err, ERR_BUSY, "the branch moves too fast, try again");
	if (moved == 0)
		return err_set(err, ERR_EXISTS, "%s exists already", ref);
	return moved < 0 ? -1 : 0;
}

static int delete (struct git *git, enum refs_kind kind, const char *name, struct err *err)
{
	owned(free) char *ref = full_name(kind, name);
	owned(close) int turn = -1;
	struct err refused = ERR_INIT;
	int deleted = 0;

	if (refs_check_name(name, &refused) == 0) {
		if (ref_turn(git, &turn, err) < 0)
			return -1;
		deleted = ref_delete(git, ref, err);
	}
	if (deleted == 0)
		return err_set(err, ERR_NO_REVISION, "no %s %.200s",
			       kind == REFS_TAG ? "tag" : "branch", name);
	return deleted < 0 ? -1 : 0;
}

static int read_commit(struct git *git, const char *hex, git_oid *out, struct err *err)
{
	owned(git_commit_free) git_commit *commit = NULL;

	if (inner_commit(git, hex, &commit, err) < 0)
		return -1;
	*out = *git_commit_id(commit);
	return 0;
}

int refs_make_branch(struct git *git, const char *name, const char *commit, bool overwrite,
		     struct err *err)
{
	owned(free) char *ref = full_name(REFS_BRANCH, name);
	git_oid id;

	if (refs_check_name(name, err) < 0 || read_commit(git, commit, &id, err) < 0)
		return -1;
	return make(git, ref, overwrite, &id, err);
}

int refs_delete_branch(struct git *git, const char *name, struct err *err)
{
	if (strcmp(name, "main") == 0)
		return err_set(err, ERR_DENIED, "main can't be deleted");
	return delete (git, REFS_BRANCH, name, err);
}

/* The object of an annotated tag, durable before a name leads to it. */
static int write_tag(struct git *git, const char *name, const struct change_meta *meta, git_oid *id,
		     struct err *err)
{
	owned(quarantine_free) struct quarantine *quarantine = NULL;
	owned(words_done) struct words words = WORDS_INIT;
	git_oid commit = *id;

	if (words_make(meta, &words, err) < 0 || quarantine_new(git, &quarantine, err) < 0 ||
	    words_tag(&words, quarantine_odb(quarantine), name, &commit, id, err) < 0)
		return -1;
	return quarantine_publish(quarantine, err);
}

int refs_make_tag(struct git *git, const char *name, const char *commit,
		  const struct change_meta *meta, struct err *err)
{
	owned(free) char *ref = full_name(REFS_TAG, name);
	git_oid id;

	if (refs_check_name(name, err) < 0 || read_commit(git, commit, &id, err) < 0 ||
	    (meta && write_tag(git, name, meta, &id, err) < 0))
		return -1;
	return make(git, ref, false, &id, err);
}

int refs_delete_tag(struct git *git, const char *name, struct err *err)
{
	return delete (git, REFS_TAG, name, err);
}

/* First commits */

/* A first commit of the tree, or of none where NULL. */
static int write_first(struct git *git, const git_oid *tree, const struct change_meta *meta,
		       git_oid *out, struct err *err)
{
	owned(quarantine_free) struct quarantine *quarantine = NULL;
	owned(words_done) struct words words = WORDS_INIT;
	git_oid empty;

	if (words_make(meta, &words, err) < 0 || quarantine_new(git, &quarantine, err) < 0)
		return -1;
	if (!tree && git_odb_write(&empty, quarantine_odb(quarantine), "", 0, GIT_OBJECT_TREE) < 0)
		return inner_fail(err, "write a tree");
	if (words_commit(&words, quarantine_odb(quarantine), tree ? tree : &empty, NULL, out, err) <
	    0)
		return -1;
	return quarantine_publish(quarantine, err);
}

int refs_empty_commit(struct git *git, const struct change_meta *meta, char commit[static GIT_HEX],
		      struct err *err)
{
	git_oid id;

	if (write_first(git, NULL, meta, &id, err) < 0)
		return -1;
	git_oid_tostr(commit, GIT_HEX, &id);
	return 0;
}

/* 1 done, 0 git has moved the branch meanwhile, -1 failed. */
static int squash(struct git *git, const char *ref, const struct change_meta *meta, git_oid *out,
		  struct err *err)
{
	owned(git_commit_free) git_commit *commit = NULL;
	git_oid head;
	int found = inner_head(git, ref, &head, err);

	if (found == 0)
		return err_set(err, ERR_NO_REVISION, "no branch %.200s",
			       ref + strlen(prefixes[REFS_BRANCH]));
	if (found < 0)
		return -1;
	if (git_commit_lookup(&commit, git->repo, &head) < 0)
		return inner_fail(err, "read a commit");
	if (write_first(git, git_commit_tree_id(commit), meta, out, err) < 0)
		return -1;
	return ref_move(git, ref, &head, out, err);
}

int refs_squash(struct git *git, const char *branch, const struct change_meta *meta,
		char commit[static GIT_HEX], struct err *err)
{
	owned(free) char *ref = full_name(REFS_BRANCH, branch);
	owned(close) int turn = -1;
	git_oid id;
	int moved = 0;

	if (ref_turn(git, &turn, err) < 0)
		return -1;
	for (int i = 0; moved == 0 && i < RACES_MAX; i++)
		moved = squash(git, ref, meta, &id, err);
	if (moved == 0)
		return err_set(err, ERR_BUSY, "the branch moves too fast, try again");
	if (moved < 0)
		return -1;
	git_oid_tostr(commit, GIT_HEX, &id);
	return 0;
}
