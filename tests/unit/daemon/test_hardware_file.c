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
#include "daemon/hardware_file.h"

static const char *const folders[] = {"/nowhere", NULL};

static int setup(void **state)
{
	struct datadir *dir = mem_new(struct datadir);

	dir->path = mem_text("/tmp/espace-hardware-XXXXXX");
	assert_non_null(mkdtemp(dir->path));
	dir->fd = open(dir->path, O_DIRECTORY | O_CLOEXEC);
	assert_true(dir->fd >= 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	struct datadir *dir = *state;
	struct err err = ERR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, dir->path, &err), 0);
	datadir_done(dir);
	free(dir);
	return 0;
}

static void write_text(const struct datadir *dir, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_write(dir->fd, "hardware.yaml", text, strlen(text), 0644, &err), 0);
}

static void makes_the_first_file(void **state)
{
	const struct datadir *dir = *state;
	owned(hardware_free) struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(hardware_file_check(dir, &err), 0); /* none is in order, and stays none */
	assert_false(file_exists(dir->fd, "hardware.yaml"));
	assert_int_equal(hardware_file_open(dir, folders, &hardware, &err), 0);
	assert_true(file_exists(dir->fd, "hardware.yaml"));
	assert_non_null(hardware_find(hardware, "cpu-upgrade"));
	assert_int_equal(hardware_file_check(dir, &err), 0);
}

static void keeps_what_an_operator_has_written(void **state)
{
	const struct datadir *dir = *state;
	owned(hardware_free) struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	write_text(dir, "- {name: cpu-basic, title: Mine, cpu: 1, memory: 4}\n");
	assert_int_equal(hardware_file_open(dir, folders, &hardware, &err), 0);
	assert_string_equal(hardware_find(hardware, "cpu-basic")->title, "Mine");
	assert_null(hardware_find(hardware, "cpu-upgrade"));
}

static void tells_file_and_line_of_a_mistake(void **state)
{
	const struct datadir *dir = *state;
	struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	write_text(dir, "\n- {name: cpu-basic, title: Mine, cpu: many, memory: 4}\n");
	assert_int_equal(hardware_file_check(dir, &err), -1);
	assert_string_equal(err.text,
			    "hardware.yaml: line 2: cpu must be a number from 0.1 to 1024");
	assert_int_equal(hardware_file_open(dir, folders, &hardware, &err), -1);
	assert_null(hardware);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(makes_the_first_file),
		TEST(keeps_what_an_operator_has_written),
		TEST(tells_file_and_line_of_a_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
