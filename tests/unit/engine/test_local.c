#include "local.h"

#include <errno.h>

#define ENV_A "env-aaaaaaaaaaaaaaaaaaaaaaaa"
#define ENV_B "env-bbbbbbbbbbbbbbbbbbbbbbbb"
#define ENV_C "env-cccccccccccccccccccccccc"
#define ENV_D "env-dddddddddddddddddddddddd"

#include "local_disk.h"

static void an_app_answers_with_what_is_in_its_layer(void **state)
{
	owned(str_done) struct str answer = str_new(65536);
	const char *key = CONTRACT_KEY(10);
	int64_t since_ms = clock_mono_ms();
	int64_t started_ms;

	contract_submit(key);
	contract_wait(contract_is_running, key);
	started_ms = clock_mono_ms() - since_ms;
	get_patiently(contract_last(key), "/hello.txt", &answer);
	print_message("started after %lld ms, answered after %lld ms\n", (long long)started_ms,
		      (long long)(clock_mono_ms() - since_ms));
	assert_non_null(strstr(answer.data, "hello from the layer"));
	contract_stop(key);
	contract_forget(key);
}

static void its_status_and_output_are_reported(void **state)
{
	owned(str_done) struct str log = str_new(1024 * 1024);
	const struct engine_run *run;

	run = run_program(CONTRACT_KEY(11), "print('now I go'); raise SystemExit(7)");
	assert_int_equal(run->exit_status, 7);
	assert_string_equal(run->reason, "");
	read_log("run-1.log", &log);
	assert_non_null(strstr(log.data, "now I go"));
	contract_forget(CONTRACT_KEY(11));
}

static void who_takes_too_much_memory_is_named(void **state)
{
	const struct engine_run *run;

	run = run_program(CONTRACT_KEY(12), "x = b'1' * (1 << 30)");
	assert_int_equal(run->exit_status, 128 + 9);
	assert_true(run->oom);
	contract_forget(CONTRACT_KEY(12));
}

/* One claim a line; the first that fails is the status. */
static void an_app_has_no_rights(void **state)
{
	static const char program[] =
		"import os, socket, ctypes, errno\n"
		"def must(n, ok):\n"
		"    if not ok: print('claim', n); os._exit(n)\n"
		"libc = ctypes.CDLL(None, use_errno=True)\n"
		"status = dict(l.split(':\\t', 1) for l in open('/proc/self/status') if ':\\t' in "
		"l)\n"
		"must(1, os.getuid() == 1000 and os.getgid() == 1000)\n"
		"must(2, int(status['CapBnd'], 16) == 0 and int(status['CapEff'], 16) == 0)\n"
		"must(3, status['NoNewPrivs'].strip() == '1' and status['Seccomp'].strip() == "
		"'2')\n"
		"must(4, not os.access('/etc', os.W_OK) and os.access('/home/user/app', os.W_OK))\n"
		"must(5, libc.unshare(0x10000000) == -1 and ctypes.get_errno() == errno.EPERM)\n"
		"must(6, os.stat('hello.txt').st_uid == 1000)\n"
		"open('hello.txt', 'w').write('changed')\n"
		"open('/tmp/x', 'w').write('x')\n"
		"must(7, os.stat('/usr/bin/python3').st_uid == 0)\n"
		"must(8, os.getpid() < 10)\n"
		"def refused(where, port):\n"
		"    try: socket.create_connection((where, port), 3); return False\n"
		"    except OSError as e: return not isinstance(e, TimeoutError)\n"
		"must(9, refused('192.168.7.7', 80))\n"
		"must(10, refused(open('/etc/resolv.conf').read().split()[1], 22))\n"
		"gateway = open('/etc/resolv.conf').read().split()[1]\n"
		"must(11, socket.gethostbyname('hub.espace') == gateway)\n"
		"must(12, socket.gethostbyname('me-demo.hub.espace') == gateway)\n"
		"must(13, socket.gethostbyname(socket.gethostname()).startswith('10.213.'))\n"
		"must(14, len([i for i in socket.if_nameindex()]) == 2)\n";
	const struct engine_run *run = run_program(CONTRACT_KEY(13), program);

	assert_string_equal(run->reason, "");
	assert_int_equal(run->exit_status, 0);
	contract_forget(CONTRACT_KEY(13));
}

static void its_disk_is_bounded(void **state)
{
	static const char program[] =
		"import errno\n"
		"try:\n"
		"    f = open('big', 'wb')\n"
		"    for i in range(200): f.write(bytes(1 << 20)); f.flush()\n"
		"except OSError as e: raise SystemExit(e.errno)\n";
	const struct engine_run *run;

	contract.app.limits.disk_bytes = UINT64_C(64) << 20;
	run = run_program(CONTRACT_KEY(14), program);
	contract.app.limits.disk_bytes = UINT64_C(1) << 30;
	assert_int_equal(run->exit_status, ENOSPC);
	contract_forget(CONTRACT_KEY(14));
}

static void a_program_that_is_not_there_is_a_failed_start(void **state)
{
	static const char *const argv[] = {"/no/such/program", NULL};
	const struct engine_run *run;

	contract.app.argv = argv;
	contract_submit(CONTRACT_KEY(15));
	contract.app.argv = server;
	contract_wait(contract_has_ended, CONTRACT_KEY(15));
	run = contract_last(CONTRACT_KEY(15));
	assert_int_not_equal(run->exit_status, 0);
	contract_forget(CONTRACT_KEY(15));
}

static void a_malformed_run_ends_with_the_reason(void **state)
{
	const struct engine_run *run;

	contract.app.cwd = "/../etc";
	contract_submit(CONTRACT_KEY(16));
	contract.app.cwd = "/home/user/app";
	contract_wait(contract_has_ended, CONTRACT_KEY(16));
	run = contract_last(CONTRACT_KEY(16));
	assert_int_equal(run->exit_status, -1);
	assert_non_null(strstr(run->reason, "working directory"));
	contract_forget(CONTRACT_KEY(16));
}

static void two_apps_cannot_reach_each_other(void **state)
{
	static const char program[] = "import socket, sys\n"
				      "try: socket.create_connection((sys.argv[1], 7860), 2)\n"
				      "except OSError: raise SystemExit(3)\n";
	const char *const argv[] = {"/usr/bin/python3", "-c", program, NULL, NULL};
	const char *arguments[5];
	char address[INET_ADDRSTRLEN];
	struct in_addr in;

	contract_submit(CONTRACT_KEY(17));
	contract_wait(contract_is_running, CONTRACT_KEY(17));
	in.s_addr = htonl(contract_last(CONTRACT_KEY(17))->address);
	inet_ntop(AF_INET, &in, address, sizeof(address));
	memcpy(arguments, argv, sizeof(argv));
	arguments[3] = address;
	contract.app.argv = arguments;
	contract_submit(CONTRACT_KEY(18));
	contract.app.argv = server;
	contract_wait(contract_has_ended, CONTRACT_KEY(18));
	assert_int_equal(contract_last(CONTRACT_KEY(18))->exit_status, 3);
	contract_forget(CONTRACT_KEY(18));
	contract_stop(CONTRACT_KEY(17));
	contract_forget(CONTRACT_KEY(17));
}

static void restart_runner(void)
{
	contract.lost = 0;
	start_runner();
	contract_wait(contract_was_lost, "report of the new runner");
}

static void a_new_runner_adopts_what_runs(void **state)
{
	owned(str_done) struct str answer = str_new(65536);
	const char *key = CONTRACT_KEY(20);
	struct engine_run before;

	contract_submit(key);
	contract_wait(contract_is_running, key);
	before = *contract_last(key);
	get_patiently(&before, "/hello.txt", &answer);
	kill_runner();
	get_patiently(&before, "/hello.txt", &answer);
	restart_runner();
	assert_int_equal(contract_observed(key), 1);
	get_patiently(&before, "/hello.txt", &answer);
	contract_stop(key);
	assert_int_equal(contract_last(key)->started_ms, before.started_ms);
	assert_int_equal(contract_last(key)->address, before.address);
	contract_forget(key);
}

static void what_ended_meanwhile_has_its_status(void **state)
{
	static const char program[] = "import time; time.sleep(0.3); raise SystemExit(9)";
	static const char *const argv[] = {"/usr/bin/python3", "-c", program, NULL};
	const char *key = CONTRACT_KEY(21);
	owned(free) char *status = datadir_path(&dir, "run/exit/%s", key);

	contract.app.argv = argv;
	contract_submit(key);
	contract.app.argv = server;
	contract_wait(contract_is_running, key);
	kill_runner();
	while (!file_exists(AT_FDCWD, status))
		poll(NULL, 0, 5);
	restart_runner();
	if (!contract_has_ended(key))
		contract_wait(contract_has_ended, key);
	assert_int_equal(contract_last(key)->exit_status, 9);
	contract_forget(key);
}

/* The process whose id starts a file of the data directory. */
static pid_t pid_in(const char *path)
{
	owned(str_done) struct str text = str_new(64);
	struct err err = ERR_INIT;

	return file_read(dir.fd, path, &text, &err) < 0 ? 0 : (pid_t)strtol(text.data, NULL, 10);
}

static void a_run_without_its_monitor_is_lost(void **state)
{
	const char *key = CONTRACT_KEY(22);
	owned(free) char *path = mem_format("run/bundles/%s/conmon.pid", key);

	contract_submit(key);
	contract_wait(contract_is_running, key);
	assert_int_equal(kill(pid_in(path), SIGKILL), 0);
	contract_wait(contract_has_ended, key);
	assert_int_equal(contract_last(key)->exit_status, ENGINE_LOST);
	assert_non_null(strstr(contract_last(key)->reason, "monitor"));
	contract_forget(key);
}

static void the_name_server_comes_back(void **state)
{
	static const char program[] = "import socket\n"
				      "print(socket.getaddrinfo('hub.espace', 80))\n";
	pid_t before = pid_in("run/dnsmasq.pid");
	int64_t until_ms = clock_mono_ms() + 10 * 1000;

	assert_int_equal(kill(before, SIGKILL), 0);
	while (pid_in("run/dnsmasq.pid") == before && clock_mono_ms() < until_ms)
		poll(NULL, 0, 10);
	assert_int_not_equal(pid_in("run/dnsmasq.pid"), before);
	assert_int_equal(run_program(CONTRACT_KEY(23), program)->exit_status, 0);
	contract_forget(CONTRACT_KEY(23));
}

static void fill_build(struct engine_spec *build, const char *layer, const char *cache)
{
	fill_spec(build);
	build->kind = ENGINE_BUILD;
	build->log = "build-1.log";
	build->layer_count = 0;
	build->port = 0;
	build->cwd = "/build";
	build->result = layer;
	build->cache = cache;
	snprintf(build->key, sizeof(build->key), "%s", layer);
}

static const struct engine_run *build(const struct engine_spec *spec)
{
	struct err err = ERR_INIT;

	assert_int_equal(contract.engine->ops->submit(contract.engine, spec, &err), 0);
	contract_wait(contract_has_ended, spec->key);
	return contract_last(spec->key);
}

static void a_build_makes_a_layer(void **state)
{
	static const char program[] =
		"import os\n"
		"assert os.getuid() == 0 and open('/in/requirements.txt').read() == 'gradio'\n"
		"os.makedirs('/build/out-" ENV_A "/opt/venv')\n"
		"open('/build/cache/wheel', 'w').write('x')\n"
		"os.link('/build/cache/wheel', '/build/out-" ENV_A "/opt/venv/wheel')\n"
		"assert os.access('/usr/local/bin/uv', os.X_OK)\n";
	static const char *const argv[] = {"/run/steps", "One",       "--",  "/usr/bin/python3",
					   "-c",         program,     ";;",  "Two",
					   "--",         "/bin/echo", "two", NULL};
	owned(str_done) struct str log = str_new(1024 * 1024);
	struct engine_spec spec;
	const struct engine_run *run;
	struct stat st;
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(dir.fd, "run/in/" ENV_A, 0755), 0);
	assert_int_equal(
		file_write(dir.fd, "run/in/" ENV_A "/requirements.txt", "gradio", 6, 0644, &err),
		0);
	fill_build(&spec, ENV_A, "shared");
	spec.argv = argv;
	run = build(&spec);
	read_log("build-1.log", &log);
	if (run->exit_status != 0)
		fail_msg("%d %s\n%s", run->exit_status, run->reason, log.data);
	assert_non_null(strstr(log.data, "==> One"));
	assert_non_null(strstr(log.data, "==> Two"));
	assert_int_equal(fstatat(dir.fd, "layers/" ENV_A "/opt/venv/wheel", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(st.st_uid, dir.ids_base);
	contract_forget(ENV_A);

	/* There now: the same build ends at once. */
	contract.report_count = 0;
	run = build(&spec);
	assert_int_equal(run->exit_status, 0);
	assert_int_equal(run->started_ms, 0);
	contract_forget(ENV_A);
}

static void a_failed_build_leaves_nothing(void **state)
{
	static const char program[] = "import os\n"
				      "assert os.getuid() == 1000\n"
				      "open('/build/out-" ENV_B "/file', 'w')\n"
				      "raise SystemExit(5)\n";
	static const char *const argv[] = {"/run/steps", "One",   "--", "/usr/bin/python3",
					   "-c",         program, NULL};
	struct engine_spec spec;

	fill_build(&spec, ENV_B, SPACE);
	spec.argv = argv;
	assert_int_equal(build(&spec)->exit_status, 5);
	assert_false(file_exists(dir.fd, "cache/out-" ENV_B));
	assert_false(file_exists(dir.fd, "cache/" ENV_B ".img"));
	assert_false(file_exists(dir.fd, "layers/" ENV_B));
	contract_forget(ENV_B);
}

/* What it has made comes out, as plain files; the rest of what it wrote is bounded, and goes. */
static void an_owners_build_has_a_disk_of_its_own(void **state)
{
	static const char program[] =
		"import os\n"
		"venv = '/build/out-" ENV_C "/opt/venv'\n"
		"os.makedirs(venv)\n"
		"open(venv + '/file', 'w').write('x')\n"
		"os.chmod(venv + '/file', 0o4755)\n"
		"os.link(venv + '/file', venv + '/again')\n"
		"os.symlink('/etc/shadow', venv + '/link')\n"
		"assert os.listdir('/build/cache') == []\n"
		"try:\n"
		"    with open('/build/cache/fill', 'wb', 0) as file:\n"
		"        while True: file.write(b'x' * (1 << 20))\n"
		"except OSError as error: assert error.errno == 28\n"
		"assert 32 << 20 < os.path.getsize('/build/cache/fill') < 64 << 20\n";
	static const char *const argv[] = {"/run/steps", "One",   "--", "/usr/bin/python3",
					   "-c",         program, NULL};
	owned(str_done) struct str log = str_new(1024 * 1024);
	const struct engine_run *run;
	struct engine_spec spec;
	struct stat st;

	fill_build(&spec, ENV_C, SPACE);
	spec.log = "build-2.log";
	spec.argv = argv;
	spec.limits.disk_bytes = 64 << 20;
	run = build(&spec);
	read_log("build-2.log", &log);
	if (run->exit_status != 0)
		fail_msg("%d %s\n%s", run->exit_status, run->reason, log.data);
	assert_int_equal(fstatat(dir.fd, "layers/" ENV_C "/opt/venv/file", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_uid, dir.ids_base);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(
		fstatat(dir.fd, "layers/" ENV_C "/opt/venv/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_false(file_exists(dir.fd, "cache/out-" ENV_C));
	assert_false(file_exists(dir.fd, "cache/" ENV_C ".img"));
	contract_forget(ENV_C);
}

/* The real disk: what is written there is looked at from time to time. */
static void a_shared_build_is_ended_at_its_limit(void **state)
{
	static const char program[] = "import time\n"
				      "with open('/build/cache/fill', 'wb', 0) as file:\n"
				      "    for _ in range(96): file.write(b'x' * (1 << 20))\n"
				      "time.sleep(600)\n";
	static const char *const argv[] = {"/run/steps", "One",   "--", "/usr/bin/python3",
					   "-c",         program, NULL};
	owned(str_done) struct str log = str_new(1024 * 1024);
	struct engine_spec spec;

	fill_build(&spec, ENV_D, "shared");
	spec.log = "build-3.log";
	spec.argv = argv;
	spec.limits.disk_bytes = 64 << 20;
	assert_int_equal(build(&spec)->exit_status, 128 + SIGKILL);
	read_log("build-3.log", &log);
	assert_non_null(strstr(log.data, "the build has written more than it may"));
	assert_false(file_exists(dir.fd, "layers/" ENV_D));
	contract_forget(ENV_D);
	assert_int_equal(unlinkat(dir.fd, "cache/shared/cache/fill", 0), 0);
}

static bool in_list(const char *const *argv, const char *word)
{
	owned(str_done) struct str output = str_new(4 * 1024 * 1024);
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(argv, NULL, &output, &err), 0);
	return strstr(output.data, word) != NULL;
}

static void stop_all_leaves_nothing(void **state)
{
	static const char *const processes[] = {"ps", "-eo", "args", NULL};
	static const char *const links[] = {"ip", "link", NULL};
	static const char *const tables[] = {"nft", "list", "tables", NULL};
	static const char *const cgroups[] = {"find", "/sys/fs/cgroup", "-maxdepth", "2", NULL};
	static const char *const mounts[] = {"cat", "/proc/self/mountinfo", NULL};
	static const char *const devices[] = {"losetup", "--list", NULL};
	static const char *const swaps[] = {"cat", "/proc/swaps", NULL};
	struct err err = ERR_INIT;
	int64_t since_ms;

	for (int i = 30; i < 33; i++) {
		char key[ENGINE_KEY_ROOM];

		snprintf(key, sizeof(key), SPACE "-%d", i);
		contract.app.data_bytes = i == 32 ? UINT64_C(256) << 20 : 0;
		contract_submit(key);
		contract_wait(contract_is_running, key);
	}
	assert_true(in_list(devices, PLACE "/spaces/"));
	assert_true(in_list(links, dir.instance) && in_list(cgroups, dir.instance));
	contract_freeze(SPACE "-31");
	kill_runner();
	since_ms = clock_mono_ms();
	for (int i = 0; i < 2; i++)
		if (runner_stop_all(&config, &err) < 0)
			fail_msg("%s", err.text);
	print_message("stopped after %lld ms\n", (long long)(clock_mono_ms() - since_ms));
	assert_false(in_list(processes, PLACE));
	assert_false(in_list(links, dir.instance));
	assert_false(in_list(tables, dir.instance));
	assert_false(in_list(cgroups, dir.instance));
	assert_false(in_list(mounts, PLACE "/run/"));
	assert_false(in_list(devices, PLACE "/spaces/"));
	assert_false(in_list(swaps, PLACE));
	assert_int_equal(umount2(PLACE "/run", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_answers_with_what_is_in_its_layer),
		CONTRACT_TESTS,
		cmocka_unit_test(its_status_and_output_are_reported),
		cmocka_unit_test(who_takes_too_much_memory_is_named),
		cmocka_unit_test(an_app_has_no_rights),
		cmocka_unit_test(its_disk_is_bounded),
		cmocka_unit_test(its_disk_of_data_outlives_it),
		cmocka_unit_test(a_second_run_waits_for_the_disk),
		cmocka_unit_test(a_crash_in_the_midst_of_growing_is_made_up_for),
		cmocka_unit_test(a_damaged_disk_is_named_and_left_alone),
		cmocka_unit_test(a_program_that_is_not_there_is_a_failed_start),
		cmocka_unit_test(a_malformed_run_ends_with_the_reason),
		cmocka_unit_test(two_apps_cannot_reach_each_other),
		cmocka_unit_test(a_new_runner_adopts_what_runs),
		cmocka_unit_test(what_ended_meanwhile_has_its_status),
		cmocka_unit_test(a_run_without_its_monitor_is_lost),
		cmocka_unit_test(the_name_server_comes_back),
		cmocka_unit_test(a_build_makes_a_layer),
		cmocka_unit_test(a_failed_build_leaves_nothing),
		cmocka_unit_test(an_owners_build_has_a_disk_of_its_own),
		cmocka_unit_test(a_shared_build_is_ended_at_its_limit),
		cmocka_unit_test(stop_all_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
