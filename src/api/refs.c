#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/pushed.h"
#include "base/mem.h"
#include "repo/refs.h"

/* Branches and tags: B8. */

/* Listing */

static void add_ref(void *arg, const struct refs_entry *entry)
{
	json_array_append_new(arg, json_pack("{s:o, s:o, s:s}", "name", answer_string(entry->name),
					     "ref", answer_string(entry->ref), "targetCommit",
					     entry->commit));
}

static int add_kind(struct git *git, enum refs_kind kind, const char *key, json_t *answer,
		    struct err *err)
{
	json_t *list = json_array();

	json_object_set_new(answer, key, list);
	return refs_each(git, kind, add_ref, list, err);
}

int call_refs(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(json_decref) json_t *answer = json_object();
	bool include_prs = false;

	if (http_query_bool(call->request, "include_prs", &include_prs, err) < 0 ||
	    call_git(call, &git, err) < 0 ||
	    add_kind(git, REFS_BRANCH, "branches", answer, err) < 0 ||
	    add_kind(git, REFS_TAG, "tags", answer, err) < 0 ||
	    add_kind(git, REFS_CONVERT, "converts", answer, err) < 0)
		return -1;
	if (include_prs && add_kind(git, REFS_PULL, "pullRequests", answer, err) < 0)
		return -1;
	answer_json(call->answer, take(answer));
	return 0;
}

/* Changing */

/* A body may be missing where all of its fields may. */
static int read_body(struct call *call, json_t **out, struct err *err)
{
	if (!call->body && http_body(call->request)->length == 0)
		call->body = json_object();
	return call_json(call, out, err);
}

static int write_audit(struct call *call, const char *action, const char *detail, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (call_change(call, &tx, err) < 0 || call_audit(call, tx, action, detail, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

static char *full_name(enum refs_kind kind, const char *name)
{
	return mem_format("refs/%s/%s", kind == REFS_TAG ? "tags" : "heads", name);
}

/* Where a name leads before it is changed; "" where it leads nowhere, or it is no name. */
static void find_old(struct git *git, enum refs_kind kind, const char *name,
		     char commit[static GIT_HEX])
{
	owned(free) char *ref = full_name(kind, name);
	struct err none = ERR_INIT;

	if (git_resolve(git, ref, commit, &none) < 0)
		commit[0] = '\0';
}

/* A change of a reference, and what the audit says of it. */
struct ref_change {
	enum refs_kind kind;
	const char *name;
	const char *old; /* of find_old() */
	const char *action;
	const char *detail;
};

/* The next step is git's; where it fails, call_retract(). */
static int intend(struct call *call, const struct ref_change *change, struct err *err)
{
	owned(free) char *ref = full_name(change->kind, change->name);
	struct intent intent = {.ref = ref, .old = change->old};

	return call_intend(call, &intent, change->action, change->detail, err);
}

/* git has refused: it is not as intended. */
static int retract(struct call *call)
{
	call_retract(call);
	return -1;
}

/* Each one costs those who list them. */
static int check_room(struct git *git, enum refs_kind kind, struct err *err)
{
	size_t count;

	if (refs_count(git, kind, &count, err) < 0)
		return -1;
	if (count >= LIMITS_REFS)
		return err_set(err, ERR_TOO_LARGE, "a repository has at most %d %s", LIMITS_REFS,
			       kind == REFS_TAG ? "tags" : "branches");
	return 0;
}

/* A name that may be given to something new. What exists says so before anything else is looked at.
 */
static int check_new(struct git *git, enum refs_kind kind, const char *name, struct err *err)
{
	owned(free) char *ref = full_name(kind, name);
	struct err none = ERR_INIT;
	char commit[GIT_HEX];

	if (refs_check_name(name, err) < 0)
		return -1;
	if (git_resolve(git, ref, commit, &none) == 0)
		return err_set(err, ERR_EXISTS, "%s exists already", ref);
	return check_room(git, kind, err);
}

struct branch_wish {
	const char *name;
	const char *start; /* JavaScript and Python call it a revision */
	bool empty;
	bool overwrite;
};

static int read_branch(struct call *call, struct branch_wish *wish, struct err *err)
{
	json_t *body;

	*wish = (struct branch_wish){.name = http_param(call->request, "rev"), .start = "main"};
	if (read_body(call, &body, err) < 0 ||
	    json_get_text(body, "startingPoint", &wish->start, err) < 0 ||
	    json_get_bool(body, "emptyBranch", &wish->empty, err) < 0)
		return -1;
	return json_get_bool(body, "overwrite", &wish->overwrite, err);
}

static int find_start(struct call *call, struct git *git, const struct branch_wish *wish,
		      char commit[static GIT_HEX], struct err *err)
{
	const struct change_meta meta = {.title = "Initial commit", .author = call->actor.name};

	if (wish->empty)
		return refs_empty_commit(git, &meta, commit, err);
	return git_resolve(git, wish->start, commit, err);
}

/* Make or move the branch, and tell. Who overwrites it by what it is already changes nothing. */
static int make_branch(struct call *call, struct git *git, const struct branch_wish *wish,
		       const char *commit, struct err *err)
{
	owned(free) char *detail = NULL;
	char old[GIT_HEX];
	struct ref_change change = {.kind = REFS_BRANCH, .name = wish->name, .old = old};
	bool is_same;

	find_old(git, REFS_BRANCH, wish->name, old);
	is_same = strcmp(old, commit) == 0;
	detail = *old ? mem_format("%s %s -> %s", wish->name, old, commit)
		      : mem_format("%s %s", wish->name, commit);
	change.action = *old ? "branch.overwrite" : "branch.create";
	change.detail = detail;
	if (!is_same && intend(call, &change, err) < 0)
		return -1;
	if (refs_make_branch(git, wish->name, commit, wish->overwrite, err) < 0)
		return retract(call);
	if (!*old)
		return write_audit(call, change.action, detail, err);
	return pushed(call, git, is_same ? NULL : change.action, detail, err);
}

int call_branch_create(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	struct branch_wish wish;
	char commit[GIT_HEX];

	if (read_branch(call, &wish, err) < 0 || call_git(call, &git, err) < 0)
		return -1;
	if (wish.overwrite ? refs_check_name(wish.name, err) < 0
			   : check_new(git, REFS_BRANCH, wish.name, err) < 0)
		return -1;
	if (find_start(call, git, &wish, commit, err) < 0 ||
	    make_branch(call, git, &wish, commit, err) < 0)
		return -1;
	answer_json(call->answer, json_pack("{s:b, s:s}", "success", 1, "commitOid", commit));
	return 0;
}

/* What leads nowhere can't be deleted: git says why. */
static int delete_ref(struct call *call, enum refs_kind kind, const char *action, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(free) char *detail = NULL;
	const char *name = http_param(call->request, "rev");
	char old[GIT_HEX];
	struct ref_change change = {.kind = kind, .name = name, .old = old, .action = action};
	int deleted;

	if (call_git(call, &git, err) < 0)
		return -1;
	find_old(git, kind, name, old);
	change.detail = detail = mem_format("%s %s", name, old);
	if (*old && intend(call, &change, err) < 0)
		return -1;
	deleted = kind == REFS_TAG ? refs_delete_tag(git, name, err)
				   : refs_delete_branch(git, name, err);
	if (deleted < 0)
		return retract(call);
	if (write_audit(call, action, detail, err) < 0)
		return -1;
	answer_json(call->answer, json_pack("{s:b}", "success", 1));
	return 0;
}

int call_branch_delete(struct call *call, struct err *err)
{
	return delete_ref(call, REFS_BRANCH, "branch.delete", err);
}

int call_tag_delete(struct call *call, struct err *err)
{
	return delete_ref(call, REFS_TAG, "tag.delete", err);
}

/* A message of a commit or tag. Missing and empty are the same. */
static int read_message(const json_t *body, const char **out, struct err *err)
{
	if (json_get_text(body, "message", out, err) < 0)
		return -1;
	if (strlen(*out) > LIMITS_DESCRIPTION)
		return err_set(err, ERR_TOO_LARGE, "a message may have %d bytes",
			       LIMITS_DESCRIPTION);
	return 0;
}

int call_tag_create(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(free) char *detail = NULL;
	struct change_meta meta = {.title = "", .author = call->actor.name};
	struct ref_change change = {.kind = REFS_TAG, .old = "", .action = "tag.create"};
	char commit[GIT_HEX];
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_need_text(body, "tag", &change.name, err) < 0 ||
	    read_message(body, &meta.title, err) < 0 || call_git(call, &git, err) < 0 ||
	    check_new(git, REFS_TAG, change.name, err) < 0 ||
	    call_revision(call, git, commit, err) < 0)
		return -1;
	change.detail = detail = mem_format("%s %s", change.name, commit);
	if (intend(call, &change, err) < 0)
		return -1;
	if (refs_make_tag(git, change.name, commit, *meta.title ? &meta : NULL, err) < 0)
		return retract(call);
	if (write_audit(call, change.action, detail, err) < 0)
		return -1;
	answer_json(call->answer, json_pack("{s:b}", "success", 1));
	return 0;
}

/* Only branches have a history to replace: who names a tag or commit hears that. */
static int explain(struct git *git, const char *name, struct err *err)
{
	struct err none = ERR_INIT;
	char commit[GIT_HEX];

	if (err->kind == ERR_NO_REVISION && git_resolve(git, name, commit, &none) == 0)
		return err_set(err, ERR_INVALID, "%.200s is not a branch", name);
	return -1;
}

int call_super_squash(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	const char *branch = http_param(call->request, "rev");
	owned(free) char *title = mem_format("Super-squash branch '%s'", branch);
	owned(free) char *intended = NULL;
	owned(free) char *detail = NULL;
	struct change_meta meta = {.title = title, .author = call->actor.name};
	char old[GIT_HEX];
	struct ref_change change = {
		.kind = REFS_BRANCH, .name = branch, .old = old, .action = "branch.squash"};
	char commit[GIT_HEX];
	json_t *body;

	if (read_body(call, &body, err) < 0 || read_message(body, &meta.title, err) < 0 ||
	    call_git(call, &git, err) < 0)
		return -1;
	find_old(git, REFS_BRANCH, branch, old);
	intended = mem_format("%s %s", branch, old); /* the new commit is not known yet */
	change.detail = intended;
	if (!*meta.title)
		meta.title = title;
	if (*old && intend(call, &change, err) < 0)
		return -1;
	if (refs_squash(git, branch, &meta, commit, err) < 0) {
		call_retract(call);
		return explain(git, branch, err);
	}
	detail = mem_format("%s %s -> %s", branch, old, commit);
	if (pushed(call, git, change.action, detail, err) < 0)
		return -1;
	answer_json(call->answer, json_pack("{s:b, s:s}", "success", 1, "commitOid", commit));
	return 0;
}
