#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/quota.h"
#include "http/answer.h"
#include "http/request.h"

static void rows_are_of_the_kind_that_their_path_tells(void **state)
{
	assert_int_equal(quota_kind_of("/api/whoami-v2"), QUOTA_API);
	assert_int_equal(quota_kind_of("/api/resolve-cache/{path}"), QUOTA_API);
	assert_int_equal(quota_kind_of("/{id}/resolve/{rev}/{path}"), QUOTA_RESOLVERS);
	assert_int_equal(quota_kind_of("/spaces/{id}/raw/{rev}/{path}"), QUOTA_RESOLVERS);
	assert_int_equal(quota_kind_of("/"), QUOTA_PAGES);
}

struct fixture {
	struct http_request request;
	struct call_row row;
	struct call call;
};

/* A call by a user, or by nobody. Headers cannot be read: the address is unknown. */
static void begin(struct fixture *fixture, const char *pattern, int64_t user_id)
{
	*fixture = (struct fixture){.request.answer = ANSWER_INIT, .row.pattern = pattern};
	fixture->call.request = &fixture->request;
	fixture->call.row = &fixture->row;
	fixture->call.actor.user_id = user_id;
}

static const char *told(const struct fixture *fixture, const char *name)
{
	const struct http_answer *answer = &fixture->request.answer;

	for (size_t i = 0; i < answer->header_count; i++)
		if (!strcmp(answer->headers[i].name, name))
			return answer->headers[i].value;
	return NULL;
}

static void who_has_spent_it_is_told_when_to_come_back(void **state)
{
	owned(quota_free) struct quota *quota = quota_new((const int64_t[]){2, 0, 0});
	struct err err = ERR_INIT;
	struct fixture fixture;
	unsigned left, seconds;

	for (unsigned want = 2; want-- > 0;) {
		begin(&fixture, "/api/x", 7);
		assert_int_equal(quota_take(quota, &fixture.call, 1000, &err), 0);
		assert_int_equal(
			sscanf(told(&fixture, "RateLimit"), "\"api\";r=%u;t=%u", &left, &seconds),
			2);
		assert_int_equal(left, want);
		assert_string_equal(told(&fixture, "RateLimit-Policy"),
				    "\"fixed window\";\"api\";q=2;w=300");
		assert_null(told(&fixture, "Retry-After"));
		answer_done(&fixture.request.answer);
	}
	begin(&fixture, "/api/x", 7);
	assert_int_equal(quota_take(quota, &fixture.call, 1000, &err), -1);
	assert_int_equal(err.kind, ERR_SPENT);
	assert_int_equal(strtoul(told(&fixture, "Retry-After"), NULL, 10), seconds);
	answer_done(&fixture.request.answer);
	/* Others go on, and so does this one when that time is over. */
	begin(&fixture, "/api/x", 8);
	assert_int_equal(quota_take(quota, &fixture.call, 1000, &err), 0);
	answer_done(&fixture.request.answer);
	begin(&fixture, "/api/x", 7);
	assert_int_equal(quota_take(quota, &fixture.call, 1000 + seconds, &err), 0);
	answer_done(&fixture.request.answer);
}

static void a_kind_without_limit_says_nothing(void **state)
{
	owned(quota_free) struct quota *quota = quota_new((const int64_t[]){1, 0, 0});
	struct err err = ERR_INIT;
	struct fixture fixture;

	begin(&fixture, "/", 7);
	for (int i = 0; i < 10; i++)
		assert_int_equal(quota_take(quota, &fixture.call, 1000, &err), 0);
	assert_int_equal(fixture.request.answer.header_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_of_the_kind_that_their_path_tells),
		cmocka_unit_test(who_has_spent_it_is_told_when_to_come_back),
		cmocka_unit_test(a_kind_without_limit_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
