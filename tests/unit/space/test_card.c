#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/card.h"

static struct card parsed(const char *text)
{
	struct card card = CARD_INIT;
	struct err err = ERR_INIT;

	if (card_parse(text, strlen(text), &card, &err) < 0)
		fail_msg("%s", err.text);
	return card;
}

static void expect_error(const char *text, const char *part)
{
	struct card card = CARD_INIT;
	struct err err = ERR_INIT;

	if (card_parse(text, strlen(text), &card, &err) == 0)
		fail_msg("accepted: %s", text);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void reads_a_usual_card(void **state)
{
	owned(card_done) struct card card =
		parsed("---\ntitle: Hello\nemoji: \xf0\x9f\x91\x8b\nsdk: gradio\n"
		       "sdk_version: 4.10\npython_version: 3.10\napp_file: src/main.py\n"
		       "app_port: 8501\nhf_oauth: true\nespace_egress: "
		       "none\nstartup_duration_timeout: 1h\n"
		       "pinned: false\ntags: [a, 'b']\nmodels:\n- x/y\nheader: mini\nscore: 1.5\n"
		       "hf_oauth_scopes: {a: ~}\n---\n# Hello\n");
	owned(free) char *data = json_text(card.data);

	assert_string_equal(card.sdk, "gradio");
	assert_string_equal(card.sdk_version, "4.10"); /* not 4.1 */
	assert_string_equal(card.python_version, "3.10");
	assert_string_equal(card.app_file, "src/main.py");
	assert_string_equal(card.title, "Hello");
	assert_int_equal(card.app_port, 8501);
	assert_int_equal(card.startup_s, 3600);
	assert_true(card.hf_oauth);
	assert_true(card.closed);
	assert_non_null(strstr(data, "\"tags\":[\"a\",\"b\"]"));
	assert_non_null(strstr(data, "\"models\":[\"x/y\"]"));
	assert_non_null(strstr(data, "\"pinned\":false"));
	assert_non_null(strstr(data, "\"score\":1.5"));
	assert_non_null(strstr(data, "{\"a\":null}"));
}

static void has_defaults(void **state)
{
	static const char *const texts[] = {
		"",        "# Hello\n",       "---\n---\n", "---\n# only\n---\n", "---\n~\n---",
		"--- x\n", "---\nsdk:\n---\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		owned(card_done) struct card card = parsed(texts[i]);

		assert_string_equal(card.sdk, "");
		assert_string_equal(card.sdk_version, "");
		assert_string_equal(card.app_file, "app.py");
		assert_int_equal(card.app_port, 0);
		assert_int_equal(card.startup_s, 1800);
		assert_true(json_is_object(card.data));
	}
}

static void an_app_that_states_no_port_has_that_of_its_sdk(void **state)
{
	assert_int_equal(card_port("gradio"), 7860);
	assert_int_equal(card_port("streamlit"), 8501);
	assert_int_equal(card_port(""), 7860);
}

static void bears_what_editors_do(void **state)
{
	owned(card_done) struct card mark = parsed("\xef\xbb\xbf---\nsdk: gradio\n---\n");
	owned(card_done) struct card lines = parsed("---\r\nsdk: gradio\r\n---\r\nx");
	owned(card_done) struct card space = parsed("--- \t\nsdk: gradio\n---  \n");

	assert_string_equal(mark.sdk, "gradio");
	assert_string_equal(lines.sdk, "gradio");
	assert_string_equal(space.sdk, "gradio");
}

static void keeps_what_is_quoted_as_text(void **state)
{
	owned(card_done) struct card card =
		parsed("---\na: 'true'\nb: \"12\"\nc: 0x1f\nd: .inf\ne: 1e3\nf: nan\ng: yes\n"
		       "h: 99999999999999999999\n---\n");
	owned(free) char *data = json_text(card.data);

	assert_string_equal(data, "{\"a\":\"true\",\"b\":\"12\",\"c\":\"0x1f\",\"d\":\".inf\","
				  "\"e\":1000.0,\"f\":\"nan\",\"g\":\"yes\",\"h\":1e20}");
}

static void refuses_hostile_yaml(void **state)
{
	owned(str_done) struct str deep = str_new(1000);
	owned(str_done) struct str many = str_new(CARD_BYTES_MAX);
	owned(str_done) struct str large = str_new((size_t)2 * CARD_BYTES_MAX);

	expect_error("---\na: &x [1]\nb: *x\n---\n", "line 3: aliases");
	expect_error("---\na: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n---\n", "aliases");
	str_add(&deep, "---\na: ");
	for (int i = 0; i < 20; i++)
		str_add_char(&deep, '[');
	for (int i = 0; i < 20; i++)
		str_add_char(&deep, ']');
	str_add(&deep, "\n---\n");
	expect_error(deep.data, "line 2: nested deeper than 16");
	str_add(&many, "---\na: [");
	for (int i = 0; i < CARD_NODES_MAX; i++)
		str_add(&many, "1,");
	str_add(&many, "]\n---\n");
	expect_error(many.data, "more than 10000 nodes");
	str_add(&large, "---\na: ");
	for (int i = 0; i < CARD_BYTES_MAX; i++)
		str_add(&large, i % 80 ? "x" : "\n  x");
	str_add(&large, "\n---\n");
	expect_error(large.data, "larger than 64 KiB");
	expect_error("---\na: \"\\0\"\n---\n", "NUL");
	expect_error("---\na: \xff\n---\n", "README.md line");
	expect_error("---\na: 1\na: 2\n---\n", "line 3: a stands twice");
	expect_error("---\n[a]: 1\n---\n", "a key that is no text");
	expect_error("---\na: [1\n---\n", "README.md line");
	expect_error("---\na: 1\n b: 2\n---\n", "README.md line 3");
	expect_error("---\n- a\n---\n", "key: value");
	expect_error("---\ntext\n---\n", "key: value");
	expect_error("---\nsdk: gradio\n", "no closing");
}

static void refuses_values_that_mean_nothing(void **state)
{
	expect_error("---\nsdk: 1\n---\n", "sdk");
	expect_error("---\nsdk: [gradio]\n---\n", "sdk");
	expect_error("---\napp_port: 0\n---\n", "app_port");
	expect_error("---\napp_port: 70000\n---\n", "app_port");
	expect_error("---\napp_port: x\n---\n", "app_port");
	expect_error("---\napp_file: ../x\n---\n", "app_file");
	expect_error("---\napp_file: /etc/passwd\n---\n", "app_file");
	expect_error("---\napp_file: .git/config\n---\n", "app_file");
	expect_error("---\nespace_egress: all\n---\n", "none or default");
	expect_error("---\nhf_oauth: 1\n---\n", "hf_oauth");
	expect_error("---\nstartup_duration_timeout: soon\n---\n", "startup_duration_timeout");
	expect_error("---\nstartup_duration_timeout: 25h\n---\n", "startup_duration_timeout");
	expect_error("---\nstartup_duration_timeout: -1m\n---\n", "startup_duration_timeout");
	expect_error("---\nstartup_duration_timeout: [1]\n---\n", "startup_duration_timeout");
	expect_error(
		"---\nsdk: "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n---\n",
		"longer than 63");
}

static void takes_the_front_matter_of_any_repository(void **state)
{
	static const char readme[] = "---\ntitle: 5\napp_port: x\n---\n";
	owned(json_decref) json_t *front = NULL;
	owned(json_decref) json_t *none = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(card_data(readme, strlen(readme), &front, &err), 0);
	assert_int_equal(json_integer_value(json_object_get(front, "title")), 5);
	assert_int_equal(card_data("# none", 6, &none, &err), 0);
	assert_int_equal(json_object_size(none), 0);
	assert_int_equal(card_data("---\na: [\n---\n", 12, &none, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_usual_card),
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(an_app_that_states_no_port_has_that_of_its_sdk),
		cmocka_unit_test(bears_what_editors_do),
		cmocka_unit_test(keeps_what_is_quoted_as_text),
		cmocka_unit_test(refuses_hostile_yaml),
		cmocka_unit_test(refuses_values_that_mean_nothing),
		cmocka_unit_test(takes_the_front_matter_of_any_repository),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
