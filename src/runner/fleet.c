#include "runner/fleet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/beneath.h"
#include "runner/cgroup.h"
#include "runner/check.h"
#include "runner/container.h"
#include "runner/gauge.h"
#include "runner/growth.h"
#include "runner/output.h"
#include "runner/pager.h"
#include "runner/record.h"
#include "runner/slots.h"
#include "runner/start.h"
#include "runner/upper.h"

#define SLOT_FILE "run/slot"

enum {
	BOUND_CHECK_MS = 1000,
	HEAR_CHECK_MS = 10,
	FREEZE_MS = 5000, /* a busy machine: less than one otherwise */
	FREEZE_LOOK_MS = 1,
	START_MS = 30 * 1000,             /* an app's imports, on a busy machine */
	LOG_MAX_BYTES = 16 * 1024 * 1024, /* one log; what passes it begins anew */
};

enum phase {
	PHASE_WAITING,   /* for the base system */
	PHASE_STARTING,  /* in a worker's hands */
	PHASE_LIVE,      /* its monitor is watched */
	PHASE_FINISHING, /* in a worker's hands */
	PHASE_ENDED,     /* waits for forget */
};

struct run {
	struct run *next;
	struct fleet *fleet;
	struct record
		record; /* the loop's; a worker has its own, for the loop may look meanwhile */
	struct record work;
	enum phase phase;
	/* The request, until the process is started; it may hold secrets. */
	struct str message;
	struct request request;
	struct request_spec spec;
	char base[ENGINE_NAME_ROOM];
	const char *lost_reason;
	int conmon_fd;  /* pidfd of the monitor */
	int process_fd; /* pidfd of the container's init, -1 once it is gone */
	int log_fd;
	struct growth growth; /* of a shared build */
	bool told_full;       /* its log says that the machine's disk is full */
	struct loop_fd *watch;
	struct loop_timer *kill_timer;
	bool stopping;
	bool asked; /* SIGTERM has been sent */
	uint32_t grace_ms;
	int64_t kill_at_ms;
	struct loop_timer *freeze_timer;
	int64_t freeze_until_ms; /* 0: it is not being frozen */
	bool paging;
	bool starts; /* it has the weight of one that starts */
};

struct fleet {
	struct fleet_setup setup;
	struct slots *slots;
	struct run *first;
	struct pager *pager;
	struct loop_timer *bound_timer;
	char base[ENGINE_NAME_ROOM]; /* "" while there is none */
};

static void do_stop(struct run *run);

static struct run *find(struct fleet *fleet, const char *key)
{
	for (struct run *run = fleet->first; run; run = run->next)
		if (strcmp(run->record.run.key, key) == 0)
			return run;
	return NULL;
}

static void changed(struct run *run)
{
	run->fleet->setup.changed(run->fleet->setup.arg, &run->record.run);
}

static void drop_request(struct run *run)
{
	request_spec_done(&run->spec);
	request_done(&run->request);
	str_done(&run->message);
}

/* Nothing is under way any more that would put it to sleep. */
static void keep_awake(struct run *run)
{
	loop_timer_clear(run->freeze_timer);
	run->freeze_until_ms = 0;
	if (run->paging)
		pager_drop(run->fleet->pager, run->record.run.key);
	run->paging = false;
}

static void unwatch(struct run *run)
{
	int *fds[] = {&run->conmon_fd, &run->process_fd, &run->log_fd};

	keep_awake(run);
	loop_fd_remove(take(run->watch));
	loop_timer_clear(run->kill_timer);
	for (size_t i = 0; i < 3; i++) {
		own_close(fds[i]);
		*fds[i] = -1;
	}
}

static void run_free(struct run *run)
{
	unwatch(run);
	drop_request(run);
	loop_timer_free(run->kill_timer);
	loop_timer_free(run->freeze_timer);
	free(run);
}

static void send_signal(struct run *run, int number)
{
	if (run->process_fd >= 0)
		pidfd_send_signal(run->process_fd, number, NULL, 0);
}

/* The next step of a stop: SIGTERM as soon as it is heard, SIGKILL when the grace is over. */
static void stop_step(void *arg)
{
	struct run *run = arg;
	int64_t left_ms = run->kill_at_ms - clock_mono_ms();

	if (left_ms <= 0) {
		send_signal(run, SIGKILL);
		return;
	}
	if (!run->asked && container_hears(run->record.pid)) {
		send_signal(run, SIGTERM);
		run->asked = true;
	}
	loop_timer_set(run->kill_timer,
		       run->asked || left_ms < HEAR_CHECK_MS ? left_ms : HEAR_CHECK_MS);
}

static void freeze_step(void *arg);

static struct run *add_run(struct fleet *fleet, const struct record *record)
{
	struct run *run = mem_new(struct run);

	run->fleet = fleet;
	run->record = *record;
	run->message = str_new_wiping(REQUEST_MAX);
	run->conmon_fd = run->process_fd = run->log_fd = -1;
	run->kill_timer = loop_timer_new(fleet->setup.loop, stop_step, run);
	run->freeze_timer = loop_timer_new(fleet->setup.loop, freeze_step, run);
	run->next = fleet->first;
	fleet->first = run;
	return run;
}

/* The worker's part of an end. */
static void finish_work(void *arg)
{
	struct run *run = arg;

	start_finish(run->fleet->setup.config->dir, &run->work, run->lost_reason);
}

static void has_ended(struct run *run)
{
	run->phase = PHASE_ENDED;
	slots_release(run->fleet->slots, run->record.slot, clock_mono_ms());
	changed(run);
}

static void finish_done(void *arg)
{
	struct run *run = arg;

	run->record = run->work;
	has_ended(run);
}

static void begin_finish(struct run *run, const char *lost_reason)
{
	unwatch(run);
	run->phase = PHASE_FINISHING;
	run->lost_reason = lost_reason;
	run->work = run->record;
	pool_add(run->record.run.kind == ENGINE_BUILD ? run->fleet->setup.slow_pool
						      : run->fleet->setup.pool,
		 &(struct pool_job){.work = finish_work, .done = finish_done, .arg = run});
}

static void conmon_ended(void *arg, uint32_t events)
{
	begin_finish(arg, "the monitor of the run was killed");
}

/* Watch the monitor of a started run. Fails where it is gone already. */
static int go_live(struct run *run, struct err *err)
{
	const struct datadir *dir = run->fleet->setup.config->dir;
	struct record *record = &run->record;
	struct err ignored = ERR_INIT;

	run->conmon_fd = container_open_process(record->conmon, record->conmon_start);
	run->process_fd = container_open_process(record->pid, record->pid_start);
	if (run->conmon_fd < 0)
		return err_set(err, ERR_NOT_FOUND, "the monitor of the run is gone");
	/* For its bound only; a log that can't be opened now is written by conmon all the same. */
	if (beneath_open_log(dir, record->run.space, record->log, &run->log_fd, &ignored) < 0)
		log_warn("runner.log", "run=%s error=%s", record->run.key, ignored.text);
	if (record->run.kind == ENGINE_BUILD && !output_is_own(record->cache))
		run->growth = growth_of(dir, record->disk_bytes, record->run.started_ms / 1000);
	run->starts = record->run.kind == ENGINE_APP;
	run->phase = PHASE_LIVE;
	return loop_fd_add(run->fleet->setup.loop, run->conmon_fd, EPOLLIN, conmon_ended, run,
			   &run->watch, err);
}

static void start_work(void *arg)
{
	struct run *run = arg;
	const struct start_plan plan = {
		.config = run->fleet->setup.config,
		.spec = &run->spec.spec,
		.seccomp = run->fleet->setup.seccomp,
		.base = run->base,
	};

	start_run(&plan, &run->work);
}

static void start_done(void *arg)
{
	struct run *run = arg;
	struct err err = ERR_INIT;

	drop_request(run);
	run->record = run->work;
	if (run->record.run.state == ENGINE_ENDED) {
		has_ended(run);
		return;
	}
	changed(run);
	if (go_live(run, &err) < 0)
		begin_finish(run, err.kind == ERR_NOT_FOUND ? "the monitor of the run was killed"
							    : "the run could not be watched");
	else if (run->stopping)
		do_stop(run);
}

static void begin_start(struct run *run)
{
	snprintf(run->base, sizeof(run->base), "%s", run->fleet->base);
	run->phase = PHASE_STARTING;
	run->work = run->record;
	pool_add(run->fleet->setup.pool,
		 &(struct pool_job){.work = start_work, .done = start_done, .arg = run});
}

/* An end without a process: nothing to clean up but the record. */
static void end_unstarted(struct run *run, int status, const char *reason)
{
	struct engine_run *public = &run->record.run;
	struct err err = ERR_INIT;

	drop_request(run);
	public->state = ENGINE_ENDED;
	public->exit_status = status;
	public->ended_ms = clock_wall_ms();
	snprintf(public->reason, sizeof(public->reason), "%.*s", (int)sizeof(public->reason) - 1,
		 reason);
	if (record_write(run->fleet->setup.config->dir, &run->record, &err) < 0)
		log_error("runner.record", "run=%s error=%s", public->key, err.text);
	has_ended(run);
}

void fleet_base(struct fleet *fleet, const char *name, const struct err *err)
{
	if (name)
		snprintf(fleet->base, sizeof(fleet->base), "%s", name);
	for (struct run *run = fleet->first; run; run = run->next) {
		if (run->phase != PHASE_WAITING)
			continue;
		if (name)
			begin_start(run);
		else
			end_unstarted(run, engine_refusal(err), err->text);
	}
}

/* The position outlives us, so that a slot rests over our restart too. */
static int take_slot(struct fleet *fleet, bool closed, unsigned *slot, struct err *err)
{
	const struct datadir *dir = fleet->setup.config->dir;
	char text[16];

	if (slots_take(fleet->slots, closed, clock_mono_ms(), slot, err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%u\n", *slot);
	if (file_write(dir->fd, SLOT_FILE, text, strlen(text), 0600, err) < 0) {
		slots_release(fleet->slots, *slot, clock_mono_ms());
		return -1;
	}
	return 0;
}

static unsigned last_slot(const struct datadir *dir)
{
	owned(str_done) struct str text = str_new(16);
	struct err err = ERR_INIT; /* the first start on this machine */

	return file_read(dir->fd, SLOT_FILE, &text, &err) < 0
		       ? 0
		       : (unsigned)strtoul(text.data, NULL, 10);
}

static void begin(struct run *run)
{
	struct fleet *fleet = run->fleet;

	if (run->spec.spec.result &&
	    output_exists(fleet->setup.config->dir, run->spec.spec.result)) {
		end_unstarted(run, 0, "");
	} else if (fleet->base[0]) {
		begin_start(run);
	} else {
		run->phase = PHASE_WAITING;
		fleet->setup.need_base(fleet->setup.arg);
	}
}

int fleet_submit(struct fleet *fleet, const void *message, size_t length, struct err *err)
{
	struct record record = {0};
	struct run *run = add_run(fleet, &record); /* the texts live in its message */
	const struct engine_spec *spec = &run->spec.spec;
	bool exists = false;
	unsigned slot;

	str_add_n(&run->message, message, length);
	if (request_parse(run->message.data, run->message.length, &run->request, err) == 0 &&
	    request_get_spec(&run->request, &run->spec, err) == 0 && check_spec(spec, err) == 0 &&
	    !(exists = find(fleet, spec->key) != NULL) &&
	    take_slot(fleet, spec->closed, &slot, err) == 0) {
		run->record = record_of(spec, slot);
		if (record_write(fleet->setup.config->dir, &run->record, err) == 0) {
			begin(run);
			return 0;
		}
		slots_release(fleet->slots, slot, clock_mono_ms());
	}
	fleet->first = run->next;
	run_free(run);
	return exists ? 0 : -1;
}

static void do_stop(struct run *run)
{
	const struct datadir *dir = run->fleet->setup.config->dir;
	struct err err = ERR_INIT;

	/* A frozen process gets its signals once it is thawed. */
	keep_awake(run);
	if (cgroup_thaw(dir, run->record.run.key, &err) < 0)
		log_warn("runner.stop", "run=%s error=%s", run->record.run.key, err.text);
	run->kill_at_ms = clock_mono_ms() + run->grace_ms;
	stop_step(run);
}

void fleet_stop(struct fleet *fleet, const char *key, uint32_t grace_ms)
{
	struct run *run = find(fleet, key);

	if (!run)
		return;
	run->stopping = true;
	run->grace_ms = grace_ms;
	if (run->phase == PHASE_WAITING)
		end_unstarted(run, -1, "stopped before it started");
	else if (run->phase == PHASE_LIVE)
		do_stop(run);
}

/* Written down, then told; but for a wake, for which somebody waits. */
static void set_sleep(struct run *run, enum engine_state state, bool paged)
{
	struct err err = ERR_INIT;

	run->record.run.state = state;
	run->record.run.paged = paged;
	if (state == ENGINE_RUNNING)
		changed(run);
	if (record_write(run->fleet->setup.config->dir, &run->record, &err) < 0)
		log_error("runner.record", "run=%s error=%s", run->record.run.key, err.text);
	if (state != ENGINE_RUNNING)
		changed(run);
}

/* One look at whether all have stopped. Half frozen it would answer nobody: then it goes on. */
static void freeze_step(void *arg)
{
	struct run *run = arg;
	const struct datadir *dir = run->fleet->setup.config->dir;
	const char *key = run->record.run.key;
	bool frozen = false;
	struct err err = ERR_INIT;
	int result = cgroup_freeze(dir, key, &frozen, &err);

	if (result == 0 && !frozen && clock_mono_ms() < run->freeze_until_ms) {
		loop_timer_set(run->freeze_timer, FREEZE_LOOK_MS);
		return;
	}
	run->freeze_until_ms = 0;
	if (!frozen) {
		log_warn("runner.freeze", "run=%s error=%s", key,
			 result < 0 ? err.text : "it does not stop");
		if (cgroup_thaw(dir, key, &err) < 0)
			log_warn("runner.thaw", "run=%s error=%s", key, err.text);
	}
	set_sleep(run, frozen ? ENGINE_FROZEN : ENGINE_RUNNING, false);
}

void fleet_suspend(struct fleet *fleet, const char *key)
{
	struct run *run = find(fleet, key);

	if (!run || run->phase != PHASE_LIVE || run->stopping || run->freeze_until_ms ||
	    run->record.run.state == ENGINE_FROZEN)
		return;
	run->freeze_until_ms = clock_mono_ms() + FREEZE_MS;
	freeze_step(run);
}

int fleet_resume(struct fleet *fleet, const char *key, struct err *err)
{
	struct run *run = find(fleet, key);

	if (!run || run->phase != PHASE_LIVE ||
	    (run->record.run.state == ENGINE_RUNNING && !run->freeze_until_ms))
		return 0;
	keep_awake(run);
	if (cgroup_thaw(fleet->setup.config->dir, key, err) < 0) {
		changed(run);
		return -1;
	}
	set_sleep(run, ENGINE_RUNNING, false);
	return 0;
}

/* In the pager's thread. */
static int page_out(void *arg, const char *key, struct err *err)
{
	const struct fleet *fleet = arg;

	return cgroup_page_out(fleet->setup.config->dir, key, err);
}

static void paged_out(void *arg, const char *key, const struct err *err)
{
	struct run *run = find(arg, key);

	if (!run || !run->paging)
		return;
	run->paging = false;
	/* A machine without swap space is as its operator wants it; we may be asked again and
	 * again. */
	if (err && err->kind == ERR_NOT_FOUND)
		log_debug("runner.page-out", "run=%s error=%s", key, err->text);
	else if (err)
		log_warn("runner.page-out", "run=%s error=%s", key, err->text);
	set_sleep(run, ENGINE_FROZEN, !err);
}

/* It was awake already when the pager allowed it to swap. */
static void page_out_dropped(void *arg, const char *key)
{
	const struct fleet *fleet = arg;
	const struct run *run = find(arg, key);

	if (run && run->record.run.state == ENGINE_RUNNING)
		cgroup_forbid_swap(fleet->setup.config->dir, key);
}

int fleet_page_out(struct fleet *fleet, const char *key, struct err *err)
{
	struct run *run = find(fleet, key);

	if (!run || run->phase != PHASE_LIVE || run->paging || run->record.run.paged)
		return 0;
	if (run->record.run.state != ENGINE_FROZEN) {
		changed(run);
		return err_set(err, ERR_BUSY, "run %s is not frozen", key);
	}
	run->paging = true;
	pager_add(fleet->pager, key);
	return 0;
}

int fleet_forget(struct fleet *fleet, const char *key, struct err *err)
{
	for (struct run **at = &fleet->first; *at; at = &(*at)->next) {
		struct run *run = *at;

		if (strcmp(run->record.run.key, key) != 0)
			continue;
		if (run->phase != PHASE_ENDED)
			return err_set(err, ERR_BUSY, "run %s has not ended", key);
		if (record_remove(fleet->setup.config->dir, key, err) < 0)
			return -1;
		*at = run->next;
		run_free(run);
		return 0;
	}
	return 0;
}

int fleet_measure(struct fleet *fleet, const char *key, struct engine_metrics *out, struct err *err)
{
	const struct run *run = find(fleet, key);

	if (!run || run->phase != PHASE_LIVE)
		return err_set(err, ERR_NOT_FOUND, "run %s has no process", key);
	return gauge_read(fleet->setup.config->dir, key, run->record.slot, out, err);
}

void fleet_each(struct fleet *fleet, void (*each)(void *arg, const struct engine_run *run),
		void *arg)
{
	for (struct run *run = fleet->first; run; run = run->next)
		each(arg, &run->record.run);
}

/* A line of ours in a run's log, in conmon's format. */
static void say(int log_fd, const char *text)
{
	char stamp[CLOCK_STAMP_MAX];
	struct err err = ERR_INIT;
	owned(free) char *line = NULL;

	clock_stamp(clock_wall_ms(), stamp);
	line = mem_format("%.*s000000+00:00 stdout F ===== %s =====\n", (int)strcspn(stamp, "Z"),
			  stamp, text);
	if (file_put(log_fd, line, strlen(line), &err) < 0)
		log_warn("runner.log", "error=%s", err.text);
}

/* A log that grows without end is emptied; conmon appends, so it goes on at the start. An empty log
 * would look as if the app had said nothing. */
static void bound_log(const struct run *run)
{
	owned(free) char *text = NULL;
	struct stat st;

	if (fstat(run->log_fd, &st) < 0 || st.st_size <= LOG_MAX_BYTES ||
	    ftruncate(run->log_fd, 0) < 0)
		return;
	text = mem_format("%lld bytes of log were dropped", (long long)st.st_size);
	say(run->log_fd, text);
	log_warn("runner.log", "run=%s emptied=%lld", run->record.run.key, (long long)st.st_size);
}

/* Other builds have a disk image; who passes the limit here is ended. */
static void bound_disk(struct run *run)
{
	if (!growth_is_over(&run->growth, run->fleet->setup.config->dir))
		return;
	if (run->log_fd >= 0)
		say(run->log_fd, "the build has written more than it may");
	log_warn("runner.disk", "run=%s limit=%llu", run->record.run.key,
		 (unsigned long long)run->growth.limit);
	send_signal(run, SIGKILL);
}

/* To the app a disk image that can't grow is a failing disk: whoever reads its log learns why. */
static void tell_full(struct run *run, bool full)
{
	if (full && !run->told_full && run->record.data_bytes > 0 && run->log_fd >= 0)
		say(run->log_fd, "the disk of this server is full: /data can't be written");
	run->told_full = full;
}

/* Nobody tells us when it answers; so long is long enough. A clock that was set back ends it, too.
 */
static void settle(struct run *run)
{
	int64_t past_ms = clock_wall_ms() - run->record.run.started_ms;
	struct err err = ERR_INIT;

	if (!run->starts || (past_ms >= 0 && past_ms < START_MS))
		return;
	run->starts = false;
	if (cgroup_settle(run->fleet->setup.config->dir, run->record.run.key, run->record.cpu_milli,
			  &err) < 0)
		log_warn("runner.settle", "run=%s error=%s", run->record.run.key, err.text);
}

static void bound_runs(void *arg)
{
	struct fleet *fleet = arg;
	struct err err = ERR_INIT;
	bool full =
		upper_check_room(fleet->setup.config->dir->fd, &err) < 0 && err.kind == ERR_FULL;

	for (struct run *run = fleet->first; run; run = run->next) {
		if (run->phase != PHASE_LIVE)
			continue;
		if (run->log_fd >= 0)
			bound_log(run);
		bound_disk(run);
		tell_full(run, full);
		settle(run);
	}
	loop_timer_set(fleet->bound_timer, BOUND_CHECK_MS);
}

/*
 * Does it sleep? The machine knows; the record may be from before or after what was cut off. What
 * was just being frozen is awake again.
 */
static void adopt_sleep(struct run *run)
{
	const struct datadir *dir = run->fleet->setup.config->dir;
	struct engine_run *public = &run->record.run;
	struct err err = ERR_INIT;

	if (cgroup_is_frozen(dir, public->key)) {
		public->paged &= public->state == ENGINE_FROZEN;
		public->state = ENGINE_FROZEN;
		return;
	}
	public->state = ENGINE_RUNNING;
	public->paged = false;
	if (cgroup_thaw(dir, public->key, &err) < 0)
		log_warn("runner.thaw", "run=%s error=%s", public->key, err.text);
}

static void adopt(struct fleet *fleet, const struct record *record)
{
	struct run *run = add_run(fleet, record);
	struct err err = ERR_INIT;

	if (record->run.state == ENGINE_ENDED) {
		run->phase = PHASE_ENDED;
		return;
	}
	slots_hold(fleet->slots, record->slot);
	if (record->run.state == ENGINE_STARTING)
		begin_finish(run, "the runner was restarted while the run started");
	else if (go_live(run, &err) < 0)
		begin_finish(run, "the run was lost while the runner was away");
	else
		adopt_sleep(run);
	log_info("runner.adopt", "run=%s slot=%u live=%d", record->run.key, record->slot,
		 run->phase == PHASE_LIVE);
}

static int adopt_all(struct fleet *fleet, struct err *err)
{
	const struct datadir *dir = fleet->setup.config->dir;
	owned(free) char *path = datadir_path(dir, "run/bundles");
	DIR *bundles = opendir(path);
	struct dirent *entry;

	if (!bundles)
		return err_sys(err, "list the bundles");
	while ((entry = readdir(bundles))) {
		struct record record = {0};
		struct err bad = ERR_INIT;

		if (check_key(entry->d_name, &bad) < 0)
			continue;
		if (record_read(dir, entry->d_name, &record, &bad) == 0) {
			adopt(fleet, &record);
			continue;
		}
		/* Cut off between folder and record: there can't be a process yet. */
		log_warn("runner.adopt", "run=%s error=%s", entry->d_name, bad.text);
		if (record_remove(dir, entry->d_name, &bad) < 0)
			log_error("runner.adopt", "run=%s error=%s", entry->d_name, bad.text);
	}
	closedir(bundles);
	return 0;
}

int fleet_new(const struct fleet_setup *setup, struct fleet **out, struct err *err)
{
	owned(fleet_free) struct fleet *fleet = mem_new(struct fleet);

	fleet->setup = *setup;
	fleet->slots = slots_new(last_slot(setup->config->dir));
	if (pager_new(setup->loop,
		      &(struct pager_work){.page_out = page_out,
					   .done = paged_out,
					   .dropped = page_out_dropped,
					   .arg = fleet},
		      &fleet->pager, err) < 0)
		return -1;
	fleet->bound_timer = loop_timer_new(setup->loop, bound_runs, fleet);
	loop_timer_set(fleet->bound_timer, BOUND_CHECK_MS);
	if (adopt_all(fleet, err) < 0 || output_sweep(setup->config->dir, err) < 0)
		return -1;
	*out = take(fleet);
	return 0;
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	while (fleet->first) {
		struct run *run = fleet->first;

		fleet->first = run->next;
		run_free(run);
	}
	pager_free(fleet->pager);
	loop_timer_free(fleet->bound_timer);
	slots_free(fleet->slots);
	free(fleet);
}
