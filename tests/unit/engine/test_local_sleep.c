#include "local.h"

/* Sleep of real containers, beyond what every engine promises (contract.h). */

static void one_that_forks_all_the_time_can_be_suspended(void **state)
{
	static const char program[] = "import os, http.server, threading\n"
				      "def fork():\n"
				      "    while True:\n"
				      "        pid = os.fork()\n"
				      "        if pid == 0: os._exit(0)\n"
				      "        os.waitpid(pid, 0)\n"
				      "for _ in range(3): threading.Thread(target=fork).start()\n"
				      "threading.Event().wait()\n";
	static const char *const argv[] = {"/usr/bin/python3", "-c", program, NULL};
	const char *key = CONTRACT_KEY(19);
	struct engine *engine = contract.engine;
	struct err err = ERR_INIT;

	contract.app.argv = argv;
	contract_submit(key);
	contract.app.argv = server;
	contract_wait(contract_is_running, key);
	for (int i = 0; i < 10; i++) {
		contract_freeze(key);
		assert_int_equal(engine->ops->resume(engine, key, &err), 0);
		contract_wait(contract_is_running, key);
	}
	contract_stop(key);
	contract_forget(key);
}

/* Bytes that compress to nothing would not show that they went out and came back. */
static const char holder[] =
	"import hashlib, http.server, os\n"
	"held = os.urandom(64 << 20)\n"
	"class Handler(http.server.BaseHTTPRequestHandler):\n"
	"    def do_GET(self):\n"
	"        body = hashlib.sha256(held).hexdigest().encode()\n"
	"        self.send_response(200); self.end_headers(); self.wfile.write(body)\n"
	"http.server.HTTPServer(('', 7860), Handler).serve_forever()\n";

/* What a cgroup of a run says; version 1 has files of other names in folders of their own. */
static int64_t number_of(const char *key, const char *v1_file, const char *v2_file)
{
	owned(free) char *v1 =
		mem_format("/sys/fs/cgroup/%.*s/espace-%s/%s/%s", (int)strcspn(v1_file, "."),
			   v1_file, dir.instance, key, v1_file);
	owned(free) char *v2 =
		mem_format("/sys/fs/cgroup/espace-%s/%s/%s", dir.instance, key, v2_file);
	owned(str_done) struct str text = str_new(64);
	struct err err = ERR_INIT;

	assert_int_equal(file_read(AT_FDCWD, file_exists(AT_FDCWD, v2) ? v2 : v1, &text, &err), 0);
	return strtoll(text.data, NULL, 10);
}

static int64_t memory_of(const char *key)
{
	return number_of(key, "memory.usage_in_bytes", "memory.current");
}

static void memory_that_was_paged_out_comes_back_whole(void **state)
{
	static const char *const argv[] = {"/usr/bin/python3", "-c", holder, NULL};
	owned(str_done) struct str before = str_new(65536);
	owned(str_done) struct str after = str_new(65536);
	const char *key = CONTRACT_KEY(50);
	int64_t awake;

	contract.app.argv = argv;
	contract_submit(key);
	contract.app.argv = server;
	contract_wait(contract_is_running, key);
	get_patiently(contract_last(key), "/", &before);
	awake = memory_of(key);
	assert_true(awake > 64 << 20);
	contract_freeze(key);
	contract_page_out(key);
	print_message("awake %lld KiB, paged out %lld KiB\n", (long long)awake >> 10,
		      (long long)memory_of(key) >> 10);
	assert_true((memory_of(key) < 16 << 20) == contract.has_swap);
	contract_resume(key);
	get_patiently(contract_last(key), "/", &after);
	assert_string_equal(before.data + strlen(before.data) - 64,
			    after.data + strlen(after.data) - 64);
	contract_stop(key);
	contract_forget(key);
}

/* Whoever comes while it is being paged out is not made to wait for the end of that. */
static void one_that_is_being_paged_out_can_be_resumed(void **state)
{
	static const char *const argv[] = {"/usr/bin/python3", "-c", holder, NULL};
	owned(str_done) struct str answer = str_new(65536);
	const char *key = CONTRACT_KEY(51);
	struct engine *engine = contract.engine;
	struct err err = ERR_INIT;

	contract.app.argv = argv;
	contract_submit(key);
	contract.app.argv = server;
	contract_wait(contract_is_running, key);
	get_patiently(contract_last(key), "/", &answer);
	for (int i = 0; i < 5; i++) {
		contract_freeze(key);
		assert_int_equal(engine->ops->page_out(engine, key, &err), 0);
		contract_resume(key);
		get_patiently(contract_last(key), "/", &answer);
		assert_int_equal(contract_last(key)->state, ENGINE_RUNNING);
	}
	contract_stop(key);
	contract_forget(key);
}

/* As if the runner had been killed after the kernel's part, and before it was written down. */
static void what_the_kernel_says_of_a_sleeper_holds(void **state)
{
	owned(str_done) struct str answer = str_new(65536);
	owned(free) char *record = datadir_path(&dir, "run/bundles/%s/run", CONTRACT_KEY(52));
	owned(str_done) struct str awake = str_new(4096);
	owned(str_done) struct str asleep = str_new(4096);
	const char *key = CONTRACT_KEY(52);
	struct err err = ERR_INIT;

	contract_submit(key);
	contract_wait(contract_is_running, key);
	get_patiently(contract_last(key), "/hello.txt", &answer);
	assert_int_equal(file_read(AT_FDCWD, record, &awake, &err), 0);
	contract_freeze(key);
	contract_page_out(key);
	assert_int_equal(file_read(AT_FDCWD, record, &asleep, &err), 0);
	kill_runner();
	assert_int_equal(file_write(AT_FDCWD, record, awake.data, awake.length, 0600, &err), 0);
	contract_break_off();
	assert_int_equal(contract_observe(key).state, ENGINE_FROZEN);
	contract_resume(key);
	kill_runner();
	assert_int_equal(file_write(AT_FDCWD, record, asleep.data, asleep.length, 0600, &err), 0);
	contract_break_off();
	assert_int_equal(contract_observe(key).state, ENGINE_RUNNING);
	assert_false(contract_observe(key).paged);
	get_patiently(contract_last(key), "/hello.txt", &answer);
	contract_stop(key);
	contract_forget(key);
}

/* Of a run that may use two processors: 2048 shares, or what version 2 makes of them. */
static int64_t cpu_weight(const char *key)
{
	return number_of(key, "cpu.shares", "cpu.weight");
}

static void a_start_has_more_weight_for_a_while(void **state)
{
	const char *key = CONTRACT_KEY(53);
	owned(free) char *path = datadir_path(&dir, "run/bundles/%s/run", key);
	owned(str_done) struct str record = str_new(4096);
	struct err err = ERR_INIT;
	int64_t until_ms;
	int64_t starting;
	char *at;

	contract_submit(key);
	contract_wait(contract_is_running, key);
	starting = cpu_weight(key);
	assert_true(starting == 4 * 2048 || starting == 313);
	kill_runner();
	assert_int_equal(file_read(AT_FDCWD, path, &record, &err), 0);
	at = strstr(record.data, "\nstarted=");
	assert_non_null(at);
	at[strlen("\nstarted=")] = '0'; /* long ago */
	assert_int_equal(file_write(AT_FDCWD, path, record.data, record.length, 0600, &err), 0);
	contract_break_off();
	until_ms = clock_mono_ms() + 10 * 1000;
	while (cpu_weight(key) == starting && clock_mono_ms() < until_ms)
		poll(NULL, 0, 10);
	assert_true(cpu_weight(key) == 2048 || cpu_weight(key) == 79);
	contract_stop(key);
	contract_forget(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_forks_all_the_time_can_be_suspended),
		cmocka_unit_test(memory_that_was_paged_out_comes_back_whole),
		cmocka_unit_test(one_that_is_being_paged_out_can_be_resumed),
		cmocka_unit_test(what_the_kernel_says_of_a_sleeper_holds),
		cmocka_unit_test(a_start_has_more_weight_for_a_while),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
