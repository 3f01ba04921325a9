#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "front/page.h"

static void every_page_has_a_name_of_its_own(void **state)
{
	for (unsigned i = 0; i < FRONT_PAGE_COUNT; i++)
		assert_int_equal(front_page_of(front_page_name(i)), i);
	assert_int_equal(front_page_of("nothing"), FRONT_PAGE_COUNT);
	assert_int_equal(front_page_of(""), FRONT_PAGE_COUNT);
}

static void what_may_come_soon_reloads_by_itself(void **state)
{
	for (unsigned i = 0; i < FRONT_PAGE_COUNT; i++) {
		owned(free) char *html = front_page_html(i, "me-demo");
		bool reloads = strstr(html, "http-equiv=\"refresh\"") != NULL;

		assert_int_equal(reloads, front_page_retry_s(i) > 0);
		assert_non_null(strstr(html, "me-demo"));
	}
	assert_int_equal(front_page_status(FRONT_PAGE_STARTING), 503);
	assert_true(front_page_retry_s(FRONT_PAGE_STARTING) > 0);
	assert_int_equal(front_page_status(FRONT_PAGE_NOT_FOUND), 404);
	assert_int_equal(front_page_retry_s(FRONT_PAGE_NOT_FOUND), 0);
}

static void loads_nothing_from_elsewhere(void **state)
{
	owned(free) char *html = front_page_html(FRONT_PAGE_ERROR, "me-demo");

	assert_null(strstr(html, "http:"));
	assert_null(strstr(html, "https:"));
	assert_null(strstr(html, "<script"));
}

static void a_name_from_outside_is_only_text(void **state)
{
	owned(free) char *html = front_page_html(FRONT_PAGE_NOT_FOUND, "<img src=\"x\">&");
	owned(free) char *long_name = mem_alloc(20 * 1024);
	owned(free) char *short_page = NULL;

	assert_null(strstr(html, "<img"));
	assert_non_null(strstr(html, "&lt;img src=&quot;x&quot;&gt;&amp;"));
	memset(long_name, '<', 20 * 1024 - 1);
	short_page = front_page_html(FRONT_PAGE_NOT_FOUND, long_name);
	assert_null(strstr(short_page, "&lt;"));
	assert_non_null(strstr(short_page, "</html>"));
}

static void programs_get_an_object_with_one_sentence(void **state)
{
	static const char *const slugs[] = {"me-demo", "", "\"\\", "\xff"};

	for (size_t i = 0; i < sizeof(slugs) / sizeof(slugs[0]); i++) {
		owned(free) char *text = front_page_json(FRONT_PAGE_STARTING, slugs[i]);
		owned(json_decref) json_t *body = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(json_parse(text, strlen(text), &body, &err), 0);
		assert_non_null(
			strstr(json_string_value(json_object_get(body, "error")), "is starting"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_has_a_name_of_its_own),
		cmocka_unit_test(what_may_come_soon_reloads_by_itself),
		cmocka_unit_test(loads_nothing_from_elsewhere),
		cmocka_unit_test(a_name_from_outside_is_only_text),
		cmocka_unit_test(programs_get_an_object_with_one_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
