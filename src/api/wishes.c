#include "api/call.h"

#include <string.h>

#include "api/runtime.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/place.h"
#include "space/wish.h"

/*
 * What is wished of a Space's run: A10, A11. The answer already shows the stage in transition:
 * clients stop polling at any other.
 */

/* Bytes: names of flavors and tiers, as they were and as they are. */
enum { DETAIL_MAX = 1024 };

/* A wish that a call has read from its body. */
struct change {
	int (*apply)(const struct change *change, struct store_db *db, int64_t repo_id,
		     struct err *err);
	const char *action;      /* for the audit, … */
	const char *detail;      /* … beside what has changed of the Space; NULL: nothing */
	const char *text;        /* a flavor or a tier */
	const struct call *call; /* of hardware, which must be there and may need a grant */
	int64_t seconds;
	const json_t *volumes;
};

static void add_change(struct str *out, const char *what, const char *was, const char *is)
{
	if (strcmp(was, is) != 0)
		str_addf(out, "%s%s: %s -> %s", out->length ? ", " : "", what, *was ? was : "none",
			 *is ? is : "none");
}

/* What the audit tells beside the action. */
static void describe(const struct change *change, const struct space *was, const struct space *is,
		     struct str *out)
{
	char seconds_were[24];
	char seconds_are[24];

	snprintf(seconds_were, sizeof(seconds_were), "%lld", (long long)was->sleep_s);
	snprintf(seconds_are, sizeof(seconds_are), "%lld", (long long)is->sleep_s);
	if (change->detail)
		str_add(out, change->detail);
	add_change(out, "hardware", was->flavor, is->flavor);
	add_change(out, "sleep time", seconds_were, seconds_are);
	add_change(out, "storage", was->storage, is->storage);
}

/* 1 changed, 0 it was wished already. */
static int apply(struct call *call, const struct change *change, struct store_db *db,
		 struct str *detail, struct err *err)
{
	struct space was, is;

	if (space_get(db, call->repo.id, &was, err) < 0)
		return -1;
	int changed = change->apply(change, db, call->repo.id, err);
	if (changed <= 0)
		return changed;
	if (space_get(db, call->repo.id, &is, err) < 0)
		return -1;
	describe(change, &was, &is, detail);
	return 1;
}

/* In one transaction; what is wished already leaves no trace. */
static int carry_out(struct call *call, const struct change *change, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(str_done) struct str detail = str_new(DETAIL_MAX);
	int changed;

	if (call_change(call, &tx, err) < 0)
		return -1;
	changed = apply(call, change, store_tx_db(tx), &detail, err);
	if (changed <= 0)
		return changed;
	if (call_audit(call, tx, change->action, detail.data, err) < 0 ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	call_wake(call);
	return 0;
}

static int answer_change(struct call *call, const struct change *change, struct err *err)
{
	return carry_out(call, change, err) < 0 ? -1 : runtime_answer(call, err);
}

static int restart(const struct change *change, struct store_db *db, int64_t repo_id,
		   struct err *err)
{
	return space_restart(db, repo_id, change->detail != NULL, err) < 0 ? -1 : 1;
}

int call_restart(struct call *call, struct err *err)
{
	struct change change = {.apply = restart, .action = "space.restart"};
	bool factory = false;

	if (http_query_bool(call->request, "factory", &factory, err) < 0)
		return -1;
	change.detail = factory ? "factory" : NULL;
	return answer_change(call, &change, err);
}

static int pause_it(const struct change *change, struct store_db *db, int64_t repo_id,
		    struct err *err)
{
	return wish_pause(db, repo_id, err);
}

int call_pause(struct call *call, struct err *err)
{
	const struct change change = {.apply = pause_it, .action = "space.pause"};

	return answer_change(call, &change, err);
}

static int set_hardware(const struct change *change, struct store_db *db, int64_t repo_id,
			struct err *err)
{
	const struct call *call = change->call;
	enum place_verdict verdict;
	struct places places;
	struct repo repo;

	if (repo_by_id(db, repo_id, &repo, err) < 0 || /* who owns it now */
	    runtime_may_have(call, db, repo.owner_id, change->text, err) < 0 ||
	    place_find(db, call->config->hardware, repo_id, change->text, &verdict, &places, err) <
		    0)
		return -1;
	if (verdict == PLACE_BUSY)
		return wish_hardware_later(db, repo_id, change->text, change->seconds, err);
	return wish_hardware(db, repo_id, change->text, change->seconds, err);
}

int call_set_hardware(struct call *call, struct err *err)
{
	struct change change = {.apply = set_hardware, .action = "space.hardware", .call = call};
	const struct hardware_flavor *flavor;
	json_t *body;

	if (call_json(call, &body, err) < 0 ||
	    json_need_text(body, "flavor", &change.text, err) < 0 ||
	    runtime_sleep_time(call, body, "sleepTimeSeconds", &change.seconds, err) < 0 ||
	    hardware_need(call->config->hardware, change.text, &flavor, err) < 0)
		return -1;
	change.text = flavor->name;
	return answer_change(call, &change, err);
}

static int set_sleep(const struct change *change, struct store_db *db, int64_t repo_id,
		     struct err *err)
{
	return wish_sleep(db, repo_id, change->seconds, err);
}

int call_set_sleep(struct call *call, struct err *err)
{
	struct change change = {.apply = set_sleep, .action = "space.sleeptime"};
	json_t *body;

	if (call_json(call, &body, err) < 0 ||
	    runtime_sleep_time(call, body, "seconds", &change.seconds, err) < 0)
		return -1;
	if (change.seconds == 0) /* missing, or nothing to sleep after */
		return runtime_no_sleep_time(call, "seconds", err);
	return answer_change(call, &change, err);
}

static int set_storage(const struct change *change, struct store_db *db, int64_t repo_id,
		       struct err *err)
{
	return wish_storage(db, repo_id, change->text, err);
}

int call_set_storage(struct call *call, struct err *err)
{
	struct change change = {.apply = set_storage, .action = "space.storage"};
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_need_text(body, "tier", &change.text, err) < 0)
		return -1;
	if (space_storage_rank(change.text) <= 0)
		return err_set(err, ERR_INVALID, "\"tier\" must be one of [small, medium, large]");
	return answer_change(call, &change, err);
}

int call_delete_storage(struct call *call, struct err *err)
{
	const struct change change = {
		.apply = set_storage, .action = "space.storage.delete", .text = ""};

	return answer_change(call, &change, err);
}

static int set_volumes(const struct change *change, struct store_db *db, int64_t repo_id,
		       struct err *err)
{
	return wish_volumes(db, repo_id, change->volumes, err);
}

int call_set_volumes(struct call *call, struct err *err)
{
	struct change change = {.apply = set_volumes, .action = "space.volumes"};
	owned(free) char *detail = NULL;
	json_t *volumes = NULL;
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_get_array(body, "volumes", &volumes, err) < 0)
		return -1;
	if (!volumes)
		return err_set(err, ERR_INVALID, "\"volumes\" is missing");
	change.volumes = volumes;
	detail = mem_format("%zu mounted", json_array_size(volumes));
	change.detail = detail;
	return answer_change(call, &change, err);
}

int call_delete_volumes(struct call *call, struct err *err)
{
	const struct change change = {.apply = set_volumes, .action = "space.volumes.delete"};

	return answer_change(call, &change, err);
}

int call_dev_mode(struct call *call, struct err *err)
{
	bool enabled = false;
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_get_bool(body, "enabled", &enabled, err) < 0)
		return -1;
	if (enabled)
		return err_set(err, ERR_INVALID, "this hub has no dev mode");
	return runtime_answer(call, err);
}

int call_replicas(struct call *call, struct err *err)
{
	int64_t replicas = 0;
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_get_int(body, "replicas", &replicas, err) < 0)
		return -1;
	if (replicas != 1)
		return err_set(err, ERR_INVALID, "\"replicas\" must be 1: a Space runs once here");
	return runtime_answer(call, err);
}
