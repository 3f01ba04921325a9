#include "space/space.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "build/recipe.h"
#include "space/hardware.h"
#include "space/keys.h"
#include "space/ledger.h"
#include "space/volume.h"

enum {
	SLUG_MAX = 63, /* of a DNS label (RFC 1035, section 2.3.4) */
	SLUG_MARK = 6, /* hex digits that tell two of the same letters apart */
	SLUG_TRIES = 16,
	SETUP_LIST_MAX = 256,
};

#define COLUMNS                                                                                  \
	"repo_id, hex, full_name, slug, owner_hex, creator_hex, sdk, is_private, generation,"    \
	" \"commit\", flavor, sleep_s, storage, paused, deleting, restart_nonce, factory_nonce," \
	" stage, error, current_flavor, running_commit, run_log, build_log, settled,"            \
	" built_commit, built_factory, env_layer, env_cache, app_file, app_port, app_title,"     \
	" startup_s, env_own, app_sdk, settles_ms, app_closed,"                                  \
	" (SELECT l.slug FROM left_slugs l WHERE l.repo_id = spaces.repo_id LIMIT 1),"           \
	" data_drops, data_dropped, data_bytes, depth, wake_ms"

int space_sleep_check(int64_t seconds, struct err *err)
{
	if (seconds == -1 || (seconds >= SPACE_SLEEP_MIN_S && seconds <= SPACE_SLEEP_MAX_S))
		return 0;
	return err_set(err, ERR_INVALID, "a sleep time must be -1, never, or from %d to %d seconds",
		       SPACE_SLEEP_MIN_S, SPACE_SLEEP_MAX_S);
}

int space_storage_rank(const char *tier)
{
	static const char *const tiers[] = {"", "small", "medium", "large"};

	for (int i = 0; i < (int)(sizeof(tiers) / sizeof(*tiers)); i++)
		if (strcmp(tiers[i], tier) == 0)
			return i;
	return -1;
}

/* Is `text` one of a NULL-terminated list? */
static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

static int check_keys(const json_t *list, const char *field, struct err *err)
{
	struct keys_entry entry;
	const json_t *item;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return err_set(err, ERR_INVALID, "%s must be a list", field);
	if (json_array_size(list) > SETUP_LIST_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s has more than %d entries", field,
			       SETUP_LIST_MAX);
	json_array_foreach (list, i, item)
		if (keys_from_json(item, &entry, err) < 0)
			return err_in(err, "%s", field);
	return 0;
}

/* An environment has one value for a name. */
static int check_clash(const struct space_setup *setup, struct err *err)
{
	const json_t *secret;
	const json_t *variable;
	size_t i;
	size_t j;

	json_array_foreach (setup->secrets, i, secret)
		json_array_foreach (setup->variables, j, variable)
			if (json_equal(json_object_get(secret, "key"),
				       json_object_get(variable, "key")))
				return err_set(err, ERR_INVALID,
					       "%s is among secrets and variables",
					       json_string_value(json_object_get(secret, "key")));
	return 0;
}

int space_setup_check(const struct space_setup *setup, struct err *err)
{
	static const char *const sdks[] = {"gradio", "streamlit", "docker", "static", NULL};

	if (!setup->sdk || !is_one_of(setup->sdk, sdks))
		return err_set(err, ERR_INVALID,
			       "sdk must be one of [gradio, streamlit, docker, static]");
	if (strcmp(setup->sdk, "static") == 0 && setup->flavor &&
	    strcmp(setup->flavor->name, HARDWARE_BASIC) != 0)
		return err_set(err, ERR_INVALID, "a static space runs nothing and has no hardware");
	if (setup->storage && space_storage_rank(setup->storage) <= 0)
		return err_set(err, ERR_INVALID,
			       "storageTier must be one of [small, medium, large]");
	if (setup->sleep_s != 0 && space_sleep_check(setup->sleep_s, err) < 0)
		return err_in(err, "sleepTimeSeconds");
	if (check_keys(setup->secrets, "secrets", err) < 0 ||
	    check_keys(setup->variables, "variables", err) < 0 || check_clash(setup, err) < 0)
		return -1;
	return volume_check(setup->volumes, err);
}

/* The `try`th host name of owner/name; from the second on with a mark. */
static void make_slug(const char *full_name, unsigned try, char out[static SLUG_MAX + 1])
{
	owned(hash_free) struct hash *hash = hash_new();
	size_t room = SLUG_MAX - (try > 0 ? SLUG_MARK + 1 : 0);
	char hex[HASH_HEX];
	char number = (char)try;
	size_t length = 0;

	for (const char *at = full_name; *at && length < room; at++) {
		unsigned char c = (unsigned char)*at;

		out[length++] = (char)(isalnum(c) ? tolower(c) : '-');
	}
	out[length] = '\0';
	if (try == 0)
		return;
	hash_add_field(hash, full_name);
	hash_add(hash, &number, 1);
	hash_end(hash, hex);
	out[length++] = '-';
	memcpy(out + length, hex, SLUG_MARK);
	out[length + SLUG_MARK] = '\0';
}

/* 1 taken by another, 0 free, -1 failed. */
static int slug_is_taken(struct store_db *db, const char *slug, int64_t repo_id, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT 1 FROM spaces WHERE slug = ? AND deleting = 0 AND repo_id <> ?");

	store_bind_text(query, slug);
	store_bind_int(query, repo_id);
	return store_step(query, err);
}

static int choose_slug(struct store_db *db, const struct repo *repo, char out[static SLUG_MAX + 1],
		       struct err *err)
{
	const char *full_name = repo->full_name;

	for (unsigned try = strlen(full_name) > SLUG_MAX; try < SLUG_TRIES; try++) {
		int taken;

		make_slug(full_name, try, out);
		taken = slug_is_taken(db, out, repo->id, err);
		if (taken <= 0)
			return taken;
	}
	return err_set(err, ERR_SYSTEM, "no host name is left for %s", full_name);
}

int64_t space_sleep_of(const char *flavor, int64_t wanted_s)
{
	if (strcmp(flavor, HARDWARE_BASIC) == 0)
		return SPACE_SLEEP_DEFAULT_S;
	return wanted_s ? wanted_s : -1;
}

static bool app_is_private(const struct repo *repo)
{
	return repo->is_private && !repo->is_protected;
}

static int add_row(struct store_db *db, const struct repo *repo, const struct space_setup *setup,
		   const char *slug, struct err *err)
{
	const char *flavor = setup->flavor ? setup->flavor->name : HARDWARE_BASIC;
	owned(store_query_end) struct store_query *query = store_query(
		db,
		"INSERT INTO spaces (repo_id, hex, full_name, slug, owner_hex, creator_hex, sdk,"
		" is_private, flavor, sleep_s, storage, stage, settled, updated_ms) VALUES"
		" (?, ?, ?, ?, coalesce((SELECT hex FROM accounts WHERE id = ?), ''),"
		" coalesce((SELECT hex FROM accounts WHERE id = ?), ''), ?, ?, ?, ?, ?, ?,"
		" 1, ?)");

	store_bind_int(query, repo->id);
	store_bind_text(query, repo->hex);
	store_bind_text(query, repo->full_name);
	store_bind_text(query, slug);
	store_bind_int(query, repo->owner_id);
	store_bind_int(query, repo->creator_id);
	store_bind_text(query, setup->sdk);
	store_bind_int(query, app_is_private(repo));
	store_bind_text(query, flavor);
	store_bind_int(query, space_sleep_of(flavor, setup->sleep_s));
	store_bind_text(query, setup->storage ? setup->storage : "");
	store_bind_text(query, stage_name(STAGE_NO_APP_FILE));
	store_bind_int(query, clock_wall_ms());
	return store_step(query, err) < 0 ? err_in(err, "space %s", repo->full_name) : 0;
}

static int add_keys(const struct keys *keys, enum keys_kind kind, const json_t *list,
		    struct err *err)
{
	struct keys_entry entry;
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (keys_from_json(item, &entry, err) < 0 || keys_set(keys, kind, &entry, err) < 0)
			return -1;
	return 0;
}

int space_add(struct store_db *db, const struct repo *repo, const struct space_setup *setup,
	      struct err *err)
{
	const struct keys keys = {db, repo->id, setup->vault};
	char slug[SLUG_MAX + 1];

	assert(setup->vault || json_array_size(setup->secrets) == 0);
	if (space_setup_check(setup, err) < 0 || choose_slug(db, repo, slug, err) < 0 ||
	    add_row(db, repo, setup, slug, err) < 0 ||
	    add_keys(&keys, KEYS_VARIABLE, setup->variables, err) < 0 ||
	    add_keys(&keys, KEYS_SECRET, setup->secrets, err) < 0)
		return -1;
	return volume_set(db, repo->id, setup->volumes, err) < 0 ? -1 : 0;
}

static void read_plan(struct store_query *query, int column, struct space_plan *out)
{
	store_copy(query, column, out->commit, sizeof(out->commit));
	out->factory = store_int(query, column + 1);
	store_copy(query, column + 2, out->env_layer, sizeof(out->env_layer));
	store_copy(query, column + 3, out->env_cache, sizeof(out->env_cache));
	store_copy(query, column + 4, out->app_file, sizeof(out->app_file));
	out->app_port = (uint16_t)store_int(query, column + 5);
	store_copy(query, column + 6, out->title, sizeof(out->title));
	out->startup_s = store_int(query, column + 7);
	store_copy(query, column + 8, out->env_own, sizeof(out->env_own));
	store_copy(query, column + 9, out->sdk, sizeof(out->sdk));
	out->closed = store_int(query, column + 11) != 0;
}

static int read_space(struct store_query *query, struct space *out, struct err *err)
{
	*out = (struct space){.repo_id = store_int(query, 0)};
	store_copy(query, 1, out->hex, sizeof(out->hex));
	store_copy(query, 2, out->full_name, sizeof(out->full_name));
	store_copy(query, 3, out->slug, sizeof(out->slug));
	store_copy(query, 4, out->owner_hex, sizeof(out->owner_hex));
	store_copy(query, 5, out->creator_hex, sizeof(out->creator_hex));
	store_copy(query, 6, out->sdk, sizeof(out->sdk));
	out->is_private = store_int(query, 7) != 0;
	out->generation = store_int(query, 8);
	store_copy(query, 9, out->commit, sizeof(out->commit));
	store_copy(query, 10, out->flavor, sizeof(out->flavor));
	out->sleep_s = store_int(query, 11);
	store_copy(query, 12, out->storage, sizeof(out->storage));
	out->paused = store_int(query, 13) != 0;
	out->deleting = store_int(query, 14) != 0;
	out->restart_nonce = store_int(query, 15);
	out->factory_nonce = store_int(query, 16);
	if (!stage_parse(store_text(query, 17), &out->stage))
		return err_set(err, ERR_SYSTEM, "space %s has a stage of another version",
			       out->full_name);
	store_copy(query, 18, out->error, sizeof(out->error));
	store_copy(query, 19, out->current_flavor, sizeof(out->current_flavor));
	store_copy(query, 20, out->running_commit, sizeof(out->running_commit));
	out->run_log = store_int(query, 21);
	out->build_log = store_int(query, 22);
	out->settled = store_int(query, 23);
	read_plan(query, 24, &out->plan);
	out->settles_ms = store_int(query, 34);
	store_copy(query, 36, out->left_slug, sizeof(out->left_slug));
	out->data_drops = store_int(query, 37);
	out->data_dropped = store_int(query, 38);
	out->data_bytes = (uint64_t)store_int(query, 39);
	store_copy(query, 40, out->depth, sizeof(out->depth));
	out->wake_ms = store_int(query, 41);
	return 1;
}

int space_get(struct store_db *db, int64_t repo_id, struct space *out, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT " COLUMNS " FROM spaces WHERE repo_id = ?");
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	return row > 0 ? read_space(query, out, err) : row;
}

int space_by_slug(struct store_db *db, const char *slug, struct space *out, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT " COLUMNS " FROM spaces WHERE slug = ? AND deleting = 0");
	int row;

	store_bind_text(query, slug);
	row = store_step(query, err);
	return row > 0 ? read_space(query, out, err) : row;
}

int space_need(struct store_db *db, int64_t repo_id, struct space *out, struct err *err)
{
	int found = space_get(db, repo_id, out, err);

	if (found == 0)
		return err_set(err, ERR_NO_REPO, "no such space");
	return found < 0 ? -1 : 0;
}

int space_serves(struct store_db *db, int64_t repo_id, bool *out, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT 1 FROM runs JOIN spaces USING (repo_id) WHERE repo_id = ?"
		    " AND kind = 'app' AND ready_ms IS NOT NULL AND ended_ms IS NULL"
		    " AND runs.restart_nonce = spaces.restart_nonce AND NOT paused AND NOT deleting"
		    /* it sleeps, and is being stopped */
		    " AND NOT (slept_ms IS NOT NULL AND settled = runs.generation)");
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row < 0)
		return -1;
	*out = row > 0;
	return 0;
}

int space_write_wish(struct store_db *db, const struct space *space, enum stage_event event,
		     bool serves, struct err *err)
{
	enum stage stage = stage_next(space->stage, event, serves);
	/* A stage that stays, and that nothing follows: what it says holds for this wish, too. */
	bool stays = stage == space->stage && space->settled == space->generation &&
		     !stage_is_passing(stage);
	owned(store_query_end) struct store_query *query = store_query(
		db,
		"UPDATE spaces SET generation = ?, \"commit\" = ?, flavor = ?, sleep_s = ?,"
		" storage = ?, paused = ?, deleting = ?, restart_nonce = ?, factory_nonce = ?,"
		" settles_ms = ?, data_drops = ?, build_log = ?, stage = ?, error = ?, settled = ?,"
		" updated_ms = ? WHERE repo_id = ?");

	store_bind_int(query, space->generation + 1);
	store_bind_text(query, space->commit);
	store_bind_text(query, space->flavor);
	store_bind_int(query, space->sleep_s);
	store_bind_text(query, space->storage);
	store_bind_int(query, space->paused);
	store_bind_int(query, space->deleting);
	store_bind_int(query, space->restart_nonce);
	store_bind_int(query, space->factory_nonce);
	store_bind_int(query, space->settles_ms);
	store_bind_int(query, space->data_drops);
	store_bind_int(query, space->build_log);
	store_bind_text(query, stage_name(stage));
	store_bind_text(query, stays ? space->error : "");
	store_bind_int(query, stays ? space->generation + 1 : space->settled);
	store_bind_int(query, clock_wall_ms());
	store_bind_int(query, space->repo_id);
	return store_step(query, err) < 0 ? err_in(err, "space %s", space->full_name) : 0;
}

int space_pushed(struct store_db *db, int64_t repo_id, const char *commit, struct err *err)
{
	struct space space;
	bool serves;

	if (space_need(db, repo_id, &space, err) < 0 || space_serves(db, repo_id, &serves, err) < 0)
		return -1;
	if (space.deleting || strcmp(space.commit, commit) == 0)
		return 0;
	memcpy(space.commit, commit, strnlen(commit, sizeof(space.commit) - 1) + 1);
	/* The number now, so that who asks for the log at once gets the new one. */
	space.build_log++;
	return space_write_wish(db, &space, STAGE_EVENT_PUSHED, serves, err);
}

int space_restart(struct store_db *db, int64_t repo_id, bool factory, struct err *err)
{
	struct space space;

	if (space_need(db, repo_id, &space, err) < 0)
		return -1;
	if (space.deleting)
		return err_set(err, ERR_NO_REPO, "no such space");
	space.paused = false;
	space.restart_nonce++;
	space.settles_ms = 0; /* who asks for it has nothing more to change */
	if (factory) {
		space.factory_nonce++;
		space.build_log++;
	}
	return space_write_wish(db, &space, STAGE_EVENT_RESTARTED, false, err);
}

int space_set_access(struct store_db *db, const struct repo *repo, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE spaces SET is_private = ? WHERE repo_id = ? AND deleting = 0");

	store_bind_int(query, app_is_private(repo));
	store_bind_int(query, repo->id);
	return store_step(query, err) < 0 ? -1 : 0;
}

/* Finish an UPDATE of one Space. */
static int update(struct store_query *query, const char *what, struct err *err)
{
	return store_step(query, err) < 0 ? err_in(err, "%s", what) : 0;
}

/* The route is taken away by the space loop, which may be down now. */
static int leave_slug(struct store_db *db, const struct space *space, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT INTO left_slugs (slug, repo_id) VALUES (?1, ?2)"
				" ON CONFLICT DO UPDATE SET repo_id = ?2");

	store_bind_text(query, space->slug);
	store_bind_int(query, space->repo_id);
	return update(query, "old host name", err);
}

int space_move(struct store_db *db, const struct repo *repo, struct err *err)
{
	char slug[SLUG_MAX + 1];
	struct space space;

	if (space_need(db, repo->id, &space, err) < 0 || choose_slug(db, repo, slug, err) < 0 ||
	    (strcmp(slug, space.slug) != 0 && leave_slug(db, &space, err) < 0))
		return -1;

	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE spaces SET full_name = ?, slug = ?, owner_hex ="
		    " coalesce((SELECT hex FROM accounts WHERE id = ?), '') WHERE repo_id = ?");

	store_bind_text(query, repo->full_name);
	store_bind_text(query, slug);
	store_bind_int(query, repo->owner_id);
	store_bind_int(query, repo->id);
	if (update(query, repo->full_name, err) < 0)
		return -1;
	return ledger_renew(db, repo->id, err);
}

int space_forget_slug(struct store_db *db, const char *slug, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM left_slugs WHERE slug = ?");

	store_bind_text(query, slug);
	return update(query, "old host name", err);
}

int space_delete(struct store_db *db, int64_t repo_id, struct err *err)
{
	struct space space;

	if (space_need(db, repo_id, &space, err) < 0)
		return -1;
	if (space.deleting)
		return 0;
	space.deleting = true;
	space.data_drops += *space.storage != '\0';
	return space_write_wish(db, &space, STAGE_EVENT_DELETED, false, err);
}

static int each_row(struct store_query *query, void (*each)(void *arg, int64_t repo_id), void *arg,
		    struct err *err)
{
	int row;

	while ((row = store_step(query, err)) > 0)
		each(arg, store_int(query, 0));
	return row;
}

int space_each(struct store_db *db, void (*each)(void *arg, int64_t repo_id), void *arg,
	       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT repo_id FROM spaces ORDER BY repo_id");

	return each_row(query, each, arg, err);
}

int space_each_waiting(struct store_db *db, const char *env_layer,
		       void (*each)(void *arg, int64_t repo_id), void *arg, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT repo_id FROM spaces WHERE env_layer = ? AND built_commit = \"commit\""
		    " AND built_factory = factory_nonce AND settled <> generation"
		    " AND NOT deleting AND NOT paused ORDER BY repo_id");

	store_bind_text(query, env_layer);
	return each_row(query, each, arg, err);
}

int space_shares(struct store_db *db, int64_t repo_id, const char *env_layer, bool *out,
		 struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT 1 FROM spaces WHERE env_layer = ? AND repo_id <> ? AND NOT deleting");
	int row;

	store_bind_text(query, env_layer);
	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row < 0)
		return -1;
	*out = row > 0;
	return 0;
}

int space_set_stage(struct store_db *db, const struct space *space, enum stage stage,
		    const char *error, struct err *err)
{
	/* A newer wish has set its own stage meanwhile: that one holds. */
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET stage = ?, error = ?, updated_ms = ?"
				" WHERE repo_id = ? AND generation = ?");

	store_bind_text(query, stage_name(stage));
	store_bind_text(query, error);
	store_bind_int(query, clock_wall_ms());
	store_bind_int(query, space->repo_id);
	store_bind_int(query, space->generation);
	return update(query, space->full_name, err);
}

int space_settle(struct store_db *db, const struct space *space, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET settled = ? WHERE repo_id = ?");

	store_bind_int(query, space->generation);
	store_bind_int(query, space->repo_id);
	return update(query, space->full_name, err);
}

int space_set_plan(struct store_db *db, int64_t repo_id, const struct space_plan *plan,
		   struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE spaces SET built_commit = ?, built_factory = ?, env_layer = ?,"
		    " env_cache = ?, app_file = ?, app_port = ?, app_title = ?, startup_s = ?,"
		    " env_own = ?, app_sdk = ?, app_closed = ? WHERE repo_id = ?");

	store_bind_text(query, plan->commit);
	store_bind_int(query, plan->factory);
	store_bind_text(query, plan->env_layer);
	store_bind_text(query, plan->env_cache);
	store_bind_text(query, plan->app_file);
	store_bind_int(query, plan->app_port);
	store_bind_text(query, plan->title);
	store_bind_int(query, plan->startup_s);
	store_bind_text(query, plan->env_own);
	store_bind_text(query, plan->sdk);
	store_bind_int(query, plan->closed);
	store_bind_int(query, repo_id);
	return update(query, "plan", err);
}

bool space_wants_run(const struct space *space)
{
	return !space->paused && !space->deleting && space->settled != space->generation;
}

int space_set_current(struct store_db *db, int64_t repo_id, const char *flavor, const char *commit,
		      struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE spaces SET current_flavor = ?, running_commit = ? WHERE repo_id = ?");

	store_bind_text(query, flavor);
	store_bind_text(query, commit);
	store_bind_int(query, repo_id);
	return update(query, "current", err);
}

int space_set_data(struct store_db *db, int64_t repo_id, uint64_t bytes, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE spaces SET data_bytes = max(data_bytes, ?) WHERE repo_id = ?");

	store_bind_int(query, (int64_t)bytes);
	store_bind_int(query, repo_id);
	return update(query, "data", err);
}

int space_set_dropped(struct store_db *db, int64_t repo_id, int64_t drops, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "UPDATE spaces SET data_dropped = ?, data_bytes = 0 WHERE repo_id = ?");

	store_bind_int(query, drops);
	store_bind_int(query, repo_id);
	return update(query, "data", err);
}

int space_set_depth(struct store_db *db, int64_t repo_id, const char *depth, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET depth = ? WHERE repo_id = ?");

	store_bind_text(query, depth);
	store_bind_int(query, repo_id);
	return update(query, "depth", err);
}

int space_set_wake(struct store_db *db, int64_t repo_id, int64_t wake_ms, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE spaces SET wake_ms = ? WHERE repo_id = ?");

	store_bind_int(query, wake_ms);
	store_bind_int(query, repo_id);
	return update(query, "wake", err);
}

int space_rise(struct store_db *db, int64_t repo_id, struct err *err)
{
	struct space space;

	if (space_need(db, repo_id, &space, err) < 0)
		return -1;
	if (space.stage != STAGE_SLEEPING)
		return 0;
	space.restart_nonce++; /* the old run may still be ending */
	space.settles_ms = 0;
	return space_write_wish(db, &space, STAGE_EVENT_REWISHED, false, err);
}

/* `sql` returns the new number of one row. */
static int next_log(struct store_db *db, const char *sql, int64_t repo_id, int64_t *out,
		    struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, sql);
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row == 0)
		return err_set(err, ERR_NO_REPO, "no such space");
	if (row < 0)
		return -1;
	*out = store_int(query, 0);
	return store_step(query, err) < 0 ? -1 : 0;
}

int space_next_build_log(struct store_db *db, int64_t repo_id, int64_t *out, struct err *err)
{
	return next_log(db,
			"UPDATE spaces SET build_log = build_log + 1 WHERE repo_id = ?"
			" RETURNING build_log",
			repo_id, out, err);
}

int space_next_run_log(struct store_db *db, int64_t repo_id, int64_t *out, struct err *err)
{
	return next_log(db,
			"UPDATE spaces SET run_log = run_log + 1 WHERE repo_id = ?"
			" RETURNING run_log",
			repo_id, out, err);
}

int space_remove(struct store_db *db, int64_t repo_id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM spaces WHERE repo_id = ?"); /* the rest cascades */

	store_bind_int(query, repo_id);
	return update(query, "remove", err);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *domains(const char *host)
{
	return json_pack("[{s:s, s:s}]", "domain", host, "stage", "READY");
}

/* Ours: how deep it sleeps, and how long the visitor has waited who woke it last. */
static json_t *sleep_json(const struct space *space, bool asleep)
{
	return json_pack("{s:o, s:o}", "depth", text_or_null(asleep ? space->depth : ""),
			 "lastWakeMs", space->wake_ms ? json_integer(space->wake_ms) : json_null());
}

json_t *space_runtime_json(const struct space *space, const char *host)
{
	bool is_static = strcmp(space->sdk, "static") == 0;
	bool asleep = space->stage == STAGE_SLEEPING;
	/* However deep it sleeps: it uses none of it. And a start that was given up has none. */
	bool uses = !is_static && !asleep &&
		    (*space->running_commit || space->stage == STAGE_RUNNING ||
		     stage_is_passing(space->stage));
	const char *current = uses ? space->current_flavor : "";
	bool runs = *current != '\0';
	json_t *replicas = json_pack("{s:i}", "requested", 1);
	json_t *json = json_pack("{s:s, s:{s:o, s:o}, s:o}", "stage", stage_name(space->stage),
				 "hardware", "current", text_or_null(current), "requested",
				 text_or_null(is_static ? "" : space->flavor), "storage",
				 text_or_null(space->storage));

	if (runs || is_static)
		json_object_set_new(replicas, "current", json_integer(1));
	json_object_set_new(json, "replicas", replicas);
	if (*space->error)
		json_object_set_new(json, "errorMessage", json_string(space->error));
	if (*space->running_commit)
		json_object_set_new(json, "sha", json_string(space->running_commit));
	if (is_static)
		return json;
	json_object_set_new(json, "gcTimeout",
			    space->sleep_s < 0 ? json_null() : json_integer(space->sleep_s));
	if (asleep || space->wake_ms)
		json_object_set_new(json, "sleep", sleep_json(space, asleep));
	json_object_set_new(json, "devMode", json_false());
	json_object_set_new(json, "domains", domains(host));
	return json;
}
