#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/birth.h"
#include "api/url.h"
#include "api/visibility.h"
#include "base/mem.h"
#include "repo/lend.h"
#include "space/keys.h"

/*
 * A repository like another: A8. It borrows the objects (repo/lend.h), so that its size does not
 * matter. A Space brings the variables of its source; secrets, hardware and storage are those that
 * the call asks for, and it is built and run as a new one.
 */

/* What is wanted. */
struct plan {
	struct repo source;
	struct space_setup setup;
	json_t *variables; /* those of the source, and the call's */
};

static void plan_done(struct plan *plan)
{
	json_decref(plan->variables);
}

static void own_plan_done(struct plan *held)
{
	plan_done(held);
}

static bool has_key(const json_t *list, const char *key)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (strcmp(json_string_value(json_object_get(item, "key")), key) == 0)
			return true;
	return false;
}

/* The call's own win: variables, and secrets of the same name. */
static int add_variables(struct call *call, struct plan *plan, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *there = NULL;
	const char *key;
	json_t *value;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	if (keys_json(&(struct keys){.db = store_read_db(read), .repo_id = plan->source.id},
		      KEYS_VARIABLE, &there, err) < 0)
		return -1;
	plan->variables = json_array();
	json_object_foreach (there, key, value) {
		if (has_key(plan->setup.variables, key) || has_key(plan->setup.secrets, key))
			continue;
		json_object_set_new(value, "key", json_string(key));
		json_array_append(plan->variables, value);
	}
	json_array_extend(plan->variables, (json_t *)plan->setup.variables);
	plan->setup.variables = plan->variables;
	return space_setup_check(&plan->setup, err);
}

static int read_plan(struct call *call, const char *full_name, struct plan *plan, struct err *err)
{
	struct repo *repo = &call->repo;

	if (birth_name(call, strchr(full_name, '/') + 1, err) < 0)
		return -1;
	repo->is_private = true;
	memcpy(repo->sdk, plan->source.sdk, sizeof(repo->sdk));
	plan->setup.sdk = plan->source.sdk;
	if (visibility_read(call->body, repo, err) < 0)
		return -1;
	if (repo->type != REPO_SPACE)
		return 0;
	return birth_setup(call, call->body, &plan->setup, err) < 0
		       ? -1
		       : add_variables(call, plan, err);
}

static int open_source(const struct call *call, const struct repo *source, struct git **out,
		       struct err *err)
{
	owned(free) char *path = datadir_path(call->config->dir, "repos/%s.git", source->hex);

	return git_open(path, out, err);
}

/* Make the files; the commit is one that they have, whatever is pushed to the source meanwhile. */
static int make_files(struct git *from, const struct repo *source, const char *staged,
		      struct lend *lend, char commit[static GIT_HEX], struct err *err)
{
	owned(git_close) struct git *copy = NULL;

	if (lend_make(from, source->hex, staged, lend, err) < 0 ||
	    git_open(staged, &copy, err) < 0 || git_resolve(copy, "", commit, err) < 0) {
		birth_drop(staged);
		return -1;
	}
	return 0;
}

static int make(struct call *call, const struct plan *plan, struct err *err)
{
	owned(free) char *staged = birth_place(call);
	owned(free) char *detail =
		mem_format("%s, from %s", visibility_name(&call->repo), plan->source.full_name);
	owned(lend_done) struct lend lend = LEND_INIT;
	owned(git_close) struct git *from = NULL;
	char commit[GIT_HEX];

	if (open_source(call, &plan->source, &from, err) < 0 ||
	    make_files(from, &plan->source, staged, &lend, commit, err) < 0)
		return -1;
	return birth_end(call,
			 &(struct birth){.setup = &plan->setup,
					 .staged = staged,
					 .commit = commit,
					 .builds = true,
					 .lend = &lend,
					 .source = &plan->source,
					 .action = "repo.duplicate",
					 .detail = detail},
			 err);
}

static int answer_made(struct call *call)
{
	owned(free) char *url = url_repo(call);

	answer_json(call->answer,
		    json_pack("{s:s, s:s, s:s, s:b}", "url", url, "name", call->repo.full_name,
			      "id", call->repo.hex, "filesCopyPending", 0));
	return 0;
}

int call_duplicate(struct call *call, struct err *err)
{
	owned(plan_done) struct plan plan = {.source = call->repo};
	const char *full_name;
	struct repo there;
	json_t *body;

	if (call->actor.user_id == 0)
		return err_set(err, ERR_ANONYMOUS, "sign in first");
	if (call_json(call, &body, err) < 0 ||
	    json_need_text(body, "repository", &full_name, err) < 0 ||
	    call_claim(call, full_name, &there, err) < 0)
		return -1;
	call->repo = there;
	if (there.id != 0)
		return birth_answer_exists(call);
	if (read_plan(call, full_name, &plan, err) < 0)
		return -1;
	if (make(call, &plan, err) < 0) {
		/* Somebody else was faster. */
		if (err->kind == ERR_EXISTS && birth_find(call, err) > 0)
			return birth_answer_exists(call);
		return -1;
	}
	if (call->repo.type == REPO_SPACE)
		call_wake(call);
	return answer_made(call);
}
