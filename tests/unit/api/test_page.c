#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/page.h"
#include "base/mem.h"
#include "http/answer.h"
#include "http/query.h"
#include "http/request.h"

struct fixture {
	struct http_request request;
	struct http_answer answer;
	struct call call;
};

/* A call of `path` with a query. */
static void begin(struct fixture *fixture, const char *path, const char *query)
{
	struct err err = ERR_INIT;

	*fixture = (struct fixture){.answer = ANSWER_INIT};
	fixture->request.path = mem_text(path);
	fixture->request.query_text = query;
	fixture->request.origin = mem_text("http://hub.test:8080");
	assert_int_equal(query_parse(query, strlen(query), 100, &fixture->request.query, &err), 0);
	fixture->call.request = &fixture->request;
	fixture->call.answer = &fixture->answer;
}

static void end(struct fixture *fixture)
{
	query_done(&fixture->request.query);
	free(fixture->request.path);
	free(fixture->request.origin);
	answer_done(&fixture->answer);
}

static void a_page_is_as_long_as_asked_up_to_its_most(void **state)
{
	static const struct {
		const char *query;
		int64_t limit;
	} cases[] = {
		{"", 20}, {"limit=", 20}, {"limit=5", 5}, {"limit=50", 50}, {"limit=51", 50},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		struct fixture fixture;
		int64_t limit = 0;

		begin(&fixture, "/x", cases[i].query);
		assert_int_equal(page_limit(&fixture.call, 20, 50, &limit, &err), 0);
		assert_int_equal(limit, cases[i].limit);
		end(&fixture);
	}
}

static void a_limit_must_be_a_number_above_0(void **state)
{
	static const char *const queries[] = {"limit=0", "limit=-1", "limit=x", "limit=1e3",
					      "limit=99999999999999999999"};

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct err err = ERR_INIT;
		struct fixture fixture;
		int64_t limit = 7;

		begin(&fixture, "/x", queries[i]);
		assert_int_equal(page_limit(&fixture.call, 20, 50, &limit, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(limit, 7);
		end(&fixture);
	}
}

static void the_link_keeps_the_query_and_replaces_the_cursor(void **state)
{
	static const struct {
		const char *query;
		const char *link;
	} cases[] = {
		{"", "/api/x?cursor=n%2F1"},
		{"limit=2", "/api/x?limit=2&cursor=n%2F1"},
		{"cursor=a&limit=2&cursor=b", "/api/x?limit=2&cursor=n%2F1"},
		{"%63ursor%5b%5d=a&cursor", "/api/x?cursor=n%2F1"},
		{"&&a[]=1&a%5B%5D=2&b+c&", "/api/x?a[]=1&a%5B%5D=2&b+c&cursor=n%2F1"},
		{"a=>\"<\xc3\xa4&cursors=1", "/api/x?a=%3E%22%3C%C3%A4&cursors=1&cursor=n%2F1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		owned(free) char *want =
			mem_format("<http://hub.test:8080%s>; rel=\"next\"", cases[i].link);
		struct fixture fixture;

		begin(&fixture, "/api/x", cases[i].query);
		page_next(&fixture.call, NULL, "n/1");
		assert_int_equal(fixture.answer.header_count, 1);
		assert_string_equal(fixture.answer.headers[0].name, "Link");
		assert_string_equal(fixture.answer.headers[0].value, want);
		end(&fixture);
	}
}

static void the_link_can_name_another_address(void **state)
{
	struct fixture fixture;

	begin(&fixture, "/api/models/a/b/tree/main", "recursive=true");
	page_next(&fixture.call, "/api/models/a/b/tree/abc", "5");
	assert_string_equal(fixture.answer.headers[0].value,
			    "<http://hub.test:8080/api/models/a/b/tree/abc?recursive=true&cursor=5>"
			    "; rel=\"next\"");
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_as_long_as_asked_up_to_its_most),
		cmocka_unit_test(a_limit_must_be_a_number_above_0),
		cmocka_unit_test(the_link_keeps_the_query_and_replaces_the_cursor),
		cmocka_unit_test(the_link_can_name_another_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
