#include "api/runtime.h"

#include <errno.h>
#include <stdlib.h>

#include "api/answer.h"
#include "api/quota.h"
#include "api/url.h"
#include "api/watch.h"
#include "base/mem.h"
#include "space/grant.h"
#include "space/place.h"
#include "space/volume.h"

/*
 * The run of a Space and its logs: A10, A12.
 */

/* Names for people, beside those for programs. */
static void add_titles(const struct hardware *hardware, json_t *names)
{
	static const char *const keys[][2] = {{"current", "currentPrettyName"},
					      {"requested", "requestedPrettyName"}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *name = json_string_value(json_object_get(names, keys[i][0]));
		const struct hardware_flavor *flavor = name ? hardware_find(hardware, name) : NULL;

		if (flavor)
			json_object_set_new(names, keys[i][1], json_string(flavor->title));
	}
}

int runtime_may_have(const struct call *call, struct store_db *db, int64_t owner_id,
		     const char *flavor, struct err *err)
{
	if (!call->config->grants || call->actor.admin)
		return 0;
	return grant_check(db, owner_id, flavor, err);
}

/* What people should know: why the hardware is another one. */
static int add_note(struct store_db *db, const struct space *space, json_t *runtime,
		    struct err *err)
{
	char note[GRANT_NOTE];

	if (grant_note(db, space->repo_id, note, err) < 0)
		return -1;
	if (*note)
		json_object_set_new(json_object_get(runtime, "hardware"), "note",
				    json_string(note));
	return 0;
}

/* Why hardware that was asked for is not there yet. */
static int add_wait(struct store_db *db, const struct hardware *hardware, const struct space *space,
		    json_t *runtime, struct err *err)
{
	struct place_wait wait;
	json_t *reason;

	if (place_look(db, hardware, space->repo_id, &wait, err) < 0)
		return -1;
	if (wait.position == 0)
		return 0;
	reason = json_sprintf(
		"%zu of %zu places of %s are taken, %lld before this Space in the queue",
		wait.taken, wait.all, space->flavor, (long long)wait.position - 1);
	json_object_set_new(json_object_get(runtime, "hardware"), "queue",
			    json_pack("{s:I, s:I, s:o, s:o}", "position", (json_int_t)wait.position,
				      "waiting", (json_int_t)wait.waiting, "since",
				      answer_stamp(wait.since_ms), "reason", reason));
	return 0;
}

int runtime_of(struct store *store, const struct hardware *hardware, const struct space *space,
	       const char *host, json_t **out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(json_decref) json_t *volumes = NULL;
	owned(json_decref) json_t *runtime = NULL;

	if (store_read_begin(store, &read, err) < 0 ||
	    volume_list(store_read_db(read), space->repo_id, &volumes, err) < 0)
		return -1;
	runtime = space_runtime_json(space, host);
	add_titles(hardware, json_object_get(runtime, "hardware"));
	if (json_array_size(volumes) > 0)
		json_object_set(runtime, "volumes", volumes);
	if (add_note(store_read_db(read), space, runtime, err) < 0 ||
	    add_wait(store_read_db(read), hardware, space, runtime, err) < 0)
		return -1;
	*out = take(runtime);
	return 0;
}

int runtime_json(struct call *call, const struct space *space, json_t **out, struct err *err)
{
	owned(free) char *host = url_space_host(call, space->slug);

	return runtime_of(call->config->store, call->config->hardware, space, host, out, err);
}

int runtime_answer(struct call *call, struct err *err)
{
	struct space space;
	json_t *runtime;

	if (call_space(call, &space, err) < 0 || runtime_json(call, &space, &runtime, err) < 0)
		return -1;
	answer_json(call->answer, runtime);
	return 0;
}

int runtime_seconds(const json_t *body, const char *key, int64_t *out, struct err *err)
{
	const char *text = json_string_value(json_object_get(body, key));
	int64_t seconds;
	char *end;

	if (!text)
		return json_get_int(body, key, out, err);
	errno = 0;
	seconds = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return err_set(err, ERR_INVALID, "\"%s\" must be a number", key);
	*out = seconds;
	return 0;
}

int runtime_no_sleep_time(const struct call *call, const char *key, struct err *err)
{
	return err_set(err, ERR_INVALID, "\"%s\" must be -1, never, or from %lld to %d", key,
		       (long long)call->config->sleep_min_s, SPACE_SLEEP_MAX_S);
}

int runtime_sleep_time(struct call *call, const json_t *body, const char *key, int64_t *out,
		       struct err *err)
{
	int64_t seconds = *out;

	if (runtime_seconds(body, key, &seconds, err) < 0)
		return -1;
	if (seconds != 0 && seconds != -1 &&
	    (seconds < call->config->sleep_min_s || seconds > SPACE_SLEEP_MAX_S))
		return runtime_no_sleep_time(call, key, err);
	*out = seconds;
	return 0;
}

int call_runtime(struct call *call, struct err *err)
{
	return runtime_answer(call, err);
}

/*
 * A log is a stream that may live for hours, so that no thread of ours serves it: nginx turns to
 * the stream server (http/follow.h), at an address that only we can name. Number 0: there is no
 * log.
 */
static int answer_log(struct call *call, const char *kind, int64_t number, struct err *err)
{
	owned(free) char *tail = NULL;
	int64_t lines = -1;

	if (http_query_int(call->request, "tail", &lines, err) < 0)
		return -1;
	tail = lines >= 0 ? mem_format("?tail=%lld", (long long)lines) : mem_text("");
	if (number > 0)
		http_add_headerf(call->answer, "X-Accel-Redirect", "/_stream/%s/logs/%s-%lld.log%s",
				 call->repo.hex, kind, (long long)number, tail);
	else
		http_add_header(call->answer, "X-Accel-Redirect", "/_stream/none");
	return 0;
}

/* The first build's log is waited for: who uploads and follows at once is there before it is. */
int call_logs_build(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	if (space.build_log == 0 && stage_is_passing(space.stage))
		space.build_log = 1;
	return answer_log(call, "build", space.build_log, err);
}

int call_logs_run(struct call *call, struct err *err)
{
	struct space space;

	if (call_space(call, &space, err) < 0)
		return -1;
	return answer_log(call, "run", space.run_log, err);
}

/* What is watched lives as a feed of the stream server, by a ticket that only nginx hears. */
static int answer_watch(struct call *call, enum watch_kind kind, struct err *err)
{
	owned(free) char *domain = url_space_host(call, "");
	owned(free) char *caller = quota_caller(call);
	char ticket[WATCH_TICKET_ROOM];
	const struct watch_viewer viewer = {
		.kind = kind,
		.repo_id = call->repo.id,
		.right = call->row->right,
		.user_id = call->actor.user_id,
		.token_id = call->actor.token_id,
		.caller = caller,
		.domain = domain,
	};

	if (watch_open(call->config->watch, &viewer, ticket, err) < 0)
		return -1;
	http_add_headerf(call->answer, "X-Accel-Redirect", "/_stream/feed/%s", ticket);
	return 0;
}

int call_events(struct call *call, struct err *err)
{
	return answer_watch(call, WATCH_EVENTS, err);
}

int call_metrics(struct call *call, struct err *err)
{
	return answer_watch(call, WATCH_METRICS, err);
}
