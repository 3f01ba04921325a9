#include "test.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

static json_t *parse(const char *text)
{
	struct err err = ERR_INIT;
	json_t *value = NULL;

	if (json_parse(text, strlen(text), &value, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return value;
}

static void refuse(const char *text, size_t length)
{
	struct err err = ERR_INIT;
	json_t *value = NULL;

	assert_int_equal(json_parse(text, length, &value, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_null(value);
}

static void refuse_text(const char *text)
{
	refuse(text, strlen(text));
}

static void bad_texts_are_refused(void **state)
{
	refuse_text("");
	refuse_text("{");
	refuse_text("{\"a\":1}x");
	refuse_text("{\"a\":1}{}");
	refuse_text("{\"a\":1,\"a\":2}");
	refuse_text("{\"a\":\"\\u0000\"}");
	refuse_text("{\"a\\u0000b\":1}");
	refuse_text("{\"a\":\"\\ud800\"}");
	refuse_text("{\"a\":\"\xff\"}");
	refuse_text("{\"a\":\"\xc0\xaf\"}");
	refuse_text("{\"a\":\"line\nbreak\"}");
	refuse_text("{'a':1}");
	refuse_text("{\"a\":01}");
	refuse_text("{\"a\":99999999999999999999}");
	refuse_text("{\"a\":1e999}");
	refuse_text("NaN");
	refuse("{\"a\":1}\0", 8);
}

static void errors_name_the_place(void **state)
{
	struct err err = ERR_INIT;
	json_t *value;

	assert_int_equal(json_parse("{\n \"a\": x}", 10, &value, &err), -1);
	assert_non_null(strstr(err.text, "line 2"));
	assert_null(strchr(err.text, '\n'));
}

/* `times` arrays in each other. */
static struct str nested(int times)
{
	struct str text = str_new(2 * (size_t)times);

	for (int i = 0; i < times; i++)
		str_add_char(&text, '[');
	for (int i = 0; i < times; i++)
		str_add_char(&text, ']');
	return text;
}

static void nesting_has_a_limit(void **state)
{
	owned(str_done) struct str most = nested(JSON_DEPTH_MAX);
	owned(str_done) struct str deep = nested(JSON_DEPTH_MAX + 1);
	owned(json_decref) json_t *value = parse(most.data);

	assert_true(json_is_array(value));
	refuse(deep.data, deep.length);
	refuse(deep.data, deep.length / 2);
}

static void values_are_counted_before_they_are_made(void **state)
{
	owned(str_done) struct str text = str_new(3 * JSON_VALUES_MAX + 10);
	owned(json_decref) json_t *value = NULL;
	struct err err = ERR_INIT;
	json_t *none = NULL;

	/* The array itself, one value, and one for each comma. */
	str_add(&text, "[0");
	for (int i = 0; i < JSON_VALUES_MAX - 2; i++)
		str_add(&text, ",0");
	str_add(&text, "]");
	value = parse(text.data);
	assert_int_equal(json_array_size(value), JSON_VALUES_MAX - 1);
	text.data[text.length - 1] = ',';
	str_add(&text, "0]");
	assert_int_equal(json_parse(text.data, text.length, &none, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void what_is_in_a_string_is_not_counted(void **state)
{
	owned(str_done) struct str text = str_new(4 * JSON_VALUES_MAX);
	owned(json_decref) json_t *value = NULL;

	str_add(&text, "[\"\\\\\", \"\\\"");
	for (int i = 0; i < JSON_VALUES_MAX; i++)
		str_add(&text, "[,{");
	str_add(&text, "\"]");
	value = parse(text.data);
	assert_int_equal(json_array_size(value), 2);
	refuse_text("\"");
	refuse_text("\"\\");
}

static void text_is_compact_ascii(void **state)
{
	owned(json_decref) json_t *value =
		parse("{ \"b\" : \"\xc3\xa9\\n\xf0\x9f\x98\x80\",\"a\":[1, null] }");
	owned(free) char *text = json_text(value);

	assert_string_equal(text, "{\"b\":\"\\u00E9\\n\\uD83D\\uDE00\",\"a\":[1,null]}");
}

static void fields_are_read(void **state)
{
	owned(json_decref) json_t *value =
		parse("{\"t\":\"x\",\"b\":true,\"i\":-7,\"l\":[1],\"o\":{\"k\":1}}");
	const char *text = NULL;
	bool flag = false;
	int64_t number = 0;
	json_t *list = NULL, *object = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_get_text(value, "t", &text, &err), 0);
	assert_string_equal(text, "x");
	assert_int_equal(json_need_text(value, "t", &text, &err), 0);
	assert_int_equal(json_get_bool(value, "b", &flag, &err), 0);
	assert_true(flag);
	assert_int_equal(json_get_int(value, "i", &number, &err), 0);
	assert_int_equal(number, -7);
	assert_int_equal(json_get_array(value, "l", &list, &err), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_get_object(value, "o", &object, &err), 0);
	assert_int_equal(json_object_size(object), 1);
}

static void missing_and_null_keep_the_default(void **state)
{
	owned(json_decref) json_t *value = parse("{\"n\":null}");
	static const char *const keys[] = {"n", "missing"};

	for (size_t i = 0; i < 2; i++) {
		const char *text = "default";
		bool flag = true;
		int64_t number = 42;
		json_t *list = value, *object = value;
		struct err err = ERR_INIT;

		assert_int_equal(json_get_text(value, keys[i], &text, &err), 0);
		assert_string_equal(text, "default");
		assert_int_equal(json_get_bool(value, keys[i], &flag, &err), 0);
		assert_true(flag);
		assert_int_equal(json_get_int(value, keys[i], &number, &err), 0);
		assert_int_equal(number, 42);
		assert_int_equal(json_get_array(value, keys[i], &list, &err), 0);
		assert_ptr_equal(list, value);
		assert_int_equal(json_get_object(value, keys[i], &object, &err), 0);
		assert_ptr_equal(object, value);
		assert_int_equal(json_need_text(value, keys[i], &text, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, keys[i]));
	}
}

static void another_type_is_refused_by_name(void **state)
{
	owned(json_decref) json_t *value = parse("{\"field\":1.5}");
	const char *text = "kept";
	bool flag;
	int64_t number;
	json_t *inner;
	struct err err = ERR_INIT;

	assert_int_equal(json_get_text(value, "field", &text, &err), -1);
	assert_string_equal(err.text, "\"field\" must be a string");
	assert_string_equal(text, "kept");
	assert_int_equal(json_need_text(value, "field", &text, &err), -1);
	assert_int_equal(json_get_bool(value, "field", &flag, &err), -1);
	assert_int_equal(json_get_int(value, "field", &number, &err), -1);
	assert_int_equal(json_get_array(value, "field", &inner, &err), -1);
	assert_int_equal(json_get_object(value, "field", &inner, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_value_that_is_no_object_has_no_fields(void **state)
{
	static const char *const texts[] = {"[1]", "\"x\"", "7", "null", "true"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		owned(json_decref) json_t *value = parse(texts[i]);
		const char *text = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(json_get_text(value, "a", &text, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* Freed memory can't be looked at; that wiping hits nothing else can. */
static void wipes_what_it_frees_and_no_more(void **state)
{
	static const char given[] =
		"{\"key\":\"S\",\"value\":\"\\u00e9 secret\",\"list\":[1,2.5,null,{}]}";
	struct err err = ERR_INIT;

	json_wipe_freed();
	for (int i = 0; i < 100; i++) {
		owned(json_decref) json_t *value = NULL;
		owned(free) char *text = NULL;

		assert_int_equal(json_parse(given, strlen(given), &value, &err), 0);
		text = json_text(value);
		assert_string_equal(text, "{\"key\":\"S\",\"value\":\"\\u00E9 secret\","
					  "\"list\":[1,2.5,null,{}]}");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(errors_name_the_place),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(values_are_counted_before_they_are_made),
		cmocka_unit_test(what_is_in_a_string_is_not_counted),
		cmocka_unit_test(text_is_compact_ascii),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(missing_and_null_keep_the_default),
		cmocka_unit_test(another_type_is_refused_by_name),
		cmocka_unit_test(a_value_that_is_no_object_has_no_fields),
		cmocka_unit_test(wipes_what_it_frees_and_no_more), /* last: it is for good */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
