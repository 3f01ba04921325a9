#include "test.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mem.h"

static void new_memory_is_zero(void **state)
{
	owned(free) unsigned char *bytes = mem_alloc(100);
	owned(free) uint64_t *numbers = mem_array(10, sizeof(*numbers));

	for (size_t i = 0; i < 100; i++)
		assert_int_equal(bytes[i], 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(numbers[i], 0);
}

static void nothing_at_all_is_still_memory(void **state)
{
	owned(free) void *a = mem_alloc(0);
	owned(free) void *b = mem_array(0, 8);
	owned(free) void *c = mem_grow(NULL, 0, 8);

	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
}

static void growing_keeps_what_is_there(void **state)
{
	int *numbers = NULL;

	numbers = mem_grow(numbers, 1, sizeof(int));
	numbers[0] = 7;
	numbers = mem_grow(numbers, 1000, sizeof(int));
	assert_int_equal(numbers[0], 7);
	free(numbers);
}

static void texts_are_copied(void **state)
{
	owned(free) char *whole = mem_text("espace");
	owned(free) char *part = mem_text_n("espace", 2);
	owned(free) char *made = mem_format("%s-%d", "es", 7);

	assert_string_equal(whole, "espace");
	assert_string_equal(part, "es");
	assert_string_equal(made, "es-7");
	assert_null(mem_text(NULL));
}

/* Volatile keeps the compiler from seeing what we ask for, and that nobody uses it. */
static void ask_too_much(void)
{
	volatile size_t count = SIZE_MAX / 2;
	void *volatile memory;
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	memory = mem_array(count, 16);
	free(memory);
}

static void an_overflow_aborts(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		ask_too_much();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zero),
		cmocka_unit_test(nothing_at_all_is_still_memory),
		cmocka_unit_test(growing_keeps_what_is_there),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(an_overflow_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
