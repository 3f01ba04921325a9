#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "build/runlog.h"

static int setup(void **state)
{
	char *folder = mem_text("/tmp/espace-runlog-XXXXXX");

	assert_non_null(mkdtemp(folder));
	*state = folder;
	return 0;
}

static int teardown(void **state)
{
	owned(free) char *folder = *state;
	struct err err = ERR_INIT;

	return file_remove_tree(AT_FDCWD, folder, &err);
}

static char *log_in(void **state, const char *name)
{
	return mem_format("%s/%s", (const char *)*state, name);
}

static char *tail_of(const char *path, size_t max)
{
	struct str tail = str_new(RUNLOG_TAIL_MAX);

	runlog_tail(path, max, &tail);
	return str_take(&tail);
}

static void writes_lines_as_conmon_does(void **state)
{
	owned(free) char *path = log_in(state, "build-1.log");
	owned(str_done) struct str text = str_new(1000);
	struct err err = ERR_INIT;

	runlog_say(path, "one %d\ntwo", 1);
	assert_int_equal(file_read(AT_FDCWD, path, &text, &err), 0);
	assert_int_equal(text.data[10], 'T');
	assert_int_equal(strcspn(text.data, "+"), strlen("2026-11-24T18:48:19.358791030"));
	assert_non_null(strstr(text.data, "+00:00 stdout F one 1\n"));
	assert_non_null(strstr(text.data, "+00:00 stdout F two\n"));
}

static void joins_partial_lines_in_the_tail(void **state)
{
	owned(free) char *path = log_in(state, "run-1.log");
	static const char text[] = "2026-11-24T18:48:19.358791030+00:00 stderr P half \n"
				   "2026-11-24T18:48:19.358791030+00:00 stderr F whole\n"
				   "no line of ours\n"
				   "2026-11-24T18:48:19.358791030+00:00 stdout F \xc3\xa9nd\n";
	owned(free) char *all = NULL;
	owned(free) char *some = NULL;
	owned(free) char *bit = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0600, &err), 0);
	all = tail_of(path, 1000);
	assert_string_equal(all, "half whole\n\xc3\xa9nd\n");
	some = tail_of(path, 9); /* not half a line */
	assert_string_equal(some, "\xc3\xa9nd\n");
	bit = tail_of(path, 4); /* and not half a character */
	assert_string_equal(bit, "nd\n");
}

static void has_no_lines_where_there_is_no_log(void **state)
{
	owned(free) char *path = log_in(state, "none.log");
	owned(free) char *tail = tail_of(path, 100);

	assert_string_equal(tail, "");
}

static void knows_that_a_log_is_over(void **state)
{
	owned(free) char *path = log_in(state, "run-1.log");

	runlog_say(path, "x");
	assert_false(runlog_is_over(path));
	runlog_end(path);
	runlog_end(path);
	assert_true(runlog_is_over(path));
}

static void deletes_only_old_logs_of_one_kind(void **state)
{
	static const char *const names[] = {"run-1.log",   "run-2.log", "run-2.log.end",
					    "run-10.log",  "run-3.log", "build-1.log",
					    "run-1.other", "run-x.log"};
	static const bool kept[] = {false, false, false, true, true, true, true, true};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		owned(free) char *path = log_in(state, names[i]);

		runlog_say(path, "x");
	}
	runlog_prune(*state, "run", 3);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		owned(free) char *path = log_in(state, names[i]);

		if (file_exists(AT_FDCWD, path) != kept[i])
			fail_msg("%s", names[i]);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(writes_lines_as_conmon_does),        TEST(joins_partial_lines_in_the_tail),
		TEST(has_no_lines_where_there_is_no_log), TEST(knows_that_a_log_is_over),
		TEST(deletes_only_old_logs_of_one_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
