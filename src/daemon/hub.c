#include "daemon/hub.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/watch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "daemon/confine.h"
#include "daemon/hardware_file.h"
#include "daemon/door.h"
#include "daemon/exe.h"
#include "daemon/gate.h"
#include "daemon/listen.h"
#include "daemon/ready.h"
#include "daemon/role.h"
#include "engine/local.h"
#include "front/ask.h"
#include "http/follow.h"
#include "http/http.h"
#include "repo/intent.h"
#include "route/route.h"
#include "space/loop.h"
#include "space/sweep.h"
#include "space/vault.h"
#include "store/store.h"

/* What the base system of Debian 12 brings (runtime.md 1). */
#define PYTHON_PATH    "/usr/bin/python3.11"
#define PYTHON_VERSION "3.11"

enum {
	MIB = 1 << 20,
	GIB = 1 << 30,
	BUILD_CPU_MILLI = 4000,
	BROWSER_HOLD_MS = 2000, /* what takes longer than a look gets a page that reloads */
	READY_PAUSE_MS = 20,
	END_GRACE_MS = 5000, /* requests in flight get so long at the end */
	UV_OUTPUT_MAX = 256,
};

/* Everything that the hub has, in the order of its start. */
struct hub {
	const struct hub_config *config;
	struct store *store;
	struct catalogue *catalogue;
	struct vault *vault;
	struct hardware *hardware;
	struct route *route;
	struct space_loop *loop;
	struct watch *watch;
	struct gate *gate;
	struct api *api;
	struct http_server *http;
	struct sweep *sweep;
	struct ask_server *ask;
	struct follow_server *follow;
	struct listen_address listen;
	char *hub_url; /* as an app sees us */
	char *uv_version;
};

static int open_store(struct hub *hub, struct err *err)
{
	const struct datadir *dir = hub->config->dir;
	size_t written = 0;
	owned(free) char *database = datadir_path(dir, "espace.db");
	owned(free) char *key = datadir_path(dir, "secret.key");
	owned(free) char *routes = datadir_path(dir, "run/routes");

	if (store_open(database, &hub->store, err) < 0 ||
	    intent_settle(hub->store, dir, &written, err) < 0 ||
	    vault_open(key, hub->store, &hub->vault, err) < 0 ||
	    hardware_file_open(dir, (const char *const *)hub->config->settings->hardware_cdi.items,
			       &hub->hardware, err) < 0 ||
	    route_open(routes, dir->www, &hub->route, err) < 0)
		return -1;
	hub->catalogue = catalogue_new(hub->store);
	return 0;
}

/* "0.13.9" of "uv 0.13.9 (…)": a part of the names of environments. */
static int find_uv(struct hub *hub, struct err *err)
{
	owned(str_done) struct str output = str_new(UV_OUTPUT_MAX);
	owned(free) char *uv = NULL;
	const char *version;

	if (exe_companion("uv", &uv, err) < 0 ||
	    proc_run((const char *const[]){uv, "--version", NULL}, NULL, &output, err) < 0)
		return -1;
	if (!str_starts(output.data, "uv "))
		return err_set(err, ERR_SYSTEM, "uv does not tell its version");
	version = output.data + strlen("uv ");
	hub->uv_version = mem_text_n(version, strcspn(version, " \n"));
	return 0;
}

static void prepared(void *arg, const struct err *err)
{
	if (err)
		log_error("hub.base", "error=\"%s\"", err->text);
	else
		log_info("hub.base", "ready=yes");
}

/* The base system is made at the first start, not at the first push. */
static int make_engine(void *arg, struct loop *loop, struct engine **out, struct err *err)
{
	if (engine_local_new(loop, ROLE_FD_RUNNER, out, err) < 0)
		return -1;
	engine_local_prepare(*out, prepared, NULL);
	return 0;
}

/* Called in the space loop's thread. */
static void space_changed(void *arg, int64_t repo_id)
{
	struct hub *hub = arg;

	watch_changed(hub->watch, repo_id);
}

/* Called in the watch's thread, once the loop is there: who looks on came by the API. */
static void measure_space(void *arg, int64_t repo_id, space_measured_fn *answer, void *answer_arg)
{
	struct hub *hub = arg;

	space_loop_measure(hub->loop, repo_id, answer, answer_arg);
}

static int start_watch(struct hub *hub, struct err *err)
{
	return watch_start(&(struct watch_config){.store = hub->store,
						  .hardware = hub->hardware,
						  .measure = measure_space,
						  .arg = hub},
			   &hub->watch, err);
}

static unsigned start_most(const struct settings *settings)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (settings->start_most > 0)
		return (unsigned)settings->start_most;
	return processors > 0 ? (unsigned)processors : 1;
}

static int start_loop(struct hub *hub, struct err *err)
{
	const struct settings *settings = hub->config->settings;

	return space_loop_start(
		&(struct space_loop_config){
			.store = hub->store,
			.route = hub->route,
			.vault = hub->vault,
			.dir = hub->config->dir->path,
			.domain = settings->domain,
			.port = hub->listen.port,
			.hub_url = hub->hub_url,
			.base = {.python = PYTHON_PATH,
				 .python_version = PYTHON_VERSION,
				 .uv_version = hub->uv_version,
				 .default_index =
					 *settings->python_index ? settings->python_index : NULL},
			.hardware = hub->hardware,
			.grants = strcmp(settings->hardware_grants, "needed") == 0,
			.build_limits = {.cpu_milli = BUILD_CPU_MILLI,
					 .memory_bytes = (uint64_t)settings->build_memory_mib * MIB,
					 .pids = (uint32_t)settings->build_processes,
					 .disk_bytes = (uint64_t)settings->build_disk_mib * MIB},
			.storage_bytes = {(uint64_t)settings->storage_small_gib * GIB,
					  (uint64_t)settings->storage_medium_gib * GIB,
					  (uint64_t)settings->storage_large_gib * GIB},
			.closed = (const char *const *)settings->network_closed.items,
			.sleep = {.ignores_sockets = !settings->sleep_websockets,
				  .page_ms = settings->sleep_pageout_s * 1000,
				  .stop_ms = settings->sleep_stop_s * 1000,
				  .reserve_percent = (unsigned)settings->sleep_reserve_percent},
			.rush_max = start_most(settings),
			.make_engine = make_engine,
			.changed = space_changed,
			.changed_arg = hub,
		},
		&hub->loop, err);
}

/* Called in API threads. */
static void wake(void *arg, int64_t repo_id)
{
	struct hub *hub = arg;

	space_loop_wake(hub->loop, repo_id);
	watch_changed(hub->watch, repo_id);
}

static int start_api(struct hub *hub, struct err *err)
{
	size_t count;
	const struct http_route *routes;

	hub->api = api_new(&(struct api_config){
		.store = hub->store,
		.catalogue = hub->catalogue,
		.dir = hub->config->dir,
		.vault = hub->vault,
		.sleep_min_s = hub->config->settings->sleep_min_s,
		.hardware = hub->hardware,
		.grants = strcmp(hub->config->settings->hardware_grants, "needed") == 0,
		.templates = hub->config->settings->templates.items,
		.domain = hub->config->settings->domain,
		.quota_api = hub->config->settings->rate_api,
		.quota_resolvers = hub->config->settings->rate_resolvers,
		.quota_pages = hub->config->settings->rate_pages,
		.watch = hub->watch,
		.wake = wake,
		.arg = hub});
	routes = api_routes(hub->api, &count);
	return http_server_start(&(struct http_config){.listen_fd = ROLE_FD_API,
						       .routes = routes,
						       .route_count = count,
						       .fail = api_fail,
						       .finish = api_finish},
				 &hub->http, err);
}

/* It has a thread of its own: nobody waits for it. */
static int start_sweep(struct hub *hub, struct err *err)
{
	return sweep_start(&(struct sweep_config){.store = hub->store,
						  .catalogue = hub->catalogue,
						  .dir = hub->config->dir,
						  .wake = wake,
						  .arg = hub},
			   &hub->sweep, err);
}

static int start_front(struct hub *hub, struct err *err)
{
	owned(close) int spaces =
		openat(hub->config->dir->fd, "spaces", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (spaces < 0)
		return err_sys(err, "open the folder of logs");
	if (gate_start(&(struct gate_config){.store = hub->store,
					     .vault = hub->vault,
					     .loop = hub->loop},
		       &hub->gate, err) < 0)
		return -1;
	if (ask_server_start(
		    &(struct ask_config){.listen_fd = ROLE_FD_ASK,
					 .who = gate_ask,
					 .arg = hub->gate,
					 .hold_ms = (unsigned)hub->config->settings->front_hold_s *
						    1000,
					 .browser_hold_ms = BROWSER_HOLD_MS},
		    &hub->ask, err) < 0)
		return -1;
	return follow_server_start(&(struct follow_config){.listen_fd = ROLE_FD_STREAM,
							   .root_fd = take_fd(&spaces),
							   .claim = watch_claim,
							   .arg = hub->watch},
				   &hub->follow, err);
}

/* From last to first: what calls the loop ends before it. It answers the questions that it keeps.
 */
static void hub_done(struct hub *hub)
{
	http_server_stop(hub->http, END_GRACE_MS);
	watch_stop(hub->watch);
	follow_server_stop(hub->follow);
	ask_server_stop(hub->ask);
	gate_stop(hub->gate);
	sweep_stop(hub->sweep);
	space_loop_stop(hub->loop);
	watch_free(hub->watch);
	api_free(hub->api);
	route_close(hub->route);
	hardware_free(hub->hardware);
	vault_free(hub->vault);
	catalogue_free(hub->catalogue);
	store_close(hub->store);
	free(hub->hub_url);
	free(hub->uv_version);
}

static void own_hub_done(struct hub *held)
{
	hub_done(held);
}

static int start_all(struct hub *hub, struct err *err)
{
	if (listen_parse(hub->config->settings->listen.items[0], &hub->listen, err) < 0)
		return -1;
	hub->hub_url = mem_format("http://hub.espace:%u", hub->listen.port);
	if (open_store(hub, err) < 0 || start_watch(hub, err) < 0 || start_loop(hub, err) < 0 ||
	    start_front(hub, err) < 0 || start_sweep(hub, err) < 0 || start_api(hub, err) < 0)
		return -1;
	return 0;
}

/* SIGTERM and SIGINT are read from a descriptor: block them before any thread starts. */
static int watch_signals(int *out, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(err, ERR_SYSTEM, "block signals");
	*out = signalfd(-1, &set, SFD_CLOEXEC);
	return *out < 0 ? err_sys(err, "watch signals") : 0;
}

/* Wait for the end of the keeper or a signal; until then tell once that we are ready. */
static int serve(const struct hub *hub, int signals, struct err *err)
{
	struct pollfd ends[] = {{.fd = ROLE_FD_LIFELINE, .events = POLLIN},
				{.fd = signals, .events = POLLIN}};
	bool ready = false;
	int count = 0;

	while (count <= 0) {
		if (!ready && ready_probe(&hub->listen)) {
			ready = true;
			if (write(ROLE_FD_READY, "r", 1) != 1)
				return err_sys(err, "tell that we are ready");
			log_info("hub.ready", "port=%u", hub->listen.port);
		}
		count = poll(ends, 2, ready ? -1 : READY_PAUSE_MS);
	}
	return 0;
}

int hub_run(const struct hub_config *config, struct err *err)
{
	owned(close) int signals = -1;
	owned(hub_done) struct hub hub = {.config = config};

	mem_for_threads();
	umask(022); /* layers and the input of builds are read by the ids of containers */
	signal(SIGPIPE, SIG_IGN);
	/* What needs another program comes first. */
	if (watch_signals(&signals, err) < 0 || find_uv(&hub, err) < 0 ||
	    (config->settings->hub_confine &&
	     confine_hub(config->dir, config->settings->hardware_cdi.items, err) < 0) ||
	    start_all(&hub, err) < 0)
		return -1;
	return serve(&hub, signals, err);
}
