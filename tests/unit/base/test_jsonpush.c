#include "base/jsonpush.h"

#include <string.h>

#include "base/str.h"
#include "test.h"

/* Events as text: strings and keys are put together from their pieces. */
static int write_event(void *arg, const struct jsonpush_event *event, struct err *err)
{
	static const char *const signs[] = {
		[JSONPUSH_OBJECT] = "{",    [JSONPUSH_OBJECT_END] = "}", [JSONPUSH_ARRAY] = "[",
		[JSONPUSH_ARRAY_END] = "]", [JSONPUSH_TRUE] = "T",       [JSONPUSH_FALSE] = "F",
		[JSONPUSH_NULL] = "N",
	};
	struct str *out = arg;

	switch (event->type) {
	case JSONPUSH_KEY:
	case JSONPUSH_STRING:
		str_add_n(out, event->bytes, event->length);
		if (event->last)
			str_add(out, event->type == JSONPUSH_KEY ? ":" : ";");
		return 0;
	case JSONPUSH_NUMBER:
		str_add(out, "#");
		str_add_n(out, event->bytes, event->length);
		return 0;
	default:
		str_add(out, signs[event->type]);
		return 0;
	}
}

static int parse(const char *text, size_t length, size_t piece, struct str *out, struct err *err)
{
	owned(jsonpush_free) struct jsonpush *json = jsonpush_new(write_event, out);

	for (size_t at = 0; at < length; at += piece) {
		size_t now = length - at < piece ? length - at : piece;

		if (jsonpush_feed(json, text + at, now, err) < 0)
			return -1;
	}
	return jsonpush_end(json, err);
}

static void expect(const char *text, const char *events)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		owned(str_done) struct str out = str_new(1 << 16);
		struct err err = ERR_INIT;

		if (parse(text, strlen(text), piece, &out, &err) < 0)
			fail_msg("%s: %s", text, err.text);
		assert_string_equal(out.data, events);
	}
}

static void expect_bad(const char *text, size_t length, const char *what)
{
	for (size_t piece = 1; piece <= length; piece++) {
		owned(str_done) struct str out = str_new(1 << 16);
		struct err err = ERR_INIT;

		if (parse(text, length, piece, &out, &err) == 0)
			fail_msg("accepted: %s", text);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.text, what))
			fail_msg("%s: %s, not %s", text, err.text, what);
	}
}

#define BAD(text, what) expect_bad(text, sizeof(text) - 1, what)

static void tells_every_kind_of_value(void **state)
{
	expect("{}", "{}");
	expect("[]", "[]");
	expect(" {\"a\" : [1, -2.5e+3 ,true,false,null,\"x\",[],{}] , \"\":\"\"}\r\n",
	       "{a:[#1#-2.5e+3TFNx;[]{}]:;}");
	expect("\"text\"", "text;");
	expect("-0", "#-0");
	expect("0.1E-2 ", "#0.1E-2");
	expect("null", "N");
}

static void unescapes_strings(void **state)
{
	expect("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t;");
	expect("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\u00e9\u20ac\U0001f600;");
	expect("{\"\\u006b\":1}", "{k:#1}");
	expect("\"long enough for eight bytes at a time\\nand again and again\"",
	       "long enough for eight bytes at a time\nand again and again;");
}

static void passes_a_nul_on(void **state)
{
	owned(str_done) struct str out = str_new(100);
	struct err err = ERR_INIT;
	const char *text = "\"a\\u0000b\"";

	assert_int_equal(parse(text, strlen(text), 3, &out, &err), 0);
	assert_int_equal(out.length, 4);
	assert_memory_equal(out.data, "a\0b;", 4);
}

static void takes_utf8(void **state)
{
	expect("\"\u00e9t\u00e9 \u20ac \U0001f600 \xf4\x8f\xbf\xbf \xed\x9f\xbf\"",
	       "\u00e9t\u00e9 \u20ac \U0001f600 \xf4\x8f\xbf\xbf \xed\x9f\xbf;");
}

static void refuses_what_is_not_utf8(void **state)
{
	BAD("\"\xff\"", "not UTF-8");
	BAD("\"\x80\"", "not UTF-8");
	BAD("\"\xc0\xaf\"", "not UTF-8"); /* overlong */
	BAD("\"\xe0\x9f\xbf\"", "not UTF-8");
	BAD("\"\xf0\x8f\xbf\xbf\"", "not UTF-8");
	BAD("\"\xed\xa0\x80\"", "not UTF-8");     /* a surrogate */
	BAD("\"\xf4\x90\x80\x80\"", "not UTF-8"); /* above U+10FFFF */
	BAD("\"abcdefgh\xe2\x82\"", "not UTF-8"); /* cut short */
	BAD("\"abcdefgh\xe2\x82\\n\"", "not UTF-8");
}

static void refuses_bad_grammar(void **state)
{
	BAD("{", "ends too early");
	BAD(" ", "ends too early");
	BAD("\"abc", "ends too early");
	BAD("[1,", "ends too early");
	BAD("[1,]", "a value is missing");
	BAD("{\"a\":1,}", "a key is missing");
	BAD("{1:2}", "a key is missing");
	BAD("{\"a\" 1}", "a colon is missing");
	BAD("[1 2]", "a comma");
	BAD("[1}", "closes nothing");
	BAD("{\"a\":1]", "closes nothing");
	BAD("1 2", "text behind the value");
	BAD("{}x", "text behind the value");
	BAD("truex", "text behind the value");
	BAD("trux", "not a value");
	BAD("tru", "ends too early");
	BAD("'a'", "a value is missing");
	BAD("\"a\nb\"", "a control character");
	BAD("\"\\x\"", "an unknown escape");
	BAD("\"\\u12g4\"", "four hexadecimal digits");
}

static void refuses_bad_numbers(void **state)
{
	static const char *const texts[] = {"01", "-", "1.", ".5", "1e", "1e+", "+1", "1-2", "--1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_bad(texts[i], strlen(texts[i]), "bad JSON");
	BAD("11111111111111111111111111111111111111111111111111111111111111111", "too long");
}

static void refuses_halves_of_surrogate_pairs(void **state)
{
	BAD("\"\\ud83d\"", "surrogate");
	BAD("\"\\ud83dx\"", "surrogate");
	BAD("\"\\ud83d\\n\"", "surrogate");
	BAD("\"\\ud83d\\u0041\"", "surrogate");
	BAD("\"\\ude00\"", "surrogate");
	BAD("\"\\ud83d\\ud83d\"", "surrogate");
}

static void limits_the_depth(void **state)
{
	char text[2 * (JSONPUSH_DEPTH + 1) + 1] = "";
	char events[2 * JSONPUSH_DEPTH + 1] = "";

	memset(text, '[', JSONPUSH_DEPTH);
	memset(text + JSONPUSH_DEPTH, ']', JSONPUSH_DEPTH);
	memcpy(events, text, sizeof(events) - 1);
	expect(text, events);
	memset(text, '[', JSONPUSH_DEPTH + 1);
	expect_bad(text, JSONPUSH_DEPTH + 1, "too deeply");
}

static void names_the_position(void **state)
{
	BAD("{\"a\": ?}", "at byte 6");
}

static void knows_blank_input_and_starts_over(void **state)
{
	owned(str_done) struct str out = str_new(100);
	owned(jsonpush_free) struct jsonpush *json = jsonpush_new(write_event, &out);
	struct err err = ERR_INIT;

	assert_true(jsonpush_is_blank(json));
	assert_int_equal(jsonpush_feed(json, " \t\r\n", 4, &err), 0);
	assert_true(jsonpush_is_blank(json));
	assert_int_equal(jsonpush_feed(json, "[\"x", 3, &err), 0);
	assert_false(jsonpush_is_blank(json));
	assert_int_equal(jsonpush_feed(json, "\n", 1, &err), -1);
	assert_int_equal(jsonpush_feed(json, "\"]", 2, &err), -1);
	jsonpush_reset(json);
	str_clear(&out);
	assert_int_equal(jsonpush_feed(json, "[2]", 3, &err), 0);
	assert_int_equal(jsonpush_end(json, &err), 0);
	assert_string_equal(out.data, "[#2]");
}

static int refuse_numbers(void *arg, const struct jsonpush_event *event, struct err *err)
{
	if (event->type == JSONPUSH_NUMBER)
		return err_set(err, ERR_DENIED, "no numbers here");
	return 0;
}

static void stops_when_the_callback_says_so(void **state)
{
	owned(jsonpush_free) struct jsonpush *json = jsonpush_new(refuse_numbers, NULL);
	struct err err = ERR_INIT;

	assert_int_equal(jsonpush_feed(json, "[true,1,false]", 14, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_int_equal(jsonpush_end(json, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_every_kind_of_value),
		cmocka_unit_test(unescapes_strings),
		cmocka_unit_test(passes_a_nul_on),
		cmocka_unit_test(takes_utf8),
		cmocka_unit_test(refuses_what_is_not_utf8),
		cmocka_unit_test(refuses_bad_grammar),
		cmocka_unit_test(refuses_bad_numbers),
		cmocka_unit_test(refuses_halves_of_surrogate_pairs),
		cmocka_unit_test(limits_the_depth),
		cmocka_unit_test(names_the_position),
		cmocka_unit_test(knows_blank_input_and_starts_over),
		cmocka_unit_test(stops_when_the_callback_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
