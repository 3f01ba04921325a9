#include "api/birth.h"

#include <fcntl.h>
#include <stdio.h>

#include "api/answer.h"
#include "api/runtime.h"
#include "api/url.h"
#include "api/visibility.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "repo/mark.h"
#include "space/digest.h"

int birth_check_name(const char *name, struct err *err)
{
	const char *fault = name_fault(name);

	if (!fault)
		return 0;
	return err_set(err, ERR_INVALID, "\"%.100s\" is no name for a repository: %s", name, fault);
}

int birth_name(struct call *call, const char *name, struct err *err)
{
	struct repo *repo = &call->repo;

	if (birth_check_name(name, err) < 0)
		return -1;
	snprintf(repo->name, sizeof(repo->name), "%s", name);
	snprintf(repo->owner, sizeof(repo->owner), "%s", call->owner.name);
	snprintf(repo->full_name, sizeof(repo->full_name), "%s/%s", repo->owner, repo->name);
	repo->owner_id = call->owner.id;
	repo->creator_id = call->actor.user_id;
	return 0;
}

static int read_flavor(struct call *call, const json_t *body, const struct hardware_flavor **out,
		       struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	const char *name = NULL;

	if (json_get_text(body, "hardware", &name, err) < 0)
		return -1;
	if (!name)
		return 0;
	if (hardware_need(call->config->hardware, name, out, err) < 0 ||
	    store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	return runtime_may_have(call, store_read_db(read), call->repo.owner_id, (*out)->name, err);
}

int birth_setup(struct call *call, const json_t *body, struct space_setup *setup, struct err *err)
{
	json_t *secrets = NULL;
	json_t *variables = NULL;
	json_t *volumes = NULL;

	if (read_flavor(call, body, &setup->flavor, err) < 0 ||
	    json_get_text(body, "storageTier", &setup->storage, err) < 0 ||
	    runtime_sleep_time(call, body, "sleepTimeSeconds", &setup->sleep_s, err) < 0 ||
	    json_get_array(body, "secrets", &secrets, err) < 0 ||
	    json_get_array(body, "variables", &variables, err) < 0 ||
	    json_get_array(body, "volumes", &volumes, err) < 0)
		return -1;
	setup->secrets = secrets;
	setup->variables = variables;
	setup->volumes = volumes;
	setup->vault = call->config->vault;
	return space_setup_check(setup, err);
}

char *birth_place(const struct call *call)
{
	char id[ID_HEX];

	random_id(id);
	return datadir_path(call->config->dir, "repos/new-%s.git", id);
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

/* Its deletion, in a transaction of its own, sees that we borrow, or we see that it is gone. */
static int write_loan(struct store_db *db, const struct birth *birth, int64_t repo_id,
		      struct err *err)
{
	struct repo source;
	int found;

	if (!birth->lend)
		return 0;
	found = repo_by_id(db, birth->source->id, &source, err);
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "%s is gone", birth->source->full_name);
	return found < 0 ? -1 : lend_add(db, repo_id, birth->lend, err);
}

static int write_rows(struct call *call, const struct birth *birth, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(listing_done) struct listing listing = {0};
	struct repo *repo = &call->repo;
	struct store_db *db;

	if (read_listing(repo, birth->staged, birth->commit, &listing, err) < 0 ||
	    store_tx_begin(call->config->store, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if (repo_add(db, repo, err) < 0 || listing_put(db, repo->id, &listing, err) < 0 ||
	    write_loan(db, birth, repo->id, err) < 0 ||
	    (repo->type == REPO_SPACE && space_add(db, repo, birth->setup, err) < 0))
		return -1;
	/* An empty Space has nothing to build; its stage says so until the first push. */
	if (repo->type == REPO_SPACE && birth->builds &&
	    space_pushed(db, repo->id, birth->commit, err) < 0)
		return -1;
	if (call_audit(call, tx, birth->action, birth->detail, err) < 0 ||
	    move_files(call, birth->staged, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/* The error that led here is the one to answer. */
void birth_drop(const char *path)
{
	struct err leftover;

	if (file_remove_tree(AT_FDCWD, path, &leftover) < 0)
		log_warn("repo.leftover", "error=%s", leftover.text);
}

int birth_end(struct call *call, const struct birth *birth, struct err *err)
{
	owned(free) char *path = NULL;

	if (mark_set(birth->staged, err) == 0 && write_rows(call, birth, err) == 0) {
		path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);
		mark_clear(path);
		return 0;
	}
	birth_drop(birth->staged);
	path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);
	if (call->repo.hex[0])
		birth_drop(path);
	return -1;
}

int birth_find(struct call *call, struct err *err)
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

int birth_answer_exists(struct call *call)
{
	owned(free) char *url = url_repo(call);
	owned(free) char *text =
		mem_format("You already created this %s repo", repo_type_name(call->repo.type));

	http_status(call->answer, 409);
	http_add_header(call->answer, "X-Error-Message", text);
	answer_json(call->answer, json_pack("{s:s, s:s}", "error", text, "url", url));
	return 0;
}
