#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/meminfo.h"
#include "base/own.h"

/*
 * Engine: starts, observes and ends runs. A run is one process tree in its own container: an app,
 * or a build. The space loop speaks to this table only; local (runc through the runner), slurm and
 * fake stand behind it.
 *
 * Submitting is idempotent by key: a key that exists is not started again. What an engine reports
 * survives restarts of the hub; the engine is the only authority on what runs.
 *
 * Units:   addresses in host byte order; bytes; thousandths of a processor.
 * Threads: calls from the space loop only. They do not wait for the container: the outcome arrives
 * by `changed`, called in the space loop's thread (engines post to its base/loop).
 */

/* "24hex-generation" of an app; "env-HASH" of a build; with its NUL. */
enum { ENGINE_KEY_ROOM = 96, ENGINE_LAYERS_MAX = 4, ENGINE_NAME_ROOM = 96 };
enum { ENGINE_DEVICES_MAX = 16, ENGINE_DEVICE_ROOM = 128 };

enum engine_kind { ENGINE_APP, ENGINE_BUILD };

/* Order matters: a run moves only downwards, but for one that is resumed. */
enum engine_state {
	ENGINE_STARTING, /* accepted; no process yet */
	ENGINE_RUNNING,  /* its process has been started */
	ENGINE_FROZEN,   /* suspended: it takes no processor, and keeps all that it has */
	ENGINE_ENDED,    /* the process is gone; waits for forget() */
};

/* How a run ended that has no exit status of its own. */
enum {
	ENGINE_NEVER_STARTED = -1,
	ENGINE_LOST = -2,     /* no fault of its own: it may simply be submitted again */
	ENGINE_DEFERRED = -3, /* the machine can't do it now: to be submitted again, later */
};

struct engine_limits {
	uint32_t cpu_milli; /* 2000 is two processors */
	uint64_t memory_bytes;
	uint32_t pids;
	uint64_t disk_bytes; /* of the writable upper layer, and of an owner's /build */
};

struct engine_spec {
	enum engine_kind kind;
	char key[ENGINE_KEY_ROOM];
	char space[25];  /* whose it is: logs go to spaces/ID/logs/ */
	const char *log; /* "run-3.log", "build-7.log" */
	/*
	 * Layers above the base system, lowest first: "env-…", "app-…". Names, never paths. A layer
	 * is a tree relative to "/": an environment holds opt/venv, an app layer home/user/app.
	 */
	const char *layers[ENGINE_LAYERS_MAX];
	size_t layer_count;
	const char *const *argv; /* NULL-terminated; argv[0] is a path inside of the container */
	const char *const *env;  /* NULL-terminated NAME=value; may hold secrets */
	/* ENGINE_APP: env from here on is also ~/.streamlit/secrets.toml; 0: there is no such file.
	 */
	size_t secrets_from;
	const char *cwd;
	/*
	 * ENGINE_APP: size of the Space's own disk, shown at /data; 0 for none. Made where missing
	 * and grown where smaller, it outlives the run. An engine starts no run beside another one
	 * that has it: the start waits for that one's end, or is deferred.
	 */
	uint64_t data_bytes;
	/*
	 * ENGINE_APP: devices of this machine that the run has, by their names in CDI,
	 * "vendor.com/class=name". That nobody else has them is the caller's business.
	 */
	const char *devices[ENGINE_DEVICES_MAX];
	size_t device_count;
	uint16_t port; /* where the app listens; 0 for a build */
	bool closed;   /* it may reach nothing outside but the hub */
	struct engine_limits limits;
	/*
	 * ENGINE_BUILD only. The container sees one writable folder /build with `cache/` (of uv)
	 * and `out-KEY/`, in one mount so that hard links between the two work. What stands in
	 * /build/out-KEY after exit status 0 becomes layers/RESULT, atomically and durably, before
	 * the run is reported ended. A RESULT that exists already ends the run at once, with 0.
	 *
	 * /in is DIR/run/in/KEY of the hub, read-only: folders 0755, files 0644 (the builder is
	 * another user; nobody guesses the key, and run/in itself is 0711). It may be missing.
	 * uv is /usr/local/bin/uv, the step runner /run/steps (runner/steps.c).
	 *
	 * A "shared" build runs as root of its container without a capability, an owner's as user
	 * 1000 with an empty cache. HOME is the caller's to set: /tmp is writable in both.
	 */
	const char *result; /* name of the layer that it makes, "env-HASH" */
	const char *cache;  /* "shared" (no package code may run), or an owner's id, 24 hex */
};

struct engine_run {
	enum engine_kind kind;
	enum engine_state state;
	char key[ENGINE_KEY_ROOM];
	char space[25];
	uint32_t address; /* 0 until RUNNING */
	uint16_t port;
	int exit_status;    /* ENGINE_ENDED: 128 + signal, or one of the above */
	bool oom;           /* the memory limit killed something in it */
	bool paged;         /* ENGINE_FROZEN, and its memory is in the machine's swap space */
	int64_t started_ms; /* wall clock; 0 until RUNNING */
	int64_t ended_ms;
	char reason[256]; /* why it never started, or was lost; else empty */
};

/* What a run uses, since its start where it is a sum; 0 where the engine can't tell. */
struct engine_metrics {
	char key[ENGINE_KEY_ROOM];
	int64_t at_ms; /* of the monotonic clock */
	uint64_t cpu_ns;
	uint64_t cpu_milli; /* what it may use at most, as in engine_limits */
	uint64_t memory_bytes;
	uint64_t memory_limit;
	uint64_t received_bytes; /* of its network */
	uint64_t sent_bytes;
};

enum engine_capability {
	ENGINE_CAN_SUSPEND = 1 << 0,
	ENGINE_CAN_BUILD = 1 << 1,
	ENGINE_CAN_PAGE_OUT = 1 << 2,
};

struct engine;

struct engine_ops {
	const char *name;
	unsigned capabilities;
	/* Errors: ERR_BUSY (try later), ERR_INVALID (a field that is never acceptable). */
	int (*submit)(struct engine *engine, const struct engine_spec *spec, struct err *err);
	/* Call `each` for every run that exists. */
	int (*observe)(struct engine *engine, void (*each)(void *arg, const struct engine_run *run),
		       void *arg, struct err *err);
	/* SIGTERM, and SIGKILL after `grace_ms`. A key that is unknown or ended is no error. */
	int (*stop)(struct engine *engine, const char *key, uint32_t grace_ms, struct err *err);
	/*
	 * Sleep. Each is idempotent. A report answers: of the new state, or of the one that stays
	 * where it can't be done now, as of a run that does not freeze in time, or of one that is
	 * to be paged out of a machine without swap space. Resuming never waits for a page-out.
	 */
	int (*suspend)(struct engine *engine, const char *key, struct err *err);
	int (*page_out)(struct engine *engine, const char *key, struct err *err); /* frozen ones */
	int (*resume)(struct engine *engine, const char *key, struct err *err);
	/* Drop an ended run: observe() does not report it any more. */
	int (*forget)(struct engine *engine, const char *key, struct err *err);
	/*
	 * Remove a Space's disk with all that is in it; none is fine. No run of the Space may have
	 * it any more. The outcome arrives by `dropped`, once for each call that did not fail: it
	 * is gone for good then, or is to be asked for again.
	 */
	int (*drop_data)(struct engine *engine, const char *space, struct err *err);
	/*
	 * What does this run use now? The answer comes by `measured`, unless `lost` comes before.
	 * Errors: ERR_NOT_FOUND for a run that has no process.
	 */
	int (*measure)(struct engine *engine, const char *key, struct err *err);
	/* Of the machine on which suspended runs lie. At once. */
	int (*memory)(struct engine *engine, struct meminfo *out, struct err *err);
	void (*free)(struct engine *engine);
};

/* What every engine starts with; implementations embed it as their first member. */
struct engine {
	const struct engine_ops *ops;
	/* Set by the owner before the first call. `lost` says: the reports may have a gap, observe.
	 */
	void (*changed)(void *arg, const struct engine_run *run);
	void (*lost)(void *arg);
	void (*dropped)(void *arg, const char *space, const struct err *err); /* NULL: it is gone */
	/* The answer to measure(); `metrics` NULL: the run can't be measured any more. */
	void (*measured)(void *arg, const char *key, const struct engine_metrics *metrics);
	void *arg;
};

const char *engine_state_name(enum engine_state state);

/* Is this the name of a device, as CDI writes it? */
bool engine_device_is(const char *name);

/* The exit status of a run that could not be started, or its layer not be kept. */
int engine_refusal(const struct err *err);
