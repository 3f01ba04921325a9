#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/call.h"
#include "base/str.h"
#include "http/request.h"

/* A call whose body was collected. */
static struct call *call_with(struct http_request *request, const char *body)
{
	static const struct call_row row;
	static const struct api_config config;

	*request = (struct http_request){.body = str_new(1000)};
	str_add(&request->body, body);
	return call_new(&row, &config, request);
}

static void a_body_is_parsed_once(void **state)
{
	struct http_request request;
	owned(call_free) struct call *call = call_with(&request, "{\"a\": 1}");
	struct err err = ERR_INIT;
	json_t *first;
	json_t *second;

	assert_int_equal(call_json(call, &first, &err), 0);
	assert_int_equal(json_integer_value(json_object_get(first, "a")), 1);
	assert_int_equal(call_json(call, &second, &err), 0);
	assert_ptr_equal(first, second);
	str_done(&request.body);
}

static void a_body_must_be_an_object(void **state)
{
	static const char *const bodies[] = {"", "[]", "\"x\"", "7", "{", "{} {}", "null"};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct http_request request;
		owned(call_free) struct call *call = call_with(&request, bodies[i]);
		struct err err = ERR_INIT;
		json_t *json;

		assert_int_equal(call_json(call, &json, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		str_done(&request.body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_parsed_once),
		cmocka_unit_test(a_body_must_be_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
