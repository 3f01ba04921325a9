#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "engine/request.h"

static const char *const argv[] = {"/run/steps", "One", "--", "", NULL};
static const char *const env[] = {"A=1", "TOKEN=x=y", NULL};

static struct engine_spec make_spec(void)
{
	return (struct engine_spec){
		.kind = ENGINE_BUILD,
		.key = "env-0123456789abcdef",
		.space = "0123456789abcdef01234567",
		.log = "build-7.log",
		.layers = {"env-a", "app-b"},
		.layer_count = 2,
		.argv = argv,
		.env = env,
		.cwd = "/build",
		.data_bytes = UINT64_C(20) << 30,
		.port = 7860,
		.closed = true,
		.secrets_from = 1,
		.limits = {1500, UINT64_C(1) << 40, 64, 99},
		.result = "env-0123456789abcdef",
		.cache = "shared",
	};
}

static struct str make_submit(void)
{
	struct engine_spec spec = make_spec();
	struct str message = request_begin(REQUEST_SUBMIT, 42, UINT64_C(0xfedcba9876543210));
	struct err err = ERR_INIT;

	request_add_spec(&message, &spec);
	assert_int_equal(str_check(&message, "message", &err), 0);
	return message;
}

static void assert_refused(const void *bytes, size_t length)
{
	owned(request_done) struct request request = REQUEST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(request_parse(bytes, length, &request, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_spec_comes_through_whole(void **state)
{
	owned(str_done) struct str message = make_submit();
	owned(request_done) struct request request = REQUEST_INIT;
	owned(request_spec_done) struct request_spec got = REQUEST_SPEC_INIT;
	const struct engine_spec *spec = &got.spec;
	struct err err = ERR_INIT;

	assert_int_equal(request_parse(message.data, message.length, &request, &err), 0);
	assert_int_equal(request.kind, REQUEST_SUBMIT);
	assert_int_equal(request.id, 42);
	assert_true(request.session == UINT64_C(0xfedcba9876543210));
	assert_int_equal(request_get_spec(&request, &got, &err), 0);
	assert_int_equal(spec->kind, ENGINE_BUILD);
	assert_string_equal(spec->key, "env-0123456789abcdef");
	assert_string_equal(spec->space, "0123456789abcdef01234567");
	assert_string_equal(spec->log, "build-7.log");
	assert_true(spec->closed);
	assert_true(spec->data_bytes == UINT64_C(20) << 30);
	assert_int_equal(spec->secrets_from, 1);
	assert_int_equal(spec->layer_count, 2);
	assert_string_equal(spec->layers[0], "env-a");
	assert_string_equal(spec->layers[1], "app-b");
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(spec->argv[i], argv[i]);
	assert_null(spec->argv[4]);
	assert_string_equal(spec->env[1], "TOKEN=x=y");
	assert_null(spec->env[2]);
	assert_string_equal(spec->cwd, "/build");
	assert_int_equal(spec->port, 7860);
	assert_int_equal(spec->limits.cpu_milli, 1500);
	assert_true(spec->limits.memory_bytes == UINT64_C(1) << 40);
	assert_int_equal(spec->limits.pids, 64);
	assert_int_equal(spec->limits.disk_bytes, 99);
	assert_string_equal(spec->result, "env-0123456789abcdef");
	assert_string_equal(spec->cache, "shared");
}

static void a_run_comes_through_whole(void **state)
{
	const struct engine_run run = {
		.kind = ENGINE_APP,
		.state = ENGINE_ENDED,
		.key = "0123456789abcdef01234567-3",
		.space = "0123456789abcdef01234567",
		.address = 0x0ad50002,
		.port = 7860,
		.exit_status = -1,
		.oom = true,
		.paged = true,
		.started_ms = 1,
		.ended_ms = INT64_MAX,
		.reason = "why",
	};
	owned(str_done) struct str message = request_begin(REQUEST_CHANGED, 0, 0);
	owned(request_done) struct request request = REQUEST_INIT;
	struct engine_run got = {0};
	struct err err = ERR_INIT;

	request_add_run(&message, &run);
	assert_int_equal(request_parse(message.data, message.length, &request, &err), 0);
	assert_int_equal(request_get_run(&request, &got, &err), 0);
	assert_int_equal(got.state, run.state);
	assert_string_equal(got.key, run.key);
	assert_string_equal(got.space, run.space);
	assert_int_equal(got.address, run.address);
	assert_int_equal(got.port, run.port);
	assert_int_equal(got.exit_status, -1);
	assert_true(got.oom && got.paged);
	assert_true(got.started_ms == 1 && got.ended_ms == INT64_MAX);
	assert_string_equal(got.reason, "why");
}

static void a_reply_carries_the_error(void **state)
{
	owned(str_done) struct str message = request_begin(REQUEST_REPLY, 1, 2);
	owned(request_done) struct request request = REQUEST_INIT;
	struct err err = ERR_INIT;

	request_add_number(&message, REQUEST_TAG_ERROR, ERR_BUSY);
	request_add_text(&message, REQUEST_TAG_TEXT, "later");
	assert_int_equal(request_parse(message.data, message.length, &request, &err), 0);
	assert_int_equal(request_get_reply(&request, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_string_equal(err.text, "later");
}

static void every_cut_message_is_refused_or_lacks_fields(void **state)
{
	owned(str_done) struct str message = make_submit();

	for (size_t length = 0; length < message.length; length++) {
		owned(free) char *copy =
			mem_alloc(length + 1); /* the sanitizer sees a step too far */
		owned(request_done) struct request request = REQUEST_INIT;
		owned(request_spec_done) struct request_spec spec = REQUEST_SPEC_INIT;
		struct err err = ERR_INIT;

		memcpy(copy, message.data, length);
		if (request_parse(copy, length, &request, &err) < 0)
			assert_int_equal(err.kind, ERR_INVALID);
		else
			(void)!request_get_spec(&request, &spec, &err);
	}
}

static void a_wrong_header_is_refused(void **state)
{
	owned(str_done) struct str message = make_submit();

	message.data[0] ^= 1; /* magic */
	assert_refused(message.data, message.length);
	message.data[0] ^= 1;
	message.data[4] ^= 3; /* version */
	assert_refused(message.data, message.length);
}

static void a_field_stands_once(void **state)
{
	owned(str_done) struct str message = make_submit();

	request_add_text(&message, REQUEST_TAG_KEY, "another");
	assert_refused(message.data, message.length);
}

static void an_unknown_field_is_refused(void **state)
{
	owned(str_done) struct str message = request_begin(REQUEST_SUBMIT, 0, 0);

	request_add_text(&message, REQUEST_TAG_COUNT, "x");
	assert_refused(message.data, message.length);
}

static void a_text_ends_in_its_only_nul(void **state)
{
	owned(str_done) struct str message = request_begin(REQUEST_STOP, 0, 0);

	request_add_text(&message, REQUEST_TAG_KEY, "abc");
	message.data[message.length - 1] = 'd';
	assert_refused(message.data, message.length);
	message.data[message.length - 1] = '\0';
	message.data[message.length - 3] = '\0';
	assert_refused(message.data, message.length);
}

static void metrics_come_through_whole(void **state)
{
	const struct engine_metrics metrics = {.key = "a-1",
					       .at_ms = 5,
					       .cpu_ns = INT64_MAX,
					       .cpu_milli = 1500,
					       .memory_bytes = 7,
					       .memory_limit = 8,
					       .received_bytes = 9,
					       .sent_bytes = 10};
	owned(str_done) struct str message = request_begin(REQUEST_METRICS, 3, 4);
	owned(request_done) struct request request = REQUEST_INIT;
	struct engine_metrics got;
	struct err err = ERR_INIT;

	request_add_metrics(&message, &metrics);
	assert_int_equal(request_parse(message.data, message.length, &request, &err), 0);
	assert_int_equal(request_get_metrics(&request, &got, &err), 0);
	assert_memory_equal(&got, &metrics, sizeof(got));
}

static void metrics_that_no_json_can_hold_are_refused(void **state)
{
	owned(str_done) struct str message = request_begin(REQUEST_METRICS, 3, 4);
	owned(request_done) struct request request = REQUEST_INIT;
	struct engine_metrics got;
	struct err err = ERR_INIT;

	request_add_text(&message, REQUEST_TAG_KEY, "a-1");
	request_add_number(&message, REQUEST_TAG_SENT, UINT64_MAX);
	assert_int_equal(request_parse(message.data, message.length, &request, &err), 0);
	assert_int_equal(request_get_metrics(&request, &got, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_number_has_eight_bytes(void **state)
{
	owned(str_done) struct str message = request_begin(REQUEST_STOP, 0, 0);

	request_add_text(&message, REQUEST_TAG_GRACE, "abc");
	assert_refused(message.data, message.length);
}

static void a_length_that_lies_is_refused(void **state)
{
	owned(str_done) struct str message = request_begin(REQUEST_STOP, 0, 0);

	request_add_text(&message, REQUEST_TAG_KEY, "abc");
	memset(message.data + REQUEST_HEADER + 2, 0xff, 4);
	assert_refused(message.data, message.length);
}

static void too_many_arguments_are_refused(void **state)
{
	owned(str_done) struct str message = make_submit();
	owned(request_done) struct request request = REQUEST_INIT;
	owned(request_spec_done) struct request_spec spec = REQUEST_SPEC_INIT;
	struct err err = ERR_INIT;

	for (int i = 0; i < REQUEST_ARGV_MAX; i++)
		request_add_text(&message, REQUEST_TAG_ARGV, "x");
	assert_int_equal(request_parse(message.data, message.length, &request, &err), 0);
	assert_int_equal(request_get_spec(&request, &spec, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_message_has_a_limit(void **state)
{
	owned(str_done) struct str message = make_submit();
	owned(free) char *big = mem_alloc(REQUEST_MAX + 1);
	struct err err = ERR_INIT;

	memset(big, 'x', REQUEST_MAX);
	request_add_text(&message, REQUEST_TAG_REASON, big);
	assert_int_equal(str_check(&message, "message", &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_refused(big, REQUEST_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spec_comes_through_whole),
		cmocka_unit_test(a_run_comes_through_whole),
		cmocka_unit_test(a_reply_carries_the_error),
		cmocka_unit_test(every_cut_message_is_refused_or_lacks_fields),
		cmocka_unit_test(a_wrong_header_is_refused),
		cmocka_unit_test(a_field_stands_once),
		cmocka_unit_test(an_unknown_field_is_refused),
		cmocka_unit_test(a_text_ends_in_its_only_nul),
		cmocka_unit_test(metrics_come_through_whole),
		cmocka_unit_test(metrics_that_no_json_can_hold_are_refused),
		cmocka_unit_test(a_number_has_eight_bytes),
		cmocka_unit_test(a_length_that_lies_is_refused),
		cmocka_unit_test(too_many_arguments_are_refused),
		cmocka_unit_test(a_message_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
