#include "engine/fake.h"

#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/request.h"
#include "engine/runs.h"

enum { HALF_GIB = 512 << 20 };

struct drop {
	char space[25];
};

struct stopped {
	char key[ENGINE_KEY_ROOM];
	uint32_t grace_ms;
};

/* A submitted spec lives as the message that it would be: one copy of all of its texts. */
struct submission {
	struct str message;
	struct request request;
	struct request_spec spec;
};

struct fake {
	struct engine engine; /* first: the two share an address */
	struct loop_timer *timer;
	bool automatic;
	bool lost;
	unsigned lacks; /* of enum engine_capability */
	struct err refusal;
	struct runs runs;
	struct engine_run *reports; /* to be delivered by the timer, in order */
	size_t report_count;
	struct submission *submissions;
	size_t submission_count;
	struct stopped *stops;
	size_t stop_count;
	struct drop *drops;
	size_t drop_count;
	size_t drops_told;
	struct err drop_failure;
	struct engine_metrics metrics; /* of the one run that has some */
	struct meminfo memory;         /* of its machine */
	struct runs asked;             /* runs that are to be measured, by the timer */
};

static struct fake *fake_of(const struct engine *engine)
{
	return (struct fake *)engine;
}

static void report(struct fake *fake, const struct engine_run *run)
{
	fake->reports = mem_grow(fake->reports, fake->report_count + 1, sizeof(*fake->reports));
	fake->reports[fake->report_count++] = *run;
	loop_timer_set(fake->timer, 0);
}

static void tell_drops(struct fake *fake)
{
	while (fake->drops_told < fake->drop_count) {
		struct drop drop = fake->drops[fake->drops_told++];
		struct err failure = fake->drop_failure;

		fake->drop_failure = ERR_INIT;
		if (fake->engine.dropped)
			fake->engine.dropped(fake->engine.arg, drop.space,
					     failure.kind ? &failure : NULL);
	}
}

static void deliver_metrics(struct fake *fake)
{
	struct runs asked = fake->asked;

	fake->asked = RUNS_INIT;
	for (size_t i = 0; i < asked.count; i++) {
		const char *key = asked.items[i].run.key;
		bool is_there = strcmp(key, fake->metrics.key) == 0;

		if (fake->engine.measured)
			fake->engine.measured(fake->engine.arg, key,
					      is_there ? &fake->metrics : NULL);
	}
	runs_done(&asked);
}

static void deliver(void *arg)
{
	struct fake *fake = arg;
	owned(free) struct engine_run *reports = take(fake->reports);
	size_t count = fake->report_count;

	fake->report_count = 0;
	for (size_t i = 0; i < count; i++)
		if (fake->engine.changed)
			fake->engine.changed(fake->engine.arg, &reports[i]);
	tell_drops(fake);
	deliver_metrics(fake);
	if (fake->lost && fake->engine.lost) {
		fake->lost = false;
		fake->engine.lost(fake->engine.arg);
	}
}

static void move(struct fake *fake, struct engine_run *run, enum engine_state state)
{
	run->state = state;
	run->paged = false;
	if (state == ENGINE_RUNNING && run->started_ms == 0) {
		run->started_ms = clock_wall_ms();
		run->address = INADDR_LOOPBACK;
	}
	if (state == ENGINE_ENDED)
		run->ended_ms = clock_wall_ms();
	report(fake, run);
}

static int keep_spec(struct fake *fake, const struct engine_spec *spec, struct err *err)
{
	struct submission one = {.request = REQUEST_INIT};

	one.message = request_begin(REQUEST_SUBMIT, 0, 0);
	request_add_spec(&one.message, spec);
	if (str_check(&one.message, "run", err) < 0 ||
	    request_parse(one.message.data, one.message.length, &one.request, err) < 0 ||
	    request_get_spec(&one.request, &one.spec, err) < 0) {
		request_done(&one.request);
		str_done(&one.message);
		return -1;
	}
	fake->submissions = mem_grow(fake->submissions, fake->submission_count + 1, sizeof(one));
	fake->submissions[fake->submission_count++] = one;
	return 0;
}

static int submit(struct engine *engine, const struct engine_spec *spec, struct err *err)
{
	struct fake *fake = fake_of(engine);
	struct engine_run run = runs_submitted(spec);

	if (fake->refusal.kind != ERR_NONE) {
		*err = fake->refusal;
		fake->refusal = ERR_INIT;
		return -1;
	}
	if (runs_find(&fake->runs, spec->key))
		return 0;
	if (keep_spec(fake, spec, err) < 0)
		return -1;
	runs_put(&fake->runs, &run);
	if (fake->automatic)
		move(fake, &runs_find(&fake->runs, spec->key)->run, ENGINE_RUNNING);
	return 0;
}

static int observe(struct engine *engine, void (*each)(void *arg, const struct engine_run *run),
		   void *arg, struct err *err)
{
	struct fake *fake = fake_of(engine);

	for (size_t i = 0; i < fake->runs.count; i++) {
		struct engine_run run = fake->runs.items[i].run;

		each(arg, &run);
	}
	return 0;
}

static int stop(struct engine *engine, const char *key, uint32_t grace_ms, struct err *err)
{
	enum { ENDED_BY_TERM = 128 + 15 };
	struct fake *fake = fake_of(engine);
	struct runs_entry *entry = runs_find(&fake->runs, key);
	struct stopped one = {.grace_ms = grace_ms};

	snprintf(one.key, sizeof(one.key), "%s", key);
	fake->stops = mem_grow(fake->stops, fake->stop_count + 1, sizeof(one));
	fake->stops[fake->stop_count++] = one;
	if (!fake->automatic || !entry || entry->run.state == ENGINE_ENDED)
		return 0;
	entry->run.exit_status = ENDED_BY_TERM;
	move(fake, &entry->run, ENGINE_ENDED);
	return 0;
}

/* From one state to another; a run in any third one is left alone. */
static int change(struct engine *engine, const char *key, enum engine_state from,
		  enum engine_state to)
{
	struct fake *fake = fake_of(engine);
	struct runs_entry *entry = runs_find(&fake->runs, key);

	if (entry && entry->run.state == from)
		move(fake, &entry->run, to);
	return 0;
}

static int suspend(struct engine *engine, const char *key, struct err *err)
{
	bool lacks = fake_of(engine)->lacks & ENGINE_CAN_SUSPEND;

	return change(engine, key, ENGINE_RUNNING, lacks ? ENGINE_RUNNING : ENGINE_FROZEN);
}

static int page_out(struct engine *engine, const char *key, struct err *err)
{
	struct fake *fake = fake_of(engine);
	struct runs_entry *entry = runs_find(&fake->runs, key);

	if (!entry || entry->run.paged)
		return 0;
	entry->run.paged =
		entry->run.state == ENGINE_FROZEN && !(fake->lacks & ENGINE_CAN_PAGE_OUT);
	report(fake, &entry->run);
	return 0;
}

static int resume(struct engine *engine, const char *key, struct err *err)
{
	return change(engine, key, ENGINE_FROZEN, ENGINE_RUNNING);
}

static int forget(struct engine *engine, const char *key, struct err *err)
{
	runs_remove(&fake_of(engine)->runs, key);
	return 0;
}

static int drop_data(struct engine *engine, const char *space, struct err *err)
{
	struct fake *fake = fake_of(engine);
	struct drop one = {0};

	snprintf(one.space, sizeof(one.space), "%s", space);
	fake->drops = mem_grow(fake->drops, fake->drop_count + 1, sizeof(one));
	fake->drops[fake->drop_count++] = one;
	loop_timer_set(fake->timer, 0);
	return 0;
}

static int measure(struct engine *engine, const char *key, struct err *err)
{
	struct fake *fake = fake_of(engine);
	const struct runs_entry *entry = runs_find(&fake->runs, key);

	if (!entry || (entry->run.state != ENGINE_RUNNING && entry->run.state != ENGINE_FROZEN))
		return err_set(err, ERR_NOT_FOUND, "run %s has no process", key);
	runs_put(&fake->asked, &entry->run);
	loop_timer_set(fake->timer, 0);
	return 0;
}

static int memory(struct engine *engine, struct meminfo *out, struct err *err)
{
	*out = fake_of(engine)->memory;
	return 0;
}

static void fake_free(struct engine *engine)
{
	struct fake *fake = fake_of(engine);

	if (!fake)
		return;
	loop_timer_free(fake->timer);
	for (size_t i = 0; i < fake->submission_count; i++) {
		request_spec_done(&fake->submissions[i].spec);
		request_done(&fake->submissions[i].request);
		str_done(&fake->submissions[i].message);
	}
	free(fake->submissions);
	free(fake->reports);
	free(fake->stops);
	free(fake->drops);
	runs_done(&fake->runs);
	runs_done(&fake->asked);
	free(fake);
}

static const struct engine_ops ops = {
	.name = "fake",
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
	.free = fake_free,
};

int engine_fake_new(struct loop *loop, bool automatic, struct engine **out, struct err *err)
{
	struct fake *fake = mem_new(struct fake);

	fake->engine.ops = &ops;
	fake->automatic = automatic;
	fake->memory.memory = fake->memory.memory_left = HALF_GIB;
	fake->timer = loop_timer_new(loop, deliver, fake);
	*out = &fake->engine;
	return 0;
}

int engine_fake_set(struct engine *engine, const char *key, enum engine_state state,
		    int exit_status, struct err *err)
{
	struct fake *fake = fake_of(engine);
	struct runs_entry *entry = runs_find(&fake->runs, key);

	if (!entry)
		return err_set(err, ERR_NOT_FOUND, "run %s", key);
	if (state == ENGINE_ENDED)
		entry->run.exit_status = exit_status;
	move(fake, &entry->run, state);
	return 0;
}

int engine_fake_end(struct engine *engine, const char *key, int exit_status, bool oom,
		    const char *reason, struct err *err)
{
	struct fake *fake = fake_of(engine);
	struct runs_entry *entry = runs_find(&fake->runs, key);

	if (!entry)
		return err_set(err, ERR_NOT_FOUND, "run %s", key);
	entry->run.exit_status = exit_status;
	entry->run.oom = oom;
	snprintf(entry->run.reason, sizeof(entry->run.reason), "%s", reason ? reason : "");
	move(fake, &entry->run, ENGINE_ENDED);
	return 0;
}

void engine_fake_refuse(struct engine *engine, const struct err *err)
{
	fake_of(engine)->refusal = *err;
}

void engine_fake_use(struct engine *engine, const struct engine_metrics *metrics)
{
	fake_of(engine)->metrics = *metrics;
}

void engine_fake_memory(struct engine *engine, const struct meminfo *memory)
{
	fake_of(engine)->memory = *memory;
}

void engine_fake_lack(struct engine *engine, unsigned capabilities)
{
	fake_of(engine)->lacks = capabilities;
}

void engine_fake_lose(struct engine *engine)
{
	fake_of(engine)->lost = true;
	loop_timer_set(fake_of(engine)->timer, 0);
}

const struct engine_spec *engine_fake_submission(const struct engine *engine, size_t index)
{
	const struct fake *fake = fake_of(engine);

	return index < fake->submission_count ? &fake->submissions[index].spec.spec : NULL;
}

size_t engine_fake_drops(const struct engine *engine, const char *space)
{
	const struct fake *fake = fake_of(engine);
	size_t count = 0;

	for (size_t i = 0; i < fake->drop_count; i++)
		count += strcmp(fake->drops[i].space, space) == 0;
	return count;
}

void engine_fake_fail_drop(struct engine *engine, const struct err *err)
{
	fake_of(engine)->drop_failure = *err;
}

size_t engine_fake_stops(const struct engine *engine, const char *key, uint32_t *grace_ms)
{
	const struct fake *fake = fake_of(engine);
	size_t count = 0;

	for (size_t i = 0; i < fake->stop_count; i++) {
		if (strcmp(fake->stops[i].key, key) != 0)
			continue;
		if (grace_ms)
			*grace_ms = fake->stops[i].grace_ms;
		count++;
	}
	return count;
}
