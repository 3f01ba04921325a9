#include "api/ndjson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

/* Calls as text, one per line; files by their bytes. */
static int note_header(void *arg, const struct ndjson_header *header, struct err *err)
{
	str_addf(arg, "header(%s|%s|%s)\n", header->summary, header->description,
		 header->parent ? header->parent : "-");
	return 0;
}

static int note_open(void *arg, struct err *err)
{
	str_add(arg, "open ");
	return 0;
}

static int note_data(void *arg, const void *bytes, size_t length, struct err *err)
{
	str_add_n(arg, bytes, length);
	return 0;
}

static int note_close(void *arg, const char *path, struct err *err)
{
	str_addf(arg, " close(%s)\n", path);
	return strcmp(path, "refused") == 0 ? err_set(err, ERR_UNPROCESSED, "not this one") : 0;
}

static int note_file(void *arg, const char *path, struct err *err)
{
	str_addf(arg, "delete(%s)\n", path);
	return 0;
}

static int note_folder(void *arg, const char *path, struct err *err)
{
	str_addf(arg, "delete_folder(%s)\n", path);
	return 0;
}

static int note_lfs(void *arg, const char *path, const char *oid, int64_t size, struct err *err)
{
	str_addf(arg, "lfs(%s|%.4s|%lld)\n", path, oid, (long long)size);
	return 0;
}

static const struct ndjson_ops notes = {
	.header = note_header,
	.file_open = note_open,
	.file_data = note_data,
	.file_close = note_close,
	.deleted_file = note_file,
	.deleted_folder = note_folder,
	.lfs_file = note_lfs,
};

static int parse(const char *body, size_t length, size_t piece, struct str *out, struct err *err)
{
	owned(ndjson_free) struct ndjson *ndjson = ndjson_new(&notes, out);

	for (size_t at = 0; at < length; at += piece) {
		size_t now = length - at < piece ? length - at : piece;

		if (ndjson_feed(ndjson, body + at, now, err) < 0)
			return -1;
	}
	return ndjson_end(ndjson, err);
}

static void expect(const char *body, const char *calls)
{
	for (size_t piece = 1; piece <= strlen(body); piece++) {
		owned(str_done) struct str out = str_new(1 << 20);
		struct err err = ERR_INIT;

		if (parse(body, strlen(body), piece, &out, &err) < 0)
			fail_msg("%s: %s", body, err.text);
		assert_string_equal(out.data, calls);
	}
}

/* In one piece and byte by byte. */
static void expect_error(const char *body, enum err_kind kind, const char *what)
{
	size_t pieces[] = {strlen(body), 1};

	for (size_t i = 0; i < 2; i++) {
		owned(str_done) struct str out = str_new(1 << 20);
		struct err err = ERR_INIT;

		if (parse(body, strlen(body), pieces[i], &out, &err) == 0)
			fail_msg("accepted: %.200s", body);
		assert_int_equal(err.kind, kind);
		if (!strstr(err.text, what))
			fail_msg("%.200s: %s, not %s", body, err.text, what);
	}
}

#define HEADER "{\"key\":\"header\",\"value\":{\"summary\":\"m\",\"description\":\"\"}}\n"
#define NOTED  "header(m||-)\n"
#define OID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void takes_what_python_sends(void **state)
{
	expect("{\"key\": \"header\", \"value\": {\"summary\": \"Upload\", \"description\": \"d\","
	       " \"parentCommit\": \"abcde\"}}\n"
	       "{\"key\": \"file\", \"value\": {\"content\": \"aGVsbG8=\", \"path\": \"a/b.txt\","
	       " \"encoding\": \"base64\"}}\n"
	       "{\"key\": \"file\", \"value\": {\"content\": \"\", \"path\": \"empty\","
	       " \"encoding\": \"base64\"}}\n"
	       "{\"key\": \"lfsFile\", \"value\": {\"path\": \"w.bin\", \"algo\": \"sha256\","
	       " \"oid\": \"" OID "\", \"size\": 123}}\n"
	       "{\"key\": \"deletedFile\", \"value\": {\"path\": \"old.txt\"}}\n"
	       "{\"key\": \"deletedFolder\", \"value\": {\"path\": \"dir/\"}}\n",
	       "header(Upload|d|abcde)\nopen hello close(a/b.txt)\nopen  close(empty)\n"
	       "lfs(w.bin|0123|123)\ndelete(old.txt)\ndelete_folder(dir/)\n");
}

static void takes_what_javascript_sends(void **state)
{
	expect("{\"key\":\"header\",\"value\":{\"summary\":\"m\"}}\n"
	       "{\"key\":\"file\",\"value\":{\"content\":\"aGVsbG8hIQ==\",\"path\":\"a\","
	       "\"encoding\":\"base64\"}}\n"
	       "{\"key\":\"deletedFile\",\"value\":{\"path\":\"b\"}}",
	       "header(m||-)\nopen hello!! close(a)\ndelete(b)\n");
}

static void a_header_may_say_nothing(void **state)
{
	expect("{\"key\":\"header\",\"value\":{}}\n"
	       "{\"key\":\"deletedFile\",\"value\":{\"path\":\"b\"}}",
	       "header(||-)\ndelete(b)\n");
}

static void takes_members_in_any_order(void **state)
{
	static const char calls[] = NOTED "open hello close(a)\n";

	expect(HEADER "{\"key\":\"file\",\"value\":{\"path\":\"a\",\"encoding\":\"base64\","
		      "\"content\":\"aGVsbG8=\"}}",
	       calls);
	expect(HEADER
	       "{\"value\":{\"encoding\":\"base64\",\"content\":\"aGVsbG8=\",\"path\":\"a\"},"
	       "\"key\":\"file\"}",
	       calls);
	expect(HEADER "{\"value\":{\"content\":\"hello\",\"path\":\"a\",\"encoding\":\"utf-8\"},"
		      "\"key\":\"file\"}",
	       calls);
	expect(HEADER
	       "{\"key\":\"file\",\"value\":{\"encoding\":\"utf-8\",\"content\":\"hel\\u006co\","
	       "\"path\":\"a\"}}",
	       calls);
	expect(HEADER "{\"key\":\"file\",\"value\":{\"encoding\":\"base64\",\"path\":\"a\","
		      "\"content\":\"\\u0061GVsb\\u0047\\u0038=\"}}",
	       calls);
}

static void deletes_the_former_name_before_the_new_one_is_put(void **state)
{
	expect(HEADER "{\"key\":\"file\",\"value\":{\"content\":\"x\",\"path\":\"a/b\","
		      "\"encoding\":\"utf-8\",\"oldPath\":\"a\"}}",
	       NOTED "open xdelete(a)\n close(a/b)\n");
	expect(HEADER "{\"key\":\"file\",\"value\":{\"content\":\"x\",\"path\":\"a\","
		      "\"encoding\":\"utf-8\",\"oldPath\":\"a\"}}",
	       NOTED "open x close(a)\n");
}

static void tolerates_blank_lines_and_unknown_members_of_values(void **state)
{
	expect("\n \r\n" HEADER "\n"
	       "{\"key\":\"deletedFile\",\"value\":{\"x\":{\"path\":[\"no\",{\"content\":1}]},"
	       "\"path\":\"a\",\"content\":\"what\",\"y\":null,\"z\":[1,true]}}\r\n\n",
	       NOTED "delete(a)\n");
	expect("{\"key\":\"header\",\"value\":{\"summary\":\"m\",\"description\":null,"
	       "\"parentCommit\":null}}\n{\"key\":\"lfsFile\",\"value\":{\"path\":\"a\",\"oid\":"
	       "\"" OID "\",\"size\":null}}",
	       NOTED "lfs(a|0123|-1)\n");
}

static void wants_a_header_first_and_once(void **state)
{
	expect_error("", ERR_INVALID, "no header");
	expect_error("\n\n", ERR_INVALID, "no header");
	expect_error("{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\"}}\n", ERR_INVALID,
		     "line 1: the first line must be the header");
	expect_error("{\"key\":\"file\",\"value\":{\"encoding\":\"base64\",\"content\":\"aGVs",
		     ERR_INVALID, "the first line must be the header");
	expect_error(HEADER HEADER, ERR_INVALID, "line 2: a second header");
	expect_error(HEADER, ERR_INVALID, "the commit is empty");
}

static void refuses_malformed_lines(void **state)
{
	expect_error(HEADER "{\"key\":\"file\"", ERR_INVALID, "line 2: bad JSON");
	expect_error(HEADER "{\"key\":\"file\",\"value\":{\"path\":\"a\",\"encoding\":\"base64\","
			    "\"content\":\"aGVs",
		     ERR_INVALID, "ends too early");
	expect_error(HEADER "[]\n", ERR_INVALID, "a line must be an object");
	expect_error(HEADER "3\n", ERR_INVALID, "a line must be an object");
	expect_error(HEADER "\"a\"\n", ERR_INVALID, "a line must be an object");
	expect_error(HEADER "{}\n", ERR_INVALID, "is missing");
	expect_error(HEADER "{\"key\":\"deletedFile\"}\n", ERR_INVALID, "is missing");
	expect_error(HEADER "{\"value\":{\"path\":\"a\"}}\n", ERR_INVALID, "is missing");
	expect_error(HEADER "{\"key\":\"copyFile\",\"value\":{}}", ERR_INVALID,
		     "unknown key \"copyFile\"");
	expect_error(HEADER "{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\"},\"why\":1}",
		     ERR_INVALID, "unknown member \"why\"");
	expect_error(HEADER "{\"key\":[],\"value\":{}}", ERR_INVALID, "\"key\" must be a string");
	expect_error(HEADER "{\"key\":\"file\",\"value\":[]}", ERR_INVALID,
		     "\"value\" must be an object");
	expect_error(HEADER "{\"key\":\"file\",\"value\":\"x\"}", ERR_INVALID,
		     "\"value\" must be an object");
}

static void refuses_what_no_value_should_hold(void **state)
{
	expect_error(HEADER "{\"key\":\"deletedFile\",\"value\":{\"path\":7}}", ERR_INVALID,
		     "\"path\" must be a string");
	expect_error(HEADER "{\"key\":\"deletedFile\",\"value\":{\"path\":{}}}", ERR_INVALID,
		     "\"path\" must be a string");
	expect_error(HEADER "{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\\u0000b\"}}",
		     ERR_INVALID, "holds a NUL");
	expect_error(HEADER "{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\",\"path\":\"b\"}}",
		     ERR_INVALID, "\"path\" comes twice");
	expect_error(HEADER "{\"key\":\"deletedFile\",\"key\":\"file\"}", ERR_INVALID,
		     "\"key\" comes twice");
	expect_error(HEADER "{\"key\":\"deletedFolder\",\"value\":{}}", ERR_INVALID,
		     "deletedFolder needs \"path\"");
	expect_error(HEADER "{\"key\":\"lfsFile\",\"value\":{\"path\":\"a\",\"oid\":\"12\"}}",
		     ERR_INVALID, "64 hexadecimal digits");
	expect_error(HEADER "{\"key\":\"lfsFile\",\"value\":{\"path\":\"a\",\"oid\":\"" OID
			    "\",\"size\":-1}}",
		     ERR_INVALID, "size must be");
	expect_error(HEADER "{\"key\":\"lfsFile\",\"value\":{\"path\":\"a\",\"oid\":\"" OID
			    "\",\"size\":\"1\"}}",
		     ERR_INVALID, "\"size\" must be a number");
	expect_error(HEADER "{\"key\":\"lfsFile\",\"value\":{\"path\":\"a\",\"oid\":\"" OID
			    "\",\"algo\":\"md5\"}}",
		     ERR_INVALID, "algo must be sha256");
}

#define FILE_LINE(rest) HEADER "{\"key\":\"file\",\"value\":{\"path\":\"a\"," rest "}}"

static void refuses_bad_content(void **state)
{
	expect_error(FILE_LINE("\"content\":\"aGV\",\"encoding\":\"base64\""), ERR_INVALID,
		     "line 2: content");
	expect_error(FILE_LINE("\"encoding\":\"base64\",\"content\":\"aG Vs\""), ERR_INVALID,
		     "line 2: content");
	expect_error(FILE_LINE("\"content\":\"aGVs\""), ERR_INVALID, "file needs \"encoding\"");
	expect_error(FILE_LINE("\"encoding\":\"base64\""), ERR_INVALID, "file needs \"content\"");
	expect_error(FILE_LINE("\"encoding\":\"base64\",\"content\":null"), ERR_INVALID,
		     "file needs \"content\"");
	expect_error(FILE_LINE("\"encoding\":\"latin-1\",\"content\":\"x\""), ERR_INVALID,
		     "encoding must be");
}

static void passes_errors_of_the_callbacks_on(void **state)
{
	expect_error(HEADER "{\"key\":\"file\",\"value\":{\"content\":\"\",\"path\":\"refused\","
			    "\"encoding\":\"utf-8\"}}",
		     ERR_UNPROCESSED, "line 2: not this one");
}

/* HEADER, then `before`, a content of `count` times `c`, and `after`. */
static char *big_body(const char *before, char c, size_t count, const char *after)
{
	size_t start = strlen(HEADER) + strlen(before);
	char *body = mem_alloc(start + count + strlen(after) + 1);

	memcpy(body, HEADER, strlen(HEADER));
	memcpy(body + strlen(HEADER), before, strlen(before));
	memset(body + start, c, count);
	memcpy(body + start + count, after, strlen(after) + 1);
	return body;
}

enum { BIG = 4 * NDJSON_HELD_MAX };

static int parse_big(const char *before, char c, size_t count, const char *after, struct str *out,
		     struct err *err)
{
	owned(free) char *body = big_body(before, c, count, after);

	return parse(body, strlen(body), 64 << 10, out, err);
}

static void streams_big_content_before_its_path(void **state)
{
	owned(str_done) struct str out = str_new(2 * BIG);
	struct err err = ERR_INIT;

	/* "AAAA" is three NUL bytes. */
	assert_int_equal(parse_big("{\"key\":\"file\",\"value\":{\"content\":\"", 'A', BIG,
				   "\",\"path\":\"p\",\"encoding\":\"base64\"}}", &out, &err),
			 0);
	assert_int_equal(out.length, strlen(NOTED "open ") + BIG / 4 * 3 + strlen(" close(p)\n"));
	assert_string_equal(out.data + out.length - strlen(" close(p)\n"), " close(p)\n");
}

static void streams_big_text_whose_encoding_is_known(void **state)
{
	owned(str_done) struct str out = str_new(2 * BIG);
	struct err err = ERR_INIT;

	assert_int_equal(
		parse_big("{\"key\":\"file\",\"value\":{\"encoding\":\"utf-8\",\"content\":\"", '!',
			  BIG, "\",\"path\":\"p\"}}", &out, &err),
		0);
	assert_int_equal(out.length, strlen(NOTED "open ") + BIG + strlen(" close(p)\n"));
}

static void never_guesses_wrongly(void **state)
{
	owned(str_done) struct str out = str_new(2 * BIG);
	struct err err = ERR_INIT;

	/* This text would pass for base64. */
	assert_int_equal(parse_big("{\"key\":\"file\",\"value\":{\"content\":\"", 'A', BIG,
				   "\",\"path\":\"p\",\"encoding\":\"utf-8\"}}", &out, &err),
			 -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "\"encoding\" must come before"));
	assert_null(strstr(out.data, "close"));
	assert_int_equal(parse_big("{\"value\":{\"content\":\"", 'A', BIG,
				   "\",\"path\":\"p\",\"encoding\":\"base64\"},\"key\":\"file\"}",
				   &out, &err),
			 -1);
	assert_non_null(strstr(err.text, "\"key\" must come before"));
}

static void limits_what_a_line_may_hold(void **state)
{
	owned(str_done) struct str out = str_new(1 << 20);
	struct err err = ERR_INIT;

	assert_int_equal(parse_big("{\"key\":\"deletedFile\",\"value\":{\"path\":\"", 'a',
				   NDJSON_FIELDS_MAX, "\"}}", &out, &err),
			 -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_int_equal(parse_big("{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\",\"x\":\"",
				   'a', NDJSON_FIELDS_MAX, "\"}}", &out, &err),
			 -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_int_equal(parse_big("{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\",\"", 'a',
				   NDJSON_FIELDS_MAX, "\":1}}", &out, &err),
			 -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static int skip_path(void *arg, const char *path, struct err *err)
{
	(*(unsigned *)arg)++;
	return 0;
}

static int skip_header(void *arg, const struct ndjson_header *header, struct err *err)
{
	return 0;
}

static void limits_the_number_of_operations(void **state)
{
	static const char line[] = "{\"key\":\"deletedFile\",\"value\":{\"path\":\"a\"}}\n";
	static const struct ndjson_ops ops = {.header = skip_header, .deleted_file = skip_path};
	unsigned count = 0;
	owned(ndjson_free) struct ndjson *ndjson = ndjson_new(&ops, &count);
	struct err err = ERR_INIT;

	assert_int_equal(ndjson_feed(ndjson, HEADER, strlen(HEADER), &err), 0);
	for (int i = 0; i < NDJSON_OPERATIONS_MAX; i++)
		assert_int_equal(ndjson_feed(ndjson, line, strlen(line), &err), 0);
	assert_int_equal(ndjson_feed(ndjson, line, strlen(line), &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_int_equal(count, NDJSON_OPERATIONS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_python_sends),
		cmocka_unit_test(takes_what_javascript_sends),
		cmocka_unit_test(a_header_may_say_nothing),
		cmocka_unit_test(takes_members_in_any_order),
		cmocka_unit_test(deletes_the_former_name_before_the_new_one_is_put),
		cmocka_unit_test(tolerates_blank_lines_and_unknown_members_of_values),
		cmocka_unit_test(wants_a_header_first_and_once),
		cmocka_unit_test(refuses_malformed_lines),
		cmocka_unit_test(refuses_what_no_value_should_hold),
		cmocka_unit_test(refuses_bad_content),
		cmocka_unit_test(passes_errors_of_the_callbacks_on),
		cmocka_unit_test(streams_big_content_before_its_path),
		cmocka_unit_test(streams_big_text_whose_encoding_is_known),
		cmocka_unit_test(never_guesses_wrongly),
		cmocka_unit_test(limits_what_a_line_may_hold),
		cmocka_unit_test(limits_the_number_of_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
