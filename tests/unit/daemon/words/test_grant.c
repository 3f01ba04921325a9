#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/words/words.h"
#include "space/flavors.h"

enum { OUT_ROOM = 256, WORDS_MAX = 16 };

static struct hardware *hardware;

/* Run the word as from the command line; the texts end in NULL. */
static int run(struct store *store, const char *const *texts, char out[static OUT_ROOM],
	       struct err *err)
{
	struct words_call call = {.store = store, .hardware = hardware};
	char *argv[WORDS_MAX];
	int result;

	memset(out, 0, OUT_ROOM);
	*err = ERR_INIT;
	call.out = fmemopen(out, OUT_ROOM - 1, "w");
	assert_non_null(call.out);
	for (; texts[call.argc]; call.argc++)
		argv[call.argc] = strdup(texts[call.argc]);
	call.argv = argv;
	result = words_grant(&call, err);
	fclose(call.out);
	for (int i = 0; i < call.argc; i++)
		free(argv[i]);
	return result;
}

#define RUN(...) run(store, (const char *const[]){__VA_ARGS__, NULL}, out, &err)

#define assert_refused(wanted, call)                  \
	do {                                          \
		assert_int_equal((call), -1);         \
		assert_int_equal(err.kind, (wanted)); \
		assert_string_equal(out, "");         \
	} while (0)

static struct store *with_user(void **state)
{
	struct store *store = scratch_of(state)->store;
	char *words[] = {"add", "ada", NULL};
	struct err err = ERR_INIT;
	FILE *nowhere = fopen("/dev/null", "w");

	assert_ok(words_user(store, 2, words, nowhere, &err));
	fclose(nowhere);
	return store;
}

static void a_grant_is_given_once_and_taken_back(void **state)
{
	struct store *store = with_user(state);
	char out[OUT_ROOM];
	struct err err;

	assert_ok(RUN("ada", "--hardware", "t4-medium", "--hours", "1.5"));
	assert_string_equal(out, "grant of t4-medium to ada given\n");
	assert_ok(RUN("ada", "--hardware", "t4-medium", "--hours", "1.5"));
	assert_string_equal(out, "grant of t4-medium to ada is there already\n");
	assert_int_equal(scratch_ask(store, "SELECT limit_ms FROM grants"), 5400000);
	assert_refused(ERR_EXISTS, RUN("ada", "--hardware", "t4-medium"));
	assert_ok(RUN("ada", "--hardware", "t4-medium", "--revoke"));
	assert_string_equal(out, "grant of t4-medium to ada taken back\n");
	assert_ok(RUN("ada", "--hardware", "t4-medium"));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM grants WHERE limit_ms IS NULL"),
			 1);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE target = 'ada' AND "
					    "action IN ('grant.give', 'grant.revoke')"),
			 3);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit WHERE detail = "
					    "'t4-medium, hours: 1.5'"),
			 1);
}

static void wrong_use_changes_nothing(void **state)
{
	struct store *store = with_user(state);
	static const char *const hours[] = {"0", "-1", "nan", "inf", "1e7", "two", "1h", ""};
	char out[OUT_ROOM];
	struct err err;

	assert_refused(ERR_INVALID, RUN("ada"));
	assert_refused(ERR_INVALID, RUN("--hardware", "t4-medium"));
	assert_refused(ERR_INVALID, RUN("ada", "--hardware", "t5-huge"));
	assert_non_null(strstr(err.text, "t4-medium"));
	assert_refused(ERR_INVALID, RUN("ada", "--hardware", "cpu-classic"));
	assert_refused(ERR_NOT_FOUND, RUN("bob", "--hardware", "t4-medium"));
	assert_refused(ERR_INVALID,
		       RUN("ada", "--hardware", "t4-medium", "--hours", "1", "--revoke"));
	for (size_t i = 0; i < sizeof(hours) / sizeof(*hours); i++)
		assert_refused(ERR_INVALID,
			       RUN("ada", "--hardware", "t4-medium", "--hours", hours[i]));
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM grants"), 0);
	assert_int_equal(scratch_ask(store, "SELECT count(*) FROM audit"), 1);
}

static int make_hardware(void **state)
{
	owned(free) char *text = flavors_yaml(8, UINT64_C(32) << 30, NULL);
	struct err err = ERR_INIT;

	return hardware_parse(text, strlen(text), &hardware, &err);
}

static int free_hardware(void **state)
{
	hardware_free(hardware);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_grant_is_given_once_and_taken_back),
		TEST(wrong_use_changes_nothing),
	};

	return cmocka_run_group_tests(tests, make_hardware, free_hardware);
}
