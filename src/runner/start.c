#include "runner/start.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/bundle.h"
#include "runner/cgroup.h"
#include "runner/container.h"
#include "runner/mounts.h"
#include "runner/network.h"
#include "runner/output.h"

/* Of the memory limit, for buffers of sockets on top of it. */
enum { SOCKET_MEMORY_PART = 8 };

static int start(const struct start_plan *plan, struct record *record, struct err *err)
{
	const struct datadir *dir = plan->config->dir;
	owned(mounts_free) struct mounts *mounts = NULL;
	int64_t started_ms;

	if (bundle_write(plan->config, plan->spec, record->slot, plan->seccomp, err) < 0 ||
	    mounts_new(plan->config, plan->spec, record->slot, plan->base, &mounts, err) < 0 ||
	    container_create(dir, mounts, record, err) < 0)
		return -1;
	/* From here on there is a monitor to find. What the process uses counts from its first
	 * step. */
	if (record_write(dir, record, err) < 0 ||
	    cgroup_bound_sockets(dir, record->run.key,
				 plan->spec->limits.memory_bytes / SOCKET_MEMORY_PART, err) < 0 ||
	    network_attach(dir, record->slot, record->pid, err) < 0)
		return -1;
	started_ms = clock_wall_ms();
	if (container_start(dir, record->run.key, err) < 0)
		return -1;
	record->run.state = ENGINE_RUNNING;
	record->run.started_ms = started_ms;
	record->run.address = datadir_address(dir, record->slot);
	return record_write(dir, record, err);
}

/* Write down the end; the run is over in any case, so what fails now is only logged. */
static void write_end(const struct datadir *dir, struct record *record)
{
	struct err err = ERR_INIT;

	record->run.state = ENGINE_ENDED;
	record->run.paged = false;
	record->run.ended_ms = clock_wall_ms();
	if (record_write(dir, record, &err) < 0 || record_strip(dir, record->run.key, &err) < 0)
		log_error("runner.record", "run=%s error=%s", record->run.key, err.text);
	else
		container_forget_exit(dir, record->run.key);
}

static void clean_up(const struct datadir *dir, const struct record *record)
{
	struct err err = ERR_INIT;

	if (container_remove(dir, record, &err) < 0)
		log_error("runner.clean", "run=%s error=%s", record->run.key, err.text);
	network_detach(dir, record->slot);
}

static void set_reason(struct record *record, int status, const char *reason)
{
	record->run.exit_status = status;
	snprintf(record->run.reason, sizeof(record->run.reason), "%.*s",
		 (int)sizeof(record->run.reason) - 1, reason);
}

static void drop_output(const struct datadir *dir, const struct record *record)
{
	struct err err = ERR_INIT;

	if (record->run.kind == ENGINE_BUILD && output_drop(dir, record, &err) < 0)
		log_error("runner.output", "run=%s error=%s", record->run.key, err.text);
}

void start_run(const struct start_plan *plan, struct record *record)
{
	int64_t since_ms = clock_mono_ms();
	struct err err = ERR_INIT;

	if (start(plan, record, &err) == 0) {
		log_info("runner.start", "run=%s slot=%u took_ms=%lld", record->run.key,
			 record->slot, (long long)(clock_mono_ms() - since_ms));
		return;
	}
	log_error("runner.start", "run=%s error=%s", record->run.key, err.text);
	clean_up(plan->config->dir, record);
	drop_output(plan->config->dir, record);
	set_reason(record, engine_refusal(&err), err.text);
	write_end(plan->config->dir, record);
}

/* The build has done its part; what is left may still fail. */
static void keep_output(const struct datadir *dir, struct record *record)
{
	struct err err = ERR_INIT;

	if (output_keep(dir, record, &err) == 0)
		return;
	log_error("runner.output", "run=%s error=%s", record->run.key, err.text);
	set_reason(record, engine_refusal(&err), err.text);
}

void start_finish(const struct datadir *dir, struct record *record, const char *reason)
{
	struct engine_run *run = &record->run;

	run->oom = container_was_oom(dir, run->key);
	if (!container_exit_status(dir, run->key, &run->exit_status))
		set_reason(record, ENGINE_LOST, reason);
	clean_up(dir, record);
	if (run->kind == ENGINE_BUILD && run->exit_status == 0)
		keep_output(dir, record);
	if (run->exit_status != 0)
		drop_output(dir, record);
	write_end(dir, record);
	log_info("runner.end", "run=%s status=%d oom=%d reason=%s", run->key, run->exit_status,
		 run->oom, run->reason);
}
