#include "api/call.h"

#include <fcntl.h>
#include <string.h>

#include "api/answer.h"
#include "api/runtime.h"
#include "api/seed.h"
#include "api/url.h"
#include "api/visibility.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "repo/mark.h"
#include "space/digest.h"

/*
 * A new repository: A2. The files come first, whole and durable, then the rows in one transaction:
 * a crash in between leaves files that nothing names, never a name without files. They are marked
 * until the rows are there (mark.h), so that the garbage collection takes such for what they are.
 */

/* What the body asks for. Strings are borrowed from it. */
struct plan {
	struct seed seed;
	struct space_setup setup;
	const char *template; /* full name of a Space, or NULL */
};

static int read_name(struct call *call, struct err *err)
{
	struct repo *repo = &call->repo;
	const char *fault;
	const char *name;

	if (json_need_text(call->body, "name", &name, err) < 0)
		return -1;
	fault = name_fault(name);
	if (fault)
		return err_set(err, ERR_INVALID, "\"%.100s\" is no name for a repository: %s", name,
			       fault);
	snprintf(repo->name, sizeof(repo->name), "%s", name);
	snprintf(repo->owner, sizeof(repo->owner), "%s", call->owner.name);
	snprintf(repo->full_name, sizeof(repo->full_name), "%s/%s", repo->owner, repo->name);
	repo->owner_id = call->owner.id;
	repo->creator_id = call->actor.user_id;
	return 0;
}

static int read_flavor(struct call *call, const struct hardware_flavor **out, struct err *err)
{
	const char *name = NULL;

	if (json_get_text(call->body, "hardware", &name, err) < 0)
		return -1;
	return name ? hardware_need(call->config->hardware, name, out, err) : 0;
}

static int read_space(struct call *call, struct plan *plan, struct err *err)
{
	struct space_setup *setup = &plan->setup;
	const json_t *body = call->body;
	json_t *secrets = NULL;
	json_t *variables = NULL;
	json_t *volumes = NULL;

	if (json_get_text(body, "sdk", &setup->sdk, err) < 0)
		return -1;
	if (!setup->sdk)
		return err_set(err, ERR_INVALID,
			       "\"sdk\" is needed: one of [gradio, streamlit, docker, static]");
	if (json_get_text(body, "sdkVersion", &plan->seed.sdk_version, err) < 0 ||
	    json_get_text(body, "template", &plan->template, err) < 0 ||
	    read_flavor(call, &setup->flavor, err) < 0 ||
	    json_get_text(body, "storageTier", &setup->storage, err) < 0 ||
	    runtime_sleep_time(call, body, "sleepTimeSeconds", &setup->sleep_s, err) < 0 ||
	    json_get_array(body, "secrets", &secrets, err) < 0 ||
	    json_get_array(body, "variables", &variables, err) < 0 ||
	    json_get_array(body, "volumes", &volumes, err) < 0)
		return -1;
	setup->secrets = secrets;
	setup->variables = variables;
	setup->volumes = volumes;
	plan->seed.sdk = setup->sdk;
	return space_setup_check(setup, err);
}

/* resourceGroupId, region and lfsmultipartthresh mean nothing on one machine. */
static int read_plan(struct call *call, struct plan *plan, struct err *err)
{
	json_t *files = NULL;

	plan->seed.type = call->repo.type;
	plan->seed.name = call->repo.name;
	plan->seed.author = call->actor.name;
	plan->setup.vault = call->config->vault;
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

/* Clients with exist_ok read `url` from this body, so it is no ordinary error. */
static int answer_exists(struct call *call)
{
	owned(free) char *url = url_repo(call);

	http_status(call->answer, 409);
	answer_json(call->answer, json_pack("{s:o, s:s}", "error",
					    json_sprintf("You already created this %s repo",
							 repo_type_name(call->repo.type)),
					    "url", url));
	return 0;
}

static int answer_created(struct call *call)
{
	owned(free) char *url = url_repo(call);

	answer_json(call->answer, json_pack("{s:s, s:s, s:s}", "url", url, "name",
					    call->repo.full_name, "id", call->repo.hex));
	return 0;
}

/* 1: it exists by now, and call->repo is that one; 0: it doesn't. */
static int find_existing(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct repo existing;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = repo_find(store_read_db(read), call->repo.type, call->repo.full_name, &existing,
			  err);
	if (found > 0)
		call->repo = existing;
	return found;
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

/* The row chooses the id that names the files, so they move to their place before the row counts.
 */
static int move_files(struct call *call, const char *staged, struct err *err)
{
	owned(free) char *path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);

	if (rename(staged, path) < 0)
		return err_sys(err, "repository of %s", call->repo.full_name);
	return file_sync_dir(call->config->dir->fd, "repos", err);
}

static int read_listing(const struct repo *repo, const char *staged, const char *commit,
			struct listing *out, struct err *err)
{
	owned(git_close) struct git *git = NULL;

	if (git_open(staged, &git, err) < 0)
		return -1;
	return digest_read(git, repo, commit, out, err);
}

static int write_rows(struct call *call, const struct plan *plan, const char *staged,
		      const char *commit, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(listing_done) struct listing listing = {0};
	struct repo *repo = &call->repo;
	struct store_db *db;

	if (read_listing(repo, staged, commit, &listing, err) < 0 ||
	    store_tx_begin(call->config->store, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if (repo_add(db, repo, err) < 0 || listing_put(db, repo->id, &listing, err) < 0 ||
	    (repo->type == REPO_SPACE && space_add(db, repo, &plan->setup, err) < 0))
		return -1;
	/* An empty Space has nothing to build; its stage says so until the first push. */
	if (repo->type == REPO_SPACE && seed_has_files(&plan->seed) &&
	    space_pushed(db, repo->id, commit, err) < 0)
		return -1;
	if (call_audit(call, tx, "repo.create", visibility_name(repo), err) < 0 ||
	    move_files(call, staged, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/* The first error is the one to answer; what stays is for the garbage collection. */
static void remove_files(const char *path)
{
	struct err leftover;

	if (file_remove_tree(AT_FDCWD, path, &leftover) < 0)
		log_warn("repo.leftover", "error=%s", leftover.text);
}

static int make(struct call *call, const struct plan *plan, struct err *err)
{
	owned(free) char *staged = NULL;
	owned(free) char *path = NULL;
	char commit[GIT_HEX];
	char id[ID_HEX];

	random_id(id);
	staged = datadir_path(call->config->dir, "repos/new-%s.git", id);
	if (seed_write(&plan->seed, staged, commit, err) < 0)
		return -1;
	if (mark_set(staged, err) == 0 && write_rows(call, plan, staged, commit, err) == 0) {
		path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);
		mark_clear(path);
		return 0;
	}
	path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);
	remove_files(staged);
	if (call->repo.hex[0])
		remove_files(path);
	return -1;
}

/* That it exists comes before all other checks: hf upload calls create each time (A2). */
int call_create(struct call *call, struct err *err)
{
	owned(git_close) struct git *template = NULL;
	struct plan plan = {0};

	if (call->repo.id != 0)
		return answer_exists(call);
	if (read_name(call, err) < 0 || read_plan(call, &plan, err) < 0 ||
	    open_template(call, &plan, &template, err) < 0)
		return -1;
	plan.seed.template = template;
	if (make(call, &plan, err) < 0) {
		/* Somebody else was faster. */
		if (err->kind == ERR_EXISTS && find_existing(call, err) > 0)
			return answer_exists(call);
		return -1;
	}
	if (call->repo.type == REPO_SPACE)
		call_wake(call);
	return answer_created(call);
}
