#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/router.h"

/* In an order that would be wrong if the first row that fits won. */
static const struct http_route routes[] = {
	{.method = HTTP_GET, .pattern = "/{path}"},
	{.method = HTTP_GET, .pattern = "/"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{id}"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{id}/tree/{rev}/{path}"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{id}/revision/{rev}"},
	{.method = HTTP_POST, .pattern = "/api/spaces/{id}/commit/{rev}"},
	{.method = HTTP_GET, .pattern = "/api/spaces/{name}"},
	{.method = HTTP_GET, .pattern = "/api/spaces/hardware"},
	{.method = HTTP_POST, .pattern = "/api/repos/create"},
	{.method = HTTP_GET, .pattern = "/datasets/{id}/resolve/{rev}/{path}"},
	{.method = HTTP_GET, .pattern = "/{id}/resolve/{rev}/{path}"},
	{.method = HTTP_POST, .pattern = "/spaces/{id}.git/info/lfs/objects/batch"},
	{.method = HTTP_GET, .pattern = "/spaces/{id}"},
	{.method = HTTP_GET, .pattern = "/both"},
	{.method = HTTP_HEAD, .pattern = "/both"},
};

static struct router *router;

static int make_router(void **state)
{
	router = router_new(routes, sizeof(routes) / sizeof(*routes));
	return 0;
}

static int free_router(void **state)
{
	router_free(router);
	return 0;
}

/* The row's pattern and its parameters as "pattern name=value name=value". */
static void assert_finds(enum http_method method, const char *path, const char *expected)
{
	owned(router_match_done) struct router_match match = ROUTER_MATCH_INIT;
	struct err err = ERR_INIT;
	char got[512];
	int length;

	assert_int_equal(router_find(router, method, path, &match, &err), 0);
	length = snprintf(got, sizeof(got), "%s", match.route->pattern);
	for (size_t i = 0; i < match.count; i++)
		length += snprintf(got + length, sizeof(got) - (size_t)length, " %s=%s",
				   match.params[i].name, match.params[i].value);
	assert_string_equal(got, expected);
}

static void assert_fails(enum http_method method, const char *path, enum err_kind kind)
{
	struct router_match match = ROUTER_MATCH_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(router_find(router, method, path, &match, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_int_equal(match.count, 0);
}

static void literals_win(void **state)
{
	assert_finds(HTTP_GET, "/api/spaces/hardware", "/api/spaces/hardware");
	assert_finds(HTTP_GET, "/api/spaces/other", "/api/spaces/{name} name=other");
	assert_finds(HTTP_GET, "/", "/");
	assert_finds(HTTP_GET, "/datasets/a/b/resolve/main/x",
		     "/datasets/{id}/resolve/{rev}/{path} id=a/b rev=main path=x");
	assert_finds(HTTP_GET, "/a/b/resolve/main/x",
		     "/{id}/resolve/{rev}/{path} id=a/b rev=main path=x");
	assert_finds(HTTP_GET, "/else/where", "/{path} path=else/where");
}

static void a_revision_is_one_encoded_segment(void **state)
{
	assert_finds(HTTP_GET, "/api/spaces/a/b/tree/refs%2Fpr%2F1",
		     "/api/spaces/{id}/tree/{rev}/{path} id=a/b rev=refs/pr/1 path=");
	assert_finds(HTTP_GET, "/api/spaces/a/b/tree/feature%2Fx/dir%2Ffile",
		     "/api/spaces/{id}/tree/{rev}/{path} id=a/b rev=feature/x path=dir/file");
	assert_finds(HTTP_GET, "/api/spaces/a/b/revision/v1%2B2",
		     "/api/spaces/{id}/revision/{rev} id=a/b rev=v1+2");
}

/* How much of the rest is its name is known by those who have the repository. */
static void or_all_the_rest(void **state)
{
	assert_finds(HTTP_GET, "/api/spaces/a/b/revision/refs/convert/parquet",
		     "/api/spaces/{id}/revision/{rev} id=a/b rev=refs/convert/parquet");
	assert_finds(HTTP_POST, "/api/spaces/a/b/commit/feature/x%2Fy",
		     "/api/spaces/{id}/commit/{rev} id=a/b rev=feature/x/y");
	assert_finds(HTTP_GET, "/api/spaces/a/b/tree/refs/pr/1",
		     "/api/spaces/{id}/tree/{rev}/{path} id=a/b rev=refs path=pr/1");
	assert_fails(HTTP_POST, "/api/spaces/a/b/commit/", ERR_NO_ROUTE);
}

static void the_rest_of_a_path_may_be_empty(void **state)
{
	assert_finds(HTTP_GET, "/api/spaces/a/b/tree/main",
		     "/api/spaces/{id}/tree/{rev}/{path} id=a/b rev=main path=");
	assert_finds(HTTP_GET, "/api/spaces/a/b/tree/main/",
		     "/api/spaces/{id}/tree/{rev}/{path} id=a/b rev=main path=");
	assert_finds(HTTP_GET, "/a/b/resolve/main/a%20b/%E2%82%AC.txt",
		     "/{id}/resolve/{rev}/{path} id=a/b rev=main path=a b/\xe2\x82\xac.txt");
}

static void a_parameter_may_have_an_end(void **state)
{
	assert_finds(HTTP_POST, "/spaces/a/b.git/info/lfs/objects/batch",
		     "/spaces/{id}.git/info/lfs/objects/batch id=a/b");
	assert_fails(HTTP_POST, "/spaces/a/.git/info/lfs/objects/batch", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "/spaces/a/b/info/lfs/objects/batch", ERR_NO_ROUTE);
}

static void methods_are_told_apart(void **state)
{
	assert_finds(HTTP_HEAD, "/api/spaces/hardware", "/api/spaces/hardware");
	assert_fails(HTTP_POST, "/api/spaces/hardware", ERR_NO_ROUTE);
	assert_fails(HTTP_DELETE, "/", ERR_NO_ROUTE);
	assert_finds(HTTP_POST, "/api/spaces/a/b/commit/main",
		     "/api/spaces/{id}/commit/{rev} id=a/b rev=main");
}

static void a_row_for_head_wins_over_get(void **state)
{
	owned(router_match_done) struct router_match match = ROUTER_MATCH_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(router_find(router, HTTP_HEAD, "/both", &match, &err), 0);
	assert_int_equal(match.route->method, HTTP_HEAD);
}

static void knows_no_other_paths(void **state)
{
	assert_fails(HTTP_POST, "/api/repos/create/", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "/api/repos", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "/api//spaces/a/b/commit/main", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "/api/spaces//b/commit/main", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "http://elsewhere/api/repos/create", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "*", ERR_NO_ROUTE);
	assert_fails(HTTP_POST, "", ERR_NO_ROUTE);
}

static void refuses_broken_parameters(void **state)
{
	assert_fails(HTTP_GET, "/api/spaces/a/b/revision/%zz", ERR_INVALID);
	assert_fails(HTTP_GET, "/api/spaces/a/b/revision/%ff", ERR_INVALID);
	assert_fails(HTTP_GET, "/api/spaces/a/b/revision/a%00b", ERR_INVALID);
	/* a slash that hides in a name */
	assert_fails(HTTP_GET, "/api/spaces/a%2Fc/b/revision/main", ERR_NO_ROUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_win),
		cmocka_unit_test(a_revision_is_one_encoded_segment),
		cmocka_unit_test(or_all_the_rest),
		cmocka_unit_test(the_rest_of_a_path_may_be_empty),
		cmocka_unit_test(a_parameter_may_have_an_end),
		cmocka_unit_test(methods_are_told_apart),
		cmocka_unit_test(a_row_for_head_wins_over_get),
		cmocka_unit_test(knows_no_other_paths),
		cmocka_unit_test(refuses_broken_parameters),
	};

	return cmocka_run_group_tests(tests, make_router, free_router);
}
