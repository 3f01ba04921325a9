#pragma once

#include "contract.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/datadir.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "engine/local.h"
#include "runner/runner.h"

/*
 * The local engine with a real runner, real containers and a real base system, in a data directory
 * of its own. Needs root and the accounts of scripts/build. ESPACE_TEST_BASE may name a base system
 * that is there already; without it one is made, which takes half a minute and the machine's
 * package sources.
 */
#define PLACE "/var/tmp/espace-test-local"
#define SPACE "0123456789abcdef01234567"
#define APP   "app-" SPACE "-0000000000000000000000000000000000000000"

enum { POOL_FIRST = 0x0ad50000 /* 10.213.0.0 */, IDS_FIRST = 200000, HUB_PORT = 18080 };

static struct datadir dir;
static struct runner_config config;
static int ends[2]; /* hub, runner */
static int lifeline[2];
static pid_t runner = -1;
static bool prepared;
static struct err prepare_err;

static const char *const plain_env[] = {"PATH=/usr/bin:/bin", "HOME=/tmp", "PYTHONUNBUFFERED=1",
					NULL};

/* Forwards what it gets; /hostname and the like are files of the folder it is started in. */
static const char *const server[] = {"/usr/bin/python3", "-m", "http.server", "7860", NULL};

static inline void start_runner(void)
{
	runner = fork();
	if (runner == 0) {
		struct err err = ERR_INIT;

		close(lifeline[1]);
		log_setup("runner", LOG_LEVEL_INFO);
		config.hub_fd = ends[1];
		config.lifeline_fd = lifeline[0];
		if (runner_main(&config, &err) < 0)
			log_error("test.runner", "error=%s", err.text);
		_exit(err.kind != ERR_NONE);
	}
	assert_true(runner > 0);
}

static inline void kill_runner(void)
{
	if (runner <= 0)
		return; /* 0 would be all of us */
	kill(runner, SIGKILL);
	waitpid(runner, NULL, 0);
	runner = -1;
}

static inline void replace_runner(void)
{
	kill_runner();
	start_runner();
}

static inline bool is_prepared(const char *unused)
{
	return prepared;
}

static inline void on_prepared(void *arg, const struct err *err)
{
	prepared = true;
	if (err)
		prepare_err = *err;
	loop_quit(contract.loop);
}

/* What the keeper does: a tmpfs at run/ with the folders in it. */
static inline void make_run(void)
{
	owned(free) char *run = datadir_path(&dir, "run");

	assert_int_equal(mount("test", run, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711"), 0);
	assert_int_equal(mkdirat(dir.fd, "run/bundles", 0711), 0);
	assert_int_equal(mkdirat(dir.fd, "run/in", 0711), 0);
}

static inline void borrow_base(const char *base)
{
	owned(free) char *target = datadir_path(&dir, "layers/base-0123456789ab");
	const char *const argv[] = {"cp", "-a", base, target, NULL};
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(argv, NULL, NULL, &err), 0);
	assert_int_equal(symlinkat("base-0123456789ab", dir.fd, "layers/base"), 0);
}

/* An app layer as the hub writes it: everything belongs to its user. */
static inline void make_app_layer(void)
{
	static const char *const folders[] = {"layers/" APP, "layers/" APP "/home",
					      "layers/" APP "/home/user",
					      "layers/" APP "/home/user/app"};
	static const char text[] = "hello from the layer\n";
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(mkdirat(dir.fd, folders[i], 0755), 0);
		assert_int_equal(fchownat(dir.fd, folders[i], dir.owner, dir.group, 0), 0);
	}
	assert_int_equal(file_write(dir.fd, "layers/" APP "/home/user/app/hello.txt", text,
				    strlen(text), 0644, &err),
			 0);
	assert_int_equal(
		fchownat(dir.fd, "layers/" APP "/home/user/app/hello.txt", dir.owner, dir.group, 0),
		0);
}

static inline void fill_spec(struct engine_spec *spec)
{
	static const char *const layers[] = {APP};

	*spec = (struct engine_spec){
		.kind = ENGINE_APP,
		.space = SPACE,
		.log = "run-1.log",
		.layers = {layers[0]},
		.layer_count = 1,
		.argv = server,
		.env = plain_env,
		.cwd = "/home/user/app",
		.port = 7860,
		.limits = {2000, UINT64_C(512) << 20, 128, UINT64_C(1) << 30},
	};
}

/* One at a time on a machine: whoever holds the place may end what a killed test has left in it. */
static inline void wait_for_others(void)
{
	int fd = open(PLACE ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* until we end */

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
}

static inline void end_former(void)
{
	owned(datadir_done) struct datadir former = {.fd = -1};
	struct err err = ERR_INIT;

	if (datadir_open(PLACE, &former, &err) == 0) {
		config.dir = &former;
		if (runner_stop_all(&config, &err) < 0)
			fail_msg("%s", err.text);
	}
	umount2(PLACE "/run", MNT_DETACH);
	assert_int_equal(file_remove_tree(AT_FDCWD, PLACE, &err), 0);
}

/* The runner has seen to it that there is some, where the machine lets us. */
static inline bool has_swap(void)
{
	struct sysinfo info;

	assert_int_equal(sysinfo(&info), 0);
	return info.totalswap > 0;
}

static inline int set_up(void **state)
{
	const char *base = getenv("ESPACE_TEST_BASE");
	struct err err = ERR_INIT;
	struct loop *loop;
	struct engine *engine;

	log_setup("test", LOG_LEVEL_INFO);
	wait_for_others();
	end_former();
	if (datadir_claim(PLACE, POOL_FIRST, IDS_FIRST, &err) < 0 ||
	    datadir_open(PLACE, &dir, &err) < 0)
		fail_msg("%s", err.text);
	make_run();
	make_app_layer();
	if (base)
		borrow_base(base);
	config = (struct runner_config){
		.dir = &dir,
		.uv_path = getenv("ESPACE_UV") ? getenv("ESPACE_UV") : "/bin/true",
		.init_path = "/usr/bin/catatonit",
		.steps_path = getenv("ESPACE_STEPS"),
		.hub_port = HUB_PORT,
		.egress = NETWORK_EGRESS_PUBLIC,
		.swap = {SWAP_FILE, UINT64_C(256) << 20},
	};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pipe2(lifeline, O_CLOEXEC), 0);
	start_runner();
	assert_int_equal(loop_new(&loop, &err), 0);
	assert_int_equal(engine_local_new(loop, ends[0], &engine, &err), 0);
	contract_use(loop, engine);
	contract.patience_ms = 300 * 1000; /* mmdebstrap on a busy machine */
	fill_spec(&contract.app);
	contract_wait(contract_was_lost, "first report");
	engine_local_prepare(engine, on_prepared, NULL);
	contract_wait(is_prepared, "base system");
	if (prepare_err.kind != ERR_NONE)
		fail_msg("%s", prepare_err.text);
	contract.patience_ms = 20 * 1000;
	contract.has_swap = has_swap();
	contract.break_off = replace_runner;
	return 0;
}

static inline int tear_down(void **state)
{
	struct err err = ERR_INIT;

	kill_runner();
	if (!contract.engine)
		return 0; /* the set-up failed before there was anything */
	contract.engine->ops->free(contract.engine);
	loop_free(contract.loop);
	free(contract.reports);
	if (runner_stop_all(&config, &err) < 0)
		print_message("%s\n", err.text);
	umount2(PLACE "/run", MNT_DETACH);
	datadir_done(&dir);
	return file_remove_tree(AT_FDCWD, PLACE, &err);
}

/* One GET; the answer, or "" where nobody listens. */
static inline void get(uint32_t address, uint16_t port, const char *path, struct str *answer)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
	owned(close) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[256];
	char chunk[4096];
	ssize_t got;

	str_clear(answer);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return;
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	if (write(fd, request, strlen(request)) < 0)
		return;
	while ((got = read(fd, chunk, sizeof(chunk))) > 0)
		str_add_n(answer, chunk, (size_t)got);
}

/* Until it answers; ends the test after some seconds. */
static inline void get_patiently(const struct engine_run *run, const char *path, struct str *answer)
{
	int64_t until_ms = clock_mono_ms() + 10 * 1000;

	do {
		get(run->address, run->port, path, answer);
		if (answer->length == 0)
			poll(NULL, 0, 1);
	} while (answer->length == 0 && clock_mono_ms() < until_ms);
	assert_true(answer->length > 0);
}

/* Run a program to its end. */
static inline const struct engine_run *run_program(const char *key, const char *program)
{
	const char *const argv[] = {"/usr/bin/python3", "-c", program, NULL};

	contract.app.argv = argv;
	contract_submit(key);
	contract.app.argv = server;
	contract_wait(contract_has_ended, key);
	return contract_last(key);
}

static inline void read_log(const char *log, struct str *text)
{
	owned(free) char *path = mem_format("spaces/" SPACE "/logs/%s", log);
	struct err err = ERR_INIT;

	str_clear(text);
	assert_int_equal(file_read(dir.fd, path, text, &err), 0);
}
