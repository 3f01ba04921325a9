#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/birth.h"
#include "api/seed.h"
#include "api/url.h"
#include "api/visibility.h"
#include "base/mem.h"

/* A new repository: A2. */

/* What the body asks for. Strings are borrowed from it. */
struct plan {
	struct seed seed;
	struct space_setup setup;
	const char *template; /* full name of a Space, or NULL */
};

static int read_name(struct call *call, struct err *err)
{
	const char *name;

	if (json_need_text(call->body, "name", &name, err) < 0)
		return -1;
	return birth_name(call, name, err);
}

static int read_space(struct call *call, struct plan *plan, struct err *err)
{
	struct space_setup *setup = &plan->setup;
	const json_t *body = call->body;

	if (json_get_text(body, "sdk", &setup->sdk, err) < 0)
		return -1;
	if (!setup->sdk)
		return err_set(err, ERR_INVALID,
			       "\"sdk\" is needed: one of [gradio, streamlit, docker, static]");
	if (json_get_text(body, "sdkVersion", &plan->seed.sdk_version, err) < 0 ||
	    json_get_text(body, "template", &plan->template, err) < 0)
		return -1;
	plan->seed.sdk = setup->sdk;
	return birth_setup(call, body, setup, err);
}

/* resourceGroupId, region and lfsmultipartthresh mean nothing on one machine. */
static int read_plan(struct call *call, struct plan *plan, struct err *err)
{
	json_t *files = NULL;

	plan->seed.type = call->repo.type;
	plan->seed.name = call->repo.name;
	plan->seed.author = call->actor.name;
	call->repo.is_private = call->owner.type == ACCOUNT_ORG && call->owner.private_by_default;
	if (visibility_read(call->body, &call->repo, err) < 0 ||
	    (call->repo.type == REPO_SPACE && read_space(call, plan, err) < 0) ||
	    json_get_text(call->body, "license", &plan->seed.license, err) < 0 ||
	    json_get_array(call->body, "files", &files, err) < 0)
		return -1;
	plan->seed.files = files;
	if (plan->setup.sdk)
		snprintf(call->repo.sdk, sizeof(call->repo.sdk), "%s", plan->setup.sdk);
	return seed_check(&plan->seed, err);
}

static int answer_created(struct call *call)
{
	owned(free) char *url = url_repo(call);

	answer_json(call->answer, json_pack("{s:s, s:s, s:s}", "url", url, "name",
					    call->repo.full_name, "id", call->repo.hex));
	return 0;
}

static int open_template(struct call *call, struct plan *plan, struct git **out, struct err *err)
{
	struct repo template;
	owned(free) char *path = NULL;

	if (!plan->template)
		return 0;
	if (call_find_readable(call, REPO_SPACE, plan->template, &template, err) < 0)
		return err->kind == ERR_NO_REPO
			       ? err_set(err, ERR_INVALID, "there is no template \"%.200s\" here",
					 plan->template)
			       : -1;
	path = datadir_path(call->config->dir, "repos/%s.git", template.hex);
	return git_open(path, out, err);
}

static int make(struct call *call, const struct plan *plan, struct err *err)
{
	owned(free) char *staged = birth_place(call);
	char commit[GIT_HEX];

	if (seed_write(&plan->seed, staged, commit, err) < 0)
		return -1;
	return birth_end(call,
			 &(struct birth){.setup = &plan->setup,
					 .staged = staged,
					 .commit = commit,
					 .builds = seed_has_files(&plan->seed),
					 .action = "repo.create",
					 .detail = visibility_name(&call->repo)},
			 err);
}

/* That it exists comes before all other checks: hf upload calls create each time (A2). */
int call_create(struct call *call, struct err *err)
{
	owned(git_close) struct git *template = NULL;
	struct plan plan = {0};

	if (call->repo.id != 0)
		return birth_answer_exists(call);
	if (read_name(call, err) < 0 || read_plan(call, &plan, err) < 0 ||
	    open_template(call, &plan, &template, err) < 0)
		return -1;
	plan.seed.template = template;
	if (make(call, &plan, err) < 0) {
		/* Somebody else was faster. */
		if (err->kind == ERR_EXISTS && birth_find(call, err) > 0)
			return birth_answer_exists(call);
		return -1;
	}
	if (call->repo.type == REPO_SPACE)
		call_wake(call);
	return answer_created(call);
}
