#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/visibility.h"
#include "base/json.h"

/* What a body makes of a repository that is, to begin with, `from`; NULL where it is refused. */
static const char *becomes(enum repo_type type, const char *from, const char *body)
{
	static struct repo repo;
	owned(json_decref) json_t *json = NULL;
	struct err err = ERR_INIT;

	repo = (struct repo){
		.type = type,
		.is_private = strcmp(from, "public") != 0,
		.is_protected = strcmp(from, "protected") == 0,
	};
	assert_int_equal(json_parse(body, strlen(body), &json, &err), 0);
	if (visibility_read(json, &repo, &err) == 0)
		return visibility_name(&repo);
	assert_int_equal(err.kind, ERR_INVALID);
	return NULL;
}

static void either_word_is_understood_and_the_newer_one_wins(void **state)
{
	static const struct {
		const char *from, *body, *to;
	} cases[] = {
		{"public", "{}", "public"},
		{"private", "{}", "private"},
		{"protected", "{}", "protected"},
		{"private", "{\"private\":null,\"visibility\":null}", "private"},
		{"public", "{\"private\":true}", "private"},
		{"private", "{\"private\":false}", "public"},
		{"protected", "{\"private\":true}", "private"},
		{"protected", "{\"private\":false}", "public"},
		{"public", "{\"visibility\":\"private\"}", "private"},
		{"public", "{\"visibility\":\"protected\"}", "protected"},
		{"private", "{\"visibility\":\"public\"}", "public"},
		{"public", "{\"private\":true,\"visibility\":\"public\"}", "public"},
		{"public", "{\"private\":false,\"visibility\":\"protected\"}", "protected"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(becomes(REPO_SPACE, cases[i].from, cases[i].body), cases[i].to);
}

static void what_is_no_visibility_is_refused(void **state)
{
	static const char *const bad[] = {"{\"private\":1}",
					  "{\"private\":\"yes\"}",
					  "{\"visibility\":\"secret\"}",
					  "{\"visibility\":\"\"}",
					  "{\"visibility\":true}",
					  "{\"private\":\"\",\"visibility\":\"public\"}"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(becomes(REPO_SPACE, "public", bad[i]));
	assert_null(becomes(REPO_MODEL, "public", "{\"visibility\":\"protected\"}"));
	assert_null(becomes(REPO_DATASET, "private", "{\"visibility\":\"protected\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_word_is_understood_and_the_newer_one_wins),
		cmocka_unit_test(what_is_no_visibility_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
