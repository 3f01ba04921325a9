#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/api.h"
#include "api/call.h"
#include "api/limits.h"

/* The rows as routes.def has them, beside what api.c makes of them. */
static const struct call_row rows[] = {
#define ROUTE(method, pattern, right, target, body_max, name) \
	{HTTP_##method, pattern, AUTH_##right, TARGET_##target, body_max, call_##name, NULL},
#define STREAM(method, pattern, right, target, body_max, name)              \
	{HTTP_##method, pattern,     AUTH_##right,         TARGET_##target, \
	 body_max,      call_##name, &call_##name##_stream},
#include "api/routes.def"
#undef ROUTE
#undef STREAM
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void every_row_becomes_a_route(void **state)
{
	const struct api_config config = {.domain = "localhost"};
	owned(api_free) struct api *api = api_new(&config);
	size_t count;
	const struct http_route *routes = api_routes(api, &count);

	assert_int_equal(count, ROW_COUNT);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(routes[i].pattern, rows[i].pattern);
		assert_int_equal(routes[i].method, rows[i].method);
		assert_true(routes[i].body_max > 0);
		assert_int_equal(routes[i].stream != NULL, rows[i].stream != NULL);
		assert_non_null(routes[i].handle);
		assert_non_null(routes[i].data);
	}
}

static void no_two_rows_are_the_same(void **state)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		for (size_t j = i + 1; j < ROW_COUNT; j++)
			assert_false(rows[i].method == rows[j].method &&
				     strcmp(rows[i].pattern, rows[j].pattern) == 0);
}

/* A row about a repository asks for a right on it, and the parts of its path are there. */
static void rights_and_targets_fit_together(void **state)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct call_row *row = &rows[i];
		bool about_repo = row->right == AUTH_REPO_READ || row->right == AUTH_REPO_WRITE ||
				  row->right == AUTH_REPO_ADMIN;
		bool in_path = row->target >= TARGET_TYPED && row->target <= TARGET_SPACE;

		assert_int_equal(about_repo, in_path || row->target == TARGET_NAMED ||
						     row->target == TARGET_FROM ||
						     row->target == TARGET_SLUG);
		assert_int_equal(row->right == AUTH_CREATE, row->target == TARGET_NAMESPACE);
		assert_int_equal(strstr(row->pattern, "{id}") != NULL, in_path);
		assert_int_equal(strstr(row->pattern, "{slug}") != NULL,
				 row->target == TARGET_SLUG);
		assert_int_equal(strstr(row->pattern, "{type}") != NULL,
				 row->target == TARGET_TYPED);
	}
}

/* All but reading needs a name behind it; a question about YAML changes nothing. */
static void nobody_changes_anything_unnamed(void **state)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (rows[i].method != HTTP_GET && rows[i].right == AUTH_ANYONE)
			assert_string_equal(rows[i].pattern, "/api/validate-yaml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_becomes_a_route),
		cmocka_unit_test(no_two_rows_are_the_same),
		cmocka_unit_test(rights_and_targets_fit_together),
		cmocka_unit_test(nobody_changes_anything_unnamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
