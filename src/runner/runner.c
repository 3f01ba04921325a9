#include "runner/runner.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "engine/link.h"
#include "engine/request.h"
#include "runner/basesystem.h"
#include "runner/check.h"
#include "runner/container.h"
#include "runner/data.h"
#include "runner/firewall.h"
#include "runner/fleet.h"
#include "runner/network.h"
#include "runner/pool.h"
#include "runner/resolver.h"
#include "runner/seccomp.h"

/* A request that waits for the base system. */
struct waiter {
	struct waiter *next;
	uint64_t id;
	uint64_t session;
};

/* A disk that is being removed, in a worker's hands. */
struct drop {
	struct drop *next;
	struct runner *runner;
	uint64_t id;
	uint64_t session;
	char space[25];
	struct err err;
};

struct runner {
	const struct runner_config *config;
	struct loop *loop;
	struct link *link;
	struct pool *pool;
	struct pool *slow_pool;
	struct fleet *fleet;
	struct basesystem *base;
	struct resolver *resolver;
	json_t *seccomp;
	struct loop_fd *lifeline;
	struct loop_fd *signals;
	int signal_fd;
	struct waiter *waiters;
	struct drop *drops;
	const struct request *observing; /* while fleet_each() runs */
};

/* A message that can't be sent is a gap; the link says HELLO when it has emptied its queue. */
static void send_message(struct runner *runner, struct str *message)
{
	struct err err = ERR_INIT;

	if (link_send(runner->link, message, &err) < 0)
		log_warn("runner.send", "error=%s", err.text);
}

static void send_hello(void *arg)
{
	struct runner *runner = arg;
	struct str message = request_begin(REQUEST_HELLO, 0, 0);

	send_message(runner, &message);
}

static void reply(struct runner *runner, uint64_t id, uint64_t session, const struct err *err)
{
	struct str message = request_begin(REQUEST_REPLY, id, session);

	request_add_number(&message, REQUEST_TAG_ERROR, err ? err->kind : ERR_NONE);
	if (err)
		request_add_text(&message, REQUEST_TAG_TEXT, err->text);
	send_message(runner, &message);
}

static void on_changed(void *arg, const struct engine_run *run)
{
	struct runner *runner = arg;
	struct str message;

	if (!runner->link)
		return; /* while we adopt; the hub asks after our HELLO */
	message = request_begin(REQUEST_CHANGED, 0, 0);
	request_add_run(&message, run);
	send_message(runner, &message);
}

static void send_run(void *arg, const struct engine_run *run)
{
	struct runner *runner = arg;
	struct str message =
		request_begin(REQUEST_RUN, runner->observing->id, runner->observing->session);

	request_add_run(&message, run);
	send_message(runner, &message);
}

static void on_need_base(void *arg)
{
	struct runner *runner = arg;

	basesystem_make(runner->base);
}

static void on_base(void *arg, const struct err *err)
{
	struct runner *runner = arg;

	while (runner->waiters) {
		struct waiter *waiter = runner->waiters;

		runner->waiters = waiter->next;
		reply(runner, waiter->id, waiter->session, err);
		free(waiter);
	}
	fleet_base(runner->fleet, err ? NULL : basesystem_name(runner->base), err);
}

static void prepare(struct runner *runner, const struct request *request)
{
	struct waiter *waiter;

	if (basesystem_name(runner->base)) {
		reply(runner, request->id, request->session, NULL);
		return;
	}
	waiter = mem_new(struct waiter);
	waiter->id = request->id;
	waiter->session = request->session;
	waiter->next = runner->waiters;
	runner->waiters = waiter;
	basesystem_make(runner->base);
}

static void drop_work(void *arg)
{
	struct drop *drop = arg;

	if (data_drop(drop->runner->config->dir, drop->space, &drop->err) < 0)
		log_warn("runner.data", "space=%s error=%s", drop->space, drop->err.text);
}

static void drop_done(void *arg)
{
	struct drop *drop = arg;
	struct drop **at = &drop->runner->drops;

	reply(drop->runner, drop->id, drop->session, drop->err.kind ? &drop->err : NULL);
	while (*at != drop)
		at = &(*at)->next;
	*at = drop->next;
	free(drop);
}

/* Replies by itself, but where it fails at once. */
static int drop_data(struct runner *runner, const struct request *request, struct err *err)
{
	const char *space = request_text(request, REQUEST_TAG_SPACE);
	struct drop *drop;

	if (!space || check_space(space, err) < 0)
		return err_set(err, ERR_INVALID, "the id of the space is malformed");
	drop = mem_new(struct drop);
	drop->runner = runner;
	drop->id = request->id;
	drop->session = request->session;
	memcpy(drop->space, space, sizeof(drop->space));
	drop->next = runner->drops;
	runner->drops = drop;
	pool_add(runner->pool,
		 &(struct pool_job){.work = drop_work, .done = drop_done, .arg = drop});
	return 0;
}

static int need_key(const struct request *request, const char **key, struct err *err)
{
	*key = request_text(request, REQUEST_TAG_KEY);
	return *key ? check_key(*key, err) : err_set(err, ERR_INVALID, "the request has no key");
}

/* Requests about one run. */
static int serve_key(struct runner *runner, const struct request *request, struct err *err)
{
	const char *key;
	uint64_t grace_ms = request_number(request, REQUEST_TAG_GRACE, 0);

	if (need_key(request, &key, err) < 0)
		return -1;
	switch (request->kind) {
	case REQUEST_STOP:
		fleet_stop(runner->fleet, key,
			   grace_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)grace_ms);
		return 0;
	case REQUEST_SUSPEND:
		fleet_suspend(runner->fleet, key);
		return 0;
	case REQUEST_RESUME:
		return fleet_resume(runner->fleet, key, err);
	case REQUEST_PAGE_OUT:
		return fleet_page_out(runner->fleet, key, err);
	case REQUEST_FORGET:
		return fleet_forget(runner->fleet, key, err);
	default:
		return err_set(err, ERR_INVALID, "unknown request");
	}
}

/* Asked each second by whoever looks on: what can't be measured any more is no news for the log. */
static void measure(struct runner *runner, const struct request *request)
{
	struct engine_metrics metrics;
	struct err err = ERR_INIT;
	struct str message;
	const char *key;

	if (need_key(request, &key, &err) < 0 ||
	    fleet_measure(runner->fleet, key, &metrics, &err) < 0) {
		reply(runner, request->id, request->session, &err);
		return;
	}
	message = request_begin(REQUEST_METRICS, request->id, request->session);
	request_add_metrics(&message, &metrics);
	send_message(runner, &message);
}

static void on_message(void *arg, const void *bytes, size_t length)
{
	struct runner *runner = arg;
	owned(request_done) struct request request = REQUEST_INIT;
	struct err err = ERR_INIT;
	int result = 0;

	if (request_parse(bytes, length, &request, &err) < 0) {
		log_error("runner.request", "error=%s", err.text);
		return;
	}
	switch (request.kind) {
	case REQUEST_PREPARE:
		prepare(runner, &request); /* replies by itself */
		return;
	case REQUEST_MEASURE:
		measure(runner, &request); /* the same */
		return;
	case REQUEST_OBSERVE:
		runner->observing = &request;
		fleet_each(runner->fleet, send_run, runner);
		runner->observing = NULL;
		break;
	case REQUEST_DROP_DATA:
		result = drop_data(runner, &request, &err);
		if (result == 0)
			return;
		break;
	case REQUEST_SUBMIT:
		result = fleet_submit(runner->fleet, bytes, length, &err);
		break;
	default:
		result = serve_key(runner, &request, &err);
	}
	if (result < 0)
		log_warn("runner.refuse", "kind=%d error=%s", request.kind, err.text);
	reply(runner, request.id, request.session, result < 0 ? &err : NULL);
}

/* Of no consequence for the start: whoever wants Spaces to reach something will look at the log. */
static void warn_firewall(void *arg, const struct firewall_finding *finding)
{
	(void)arg;
	log_warn("runner.firewall", "drops=%s chain=\"%s\" repair=\"%s\"", finding->hook,
		 finding->chain, finding->repair);
}

static void look_for_firewalls(const struct datadir *dir)
{
	struct err err = ERR_INIT;

	if (firewall_look(dir, warn_firewall, NULL, &err) < 0)
		log_warn("runner.firewall", "error=%s", err.text);
}

/* Without it Spaces are frozen and keep their memory: no reason not to start. */
static void have_swap(const struct runner_config *config)
{
	struct err err = ERR_INIT;

	if (swap_up(config->dir, &config->swap, &err) < 0)
		log_error("runner.swap", "error=%s", err.text);
}

static void quit(void *arg)
{
	struct runner *runner = arg;

	loop_quit(runner->loop);
}

static void on_end(void *arg, uint32_t events)
{
	struct runner *runner = arg;

	log_info("runner.quit", "runs=go-on");
	loop_fd_remove(take(runner->lifeline));
	loop_fd_remove(take(runner->signals));
	quit(runner);
}

/* SIGTERM comes by descriptor. All threads are started later and inherit the mask. */
static int watch_ends(struct runner *runner, struct err *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	if (pthread_sigmask(SIG_BLOCK, &mask, NULL) != 0)
		return err_set(err, ERR_SYSTEM, "block signals");
	runner->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (runner->signal_fd < 0)
		return err_sys(err, "signalfd");
	if (loop_fd_add(runner->loop, runner->signal_fd, EPOLLIN, on_end, runner, &runner->signals,
			err) < 0)
		return -1;
	if (runner->config->lifeline_fd < 0)
		return 0;
	return loop_fd_add(runner->loop, runner->config->lifeline_fd, EPOLLIN | EPOLLHUP, on_end,
			   runner, &runner->lifeline, err);
}

static unsigned worker_count(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : (unsigned)count;
}

static int start_fleet(struct runner *runner, struct err *err)
{
	const struct fleet_setup setup = {
		.config = runner->config,
		.loop = runner->loop,
		.pool = runner->pool,
		.slow_pool = runner->slow_pool,
		.seccomp = runner->seccomp,
		.changed = on_changed,
		.need_base = on_need_base,
		.arg = runner,
	};

	if (fleet_new(&setup, &runner->fleet, err) < 0)
		return -1;
	if (basesystem_name(runner->base))
		fleet_base(runner->fleet, basesystem_name(runner->base), NULL);
	return 0;
}

static int start(struct runner *runner, struct err *err)
{
	const struct runner_config *config = runner->config;
	const struct link_events events = {
		.message = on_message, .gap = send_hello, .closed = quit, .arg = runner};

	if (loop_new(&runner->loop, err) < 0 || watch_ends(runner, err) < 0 ||
	    runner_seccomp_load(&runner->seccomp, err) < 0 ||
	    container_setup(config->dir, err) < 0 || network_up(config, err) < 0 ||
	    resolver_new(config, runner->loop, &runner->resolver, err) < 0 ||
	    pool_new(runner->loop, worker_count(), &runner->pool, err) < 0 ||
	    pool_new(runner->loop, 1, &runner->slow_pool, err) < 0 ||
	    basesystem_new(config, runner->loop, on_base, runner, &runner->base, err) < 0 ||
	    start_fleet(runner, err) < 0 ||
	    link_new(runner->loop, config->hub_fd, &events, &runner->link, err) < 0)
		return err_in(err, "runner");
	send_hello(runner);
	have_swap(config);
	look_for_firewalls(config->dir);
	return 0;
}

/* Workers first: what they have begun is completed, and they use the fleet. */
static void stop(struct runner *runner)
{
	basesystem_free(runner->base);
	pool_free(runner->pool);
	pool_free(runner->slow_pool);
	link_free(runner->link);
	fleet_free(runner->fleet);
	resolver_free(runner->resolver);
	json_decref(runner->seccomp);
	while (runner->waiters) {
		struct waiter *next = runner->waiters->next;

		free(runner->waiters);
		runner->waiters = next;
	}
	while (runner->drops) {
		struct drop *next = runner->drops->next;

		free(runner->drops);
		runner->drops = next;
	}
	loop_free(runner->loop);
	own_close(&runner->signal_fd);
}

int runner_main(const struct runner_config *config, struct err *err)
{
	struct runner runner = {.config = config, .signal_fd = -1};
	int result;

	umask(022); /* Spaces' user ids must get through the folders that we make */
	result = start(&runner, err);

	if (result == 0) {
		log_info("runner.ready", "instance=%s", config->dir->instance);
		result = loop_run(runner.loop, err);
	}
	stop(&runner);
	return result;
}
