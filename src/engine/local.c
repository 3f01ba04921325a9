#include "engine/local.h"

#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/link.h"
#include "engine/request.h"
#include "engine/runs.h"

struct waiter {
	struct waiter *next;
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

/* A disk whose removal has not been answered. */
struct drop {
	struct drop *next;
	uint64_t id;
	char space[25];
};

struct local {
	struct engine engine; /* first: the two share an address */
	struct link *link;
	uint64_t session;
	uint64_t last_id;
	struct runs runs;     /* the mirror */
	struct runs arriving; /* the list that answers observe_id */
	uint64_t observe_id;  /* 0 while the mirror is good */
	struct drop *drops;
	struct waiter *waiters;
	uint64_t prepare_id;   /* 0: nobody waits */
	struct runs measuring; /* each with the request that asks for its metrics */
};

static struct local *local_of(struct engine *engine)
{
	return (struct local *)engine;
}

static struct str begin(struct local *local, enum request_kind kind)
{
	return request_begin(kind, ++local->last_id, local->session);
}

static int send_key(struct engine *engine, enum request_kind kind, const char *key, struct err *err)
{
	struct local *local = local_of(engine);
	struct str message = begin(local, kind);

	request_add_text(&message, REQUEST_TAG_KEY, key);
	return link_send(local->link, &message, err);
}

static int submit(struct engine *engine, const struct engine_spec *spec, struct err *err)
{
	struct local *local = local_of(engine);
	struct engine_run run = runs_submitted(spec);
	struct str message;

	if (local->observe_id)
		return err_set(err, ERR_BUSY, "the runner has not reported yet");
	if (runs_find(&local->runs, spec->key))
		return 0;
	message = begin(local, REQUEST_SUBMIT);
	request_add_spec(&message, spec);
	if (link_send(local->link, &message, err) < 0)
		return err_in(err, "run %s", spec->key);
	runs_put(&local->runs, &run)->request = local->last_id;
	return 0;
}

static int observe(struct engine *engine, void (*each)(void *arg, const struct engine_run *run),
		   void *arg, struct err *err)
{
	struct local *local = local_of(engine);

	if (local->observe_id)
		return err_set(err, ERR_BUSY, "the runner has not reported yet");
	for (size_t i = 0; i < local->runs.count; i++) {
		struct engine_run run = local->runs.items[i].run;

		each(arg, &run);
	}
	return 0;
}

static int stop(struct engine *engine, const char *key, uint32_t grace_ms, struct err *err)
{
	struct local *local = local_of(engine);
	struct str message = begin(local, REQUEST_STOP);

	request_add_text(&message, REQUEST_TAG_KEY, key);
	request_add_number(&message, REQUEST_TAG_GRACE, grace_ms);
	return link_send(local->link, &message, err);
}

static int suspend(struct engine *engine, const char *key, struct err *err)
{
	return send_key(engine, REQUEST_SUSPEND, key, err);
}

static int page_out(struct engine *engine, const char *key, struct err *err)
{
	return send_key(engine, REQUEST_PAGE_OUT, key, err);
}

static int resume(struct engine *engine, const char *key, struct err *err)
{
	return send_key(engine, REQUEST_RESUME, key, err);
}

static int forget(struct engine *engine, const char *key, struct err *err)
{
	struct local *local = local_of(engine);

	if (send_key(engine, REQUEST_FORGET, key, err) < 0)
		return -1;
	runs_remove(&local->runs, key);
	return 0;
}

static int drop_data(struct engine *engine, const char *space, struct err *err)
{
	struct local *local = local_of(engine);
	struct str message = begin(local, REQUEST_DROP_DATA);
	struct drop *drop;

	request_add_text(&message, REQUEST_TAG_SPACE, space);
	if (link_send(local->link, &message, err) < 0)
		return err_in(err, "the disk of %s", space);
	drop = mem_new(struct drop);
	drop->id = local->last_id;
	snprintf(drop->space, sizeof(drop->space), "%s", space);
	drop->next = local->drops;
	local->drops = drop;
	return 0;
}

static void finish_drop(struct local *local, struct drop *drop, const struct err *err)
{
	if (local->engine.dropped)
		local->engine.dropped(local->engine.arg, drop->space, err);
	free(drop);
}

/* False: it is no answer to a removal. */
static bool on_drop_reply(struct local *local, uint64_t id, const struct err *err)
{
	for (struct drop **at = &local->drops; *at; at = &(*at)->next) {
		struct drop *drop = *at;

		if (drop->id != id)
			continue;
		*at = drop->next;
		finish_drop(local, drop, err);
		return true;
	}
	return false;
}

/* A second question about the same run waits for the answer to the first. */
static int measure(struct engine *engine, const char *key, struct err *err)
{
	struct local *local = local_of(engine);
	const struct runs_entry *entry = runs_find(&local->runs, key);

	if (!entry || (entry->run.state != ENGINE_RUNNING && entry->run.state != ENGINE_FROZEN))
		return err_set(err, ERR_NOT_FOUND, "run %s has no process", key);
	if (runs_find(&local->measuring, key))
		return 0;
	if (send_key(engine, REQUEST_MEASURE, key, err) < 0)
		return -1;
	runs_put(&local->measuring, &entry->run)->request = local->last_id;
	return 0;
}

/* Is it the answer to a measurement? Without metrics, a refusal. */
static bool on_measured(struct local *local, uint64_t id, const struct engine_metrics *metrics)
{
	for (size_t i = 0; i < local->measuring.count; i++) {
		const struct runs_entry *entry = &local->measuring.items[i];
		char key[ENGINE_KEY_ROOM];

		if (entry->request != id)
			continue;
		memcpy(key, entry->run.key, sizeof(key));
		if (metrics && strcmp(metrics->key, key) != 0)
			metrics = NULL;
		runs_remove(&local->measuring, key);
		if (local->engine.measured)
			local->engine.measured(local->engine.arg, key, metrics);
		return true;
	}
	return false;
}

static int memory(struct engine *engine, struct meminfo *out, struct err *err)
{
	return meminfo_read(out, err);
}

/* The runner has forgotten what it was to remove, or its answer was lost. */
static void lose_drops(struct local *local)
{
	struct drop *lost = take(local->drops); /* the callback may ask anew */
	struct err err = ERR_INIT;

	err_set(&err, ERR_BUSY, "the runner was restarted");
	while (lost) {
		struct drop *next = lost->next;

		finish_drop(local, lost, &err);
		lost = next;
	}
}

static void on_metrics(struct local *local, const struct request *request)
{
	struct engine_metrics metrics;
	struct err err = ERR_INIT;

	if (request_get_metrics(request, &metrics, &err) < 0)
		log_error("engine.metrics", "error=%s", err.text);
	else
		on_measured(local, request->id, &metrics);
}

static void finish_prepare(struct local *local, const struct err *err)
{
	struct waiter *waiter = take(local->waiters);

	local->prepare_id = 0;
	while (waiter) {
		struct waiter *next = waiter->next;

		waiter->done(waiter->arg, err);
		free(waiter);
		waiter = next;
	}
}

static void local_free(struct engine *engine)
{
	struct local *local = local_of(engine);

	if (!local)
		return;
	link_free(local->link);
	runs_done(&local->runs);
	runs_done(&local->arriving);
	while (local->drops) {
		struct drop *next = local->drops->next;

		free(local->drops);
		local->drops = next;
	}
	runs_done(&local->measuring);
	while (local->waiters) {
		struct waiter *next = local->waiters->next;

		free(local->waiters);
		local->waiters = next;
	}
	free(local);
}

static void changed(struct local *local, const struct engine_run *run)
{
	struct engine_run copy = *run; /* the callback may change the mirror */

	if (local->engine.changed)
		local->engine.changed(local->engine.arg, &copy);
}

/* Ask for the whole list, and again for what a dead runner may have been asked. */
static void synchronize(struct local *local)
{
	struct err err = ERR_INIT;
	struct str message = begin(local, REQUEST_OBSERVE);

	lose_drops(local);
	runs_done(&local->arriving);
	runs_done(&local->measuring); /* `lost` answers for them */
	local->observe_id = local->last_id;
	if (link_send(local->link, &message, &err) < 0)
		log_error("engine.observe", "error=%s", err.text); /* HELLO follows a gap */
	if (!local->waiters)
		return;
	message = begin(local, REQUEST_PREPARE);
	local->prepare_id = local->last_id;
	if (link_send(local->link, &message, &err) < 0)
		finish_prepare(local, &err);
}

static void on_submit_refused(struct local *local, uint64_t id, const struct err *err)
{
	for (size_t i = 0; i < local->runs.count; i++) {
		struct runs_entry *entry = &local->runs.items[i];

		if (entry->request != id)
			continue;
		entry->request = 0;
		entry->run.state = ENGINE_ENDED;
		entry->run.exit_status = engine_refusal(err);
		snprintf(entry->run.reason, sizeof(entry->run.reason), "%.*s",
			 (int)sizeof(entry->run.reason) - 1, err->text);
		changed(local, &entry->run);
		return;
	}
	log_warn("engine.refused", "error=%s", err->text);
}

static void on_reply(struct local *local, const struct request *request)
{
	struct err err = ERR_INIT;
	int result = request_get_reply(request, &err);

	if (request->id == local->observe_id && result == 0) {
		runs_done(&local->runs);
		local->runs = local->arriving;
		local->arriving = RUNS_INIT;
		local->observe_id = 0;
		if (local->engine.lost)
			local->engine.lost(local->engine.arg);
	} else if (request->id == local->prepare_id) {
		finish_prepare(local, result < 0 ? &err : NULL);
	} else if (!on_drop_reply(local, request->id, result < 0 ? &err : NULL) && result < 0 &&
		   !on_measured(local, request->id, NULL)) {
		on_submit_refused(local, request->id, &err);
	}
}

static void on_run(struct local *local, const struct request *request)
{
	struct err err = ERR_INIT;
	struct engine_run run;

	if (request_get_run(request, &run, &err) < 0) {
		log_error("engine.run", "error=%s", err.text);
	} else if (request->kind == REQUEST_RUN) {
		if (request->id == local->observe_id)
			runs_put(&local->arriving, &run);
	} else {
		runs_put(&local->runs, &run);
		changed(local, &run);
	}
}

static void on_message(void *arg, const void *bytes, size_t length)
{
	struct local *local = arg;
	owned(request_done) struct request request = REQUEST_INIT;
	struct err err = ERR_INIT;

	if (request_parse(bytes, length, &request, &err) < 0) {
		log_error("engine.message", "error=%s", err.text);
		return;
	}
	if (request.kind == REQUEST_HELLO)
		synchronize(local);
	else if (request.kind != REQUEST_CHANGED && request.session != local->session)
		return; /* for the hub before us */
	else if (request.kind == REQUEST_CHANGED || request.kind == REQUEST_RUN)
		on_run(local, &request);
	else if (request.kind == REQUEST_METRICS)
		on_metrics(local, &request);
	else if (request.kind == REQUEST_REPLY)
		on_reply(local, &request);
}

static void on_gap(void *arg)
{
	synchronize(arg);
}

static const struct engine_ops ops = {
	.name = "local",
	.capabilities = ENGINE_CAN_SUSPEND | ENGINE_CAN_PAGE_OUT | ENGINE_CAN_BUILD,
	.submit = submit,
	.observe = observe,
	.stop = stop,
	.suspend = suspend,
	.page_out = page_out,
	.resume = resume,
	.forget = forget,
	.drop_data = drop_data,
	.measure = measure,
	.memory = memory,
	.free = local_free,
};

int engine_local_new(struct loop *loop, int runner_fd, struct engine **out, struct err *err)
{
	struct local *local = mem_new(struct local);
	const struct link_events events = {.message = on_message, .gap = on_gap, .arg = local};

	local->engine.ops = &ops;
	random_bytes(&local->session, sizeof(local->session));
	if (link_new(loop, runner_fd, &events, &local->link, err) < 0) {
		free(local);
		return -1;
	}
	synchronize(local);
	*out = &local->engine;
	return 0;
}

void engine_local_prepare(struct engine *engine, void (*done)(void *arg, const struct err *err),
			  void *arg)
{
	struct local *local = local_of(engine);
	struct waiter *waiter = mem_new(struct waiter);
	struct err err = ERR_INIT;
	struct str message;

	waiter->done = done;
	waiter->arg = arg;
	waiter->next = local->waiters;
	local->waiters = waiter;
	if (local->prepare_id)
		return;
	message = begin(local, REQUEST_PREPARE);
	local->prepare_id = local->last_id;
	if (link_send(local->link, &message, &err) < 0)
		finish_prepare(local, &err);
}
