#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/http.h"
#include "wire.h"

static struct wire_address address;
static struct http_server *server;
static atomic_int releases;
static char lent[] = "lent bytes";

static int answer_nothing(struct http_request *request, struct http_answer *answer, struct err *err)
{
	return 0;
}

static int answer_taken(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_status(answer, 201);
	http_body_take(answer, NULL, mem_text("{\"a\": 1}"), 8);
	return 0;
}

static void release(void *owner)
{
	assert_ptr_equal(owner, lent);
	atomic_fetch_add(&releases, 1);
}

static int answer_lent(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_body_lend(answer, "text/plain", lent, strlen(lent), release, lent);
	return 0;
}

/* A byte more each time, up to the length that was promised or to `owner`'s end. */
static ssize_t read_more(void *owner, char *room, size_t max)
{
	static atomic_int calls;
	size_t count = (size_t)(atomic_fetch_add(&calls, 1) % 7) + 1;

	if (owner != lent)
		return -1;
	if (count > max)
		count = max;
	memset(room, 'p', count);
	return (ssize_t)count;
}

static int answer_pulled(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_body_pull(answer, "text/plain", 100000, read_more, release, lent);
	return 0;
}

static int answer_damaged(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_body_pull(answer, "text/plain", 100000, read_more, NULL, NULL);
	return 0;
}

static int answer_file(struct http_request *request, struct http_answer *answer, struct err *err)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, "0123456789", 10, 0), 10);
	http_body_file(answer, "application/octet-stream", fd, 2, 5);
	return 0;
}

static int answer_empty_file(struct http_request *request, struct http_answer *answer,
			     struct err *err)
{
	http_body_file(answer, "application/octet-stream", memfd_create("file", MFD_CLOEXEC), 0, 0);
	return 0;
}

static int answer_length(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_body_length(answer, "application/octet-stream", 5368709120);
	return 0;
}

static int answer_headers(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_status(answer, 307);
	http_add_headerf(answer, "Location", "/%s/%d", "a", 1);
	http_add_header(answer, "X-Split",
			"a\r\nSet-Cookie: b=c\t\x01"
			"d");
	http_add_header(answer, "X-Empty", "");
	http_add_header(answer, "X-HF-Warning", "one; 1");
	http_add_header(answer, "X-HF-Warning", "two; 2");
	return 0;
}

static int answer_error(struct http_request *request, struct http_answer *answer, struct err *err)
{
	http_add_header(answer, "X-Repo-Commit", "abc");
	http_body_lend(answer, "text/plain", lent, strlen(lent), release, lent);
	return err_set(err, ERR_NO_ENTRY, "no such file");
}

static void say_error(const struct http_request *request, const struct err *err,
		      struct http_answer *answer)
{
	http_status(answer, 404);
	http_add_header(answer, "X-Error-Code", err_kind_name(err->kind));
	http_body_take(answer, NULL, mem_text("{}"), 2);
}

static void finish(const struct http_request *request, struct http_answer *answer)
{
	http_cors(request, answer);
	http_add_header(answer, "X-Finished", "yes");
}

static const struct http_route routes[] = {
	{.method = HTTP_GET, .pattern = "/nothing", .handle = answer_nothing},
	{.method = HTTP_GET, .pattern = "/taken", .handle = answer_taken},
	{.method = HTTP_GET, .pattern = "/lent", .handle = answer_lent},
	{.method = HTTP_GET, .pattern = "/pulled", .handle = answer_pulled},
	{.method = HTTP_GET, .pattern = "/damaged", .handle = answer_damaged},
	{.method = HTTP_GET, .pattern = "/file", .handle = answer_file},
	{.method = HTTP_GET, .pattern = "/empty-file", .handle = answer_empty_file},
	{.method = HTTP_GET, .pattern = "/length", .handle = answer_length},
	{.method = HTTP_GET, .pattern = "/headers", .handle = answer_headers},
	{.method = HTTP_GET, .pattern = "/error", .handle = answer_error},
};

static int start(void **state)
{
	struct http_config config = {
		.listen_fd = wire_listen(&address),
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.fail = say_error,
		.finish = finish,
	};
	struct err err = ERR_INIT;

	return http_server_start(&config, &server, &err);
}

static int stop(void **state)
{
	http_server_stop(server, 1000);
	return 0;
}

static char *ask(const char *method, const char *path, const char *headers)
{
	owned(free) char *text =
		mem_format("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
			   method, path, headers);

	return wire_ask(&address, text);
}

static void assert_header(const char *answer, const char *name, const char *expected)
{
	owned(free) char *value = wire_header(answer, name);

	if (!value)
		fail_msg("no %s in: %s", name, answer);
	assert_string_equal(value, expected);
}

static void assert_status(const char *answer, const char *status)
{
	assert_memory_equal(answer, "HTTP/1.1 ", 9);
	assert_memory_equal(answer + 9, status, strlen(status));
}

static void assert_no_header(const char *answer, const char *name)
{
	owned(free) char *value = wire_header(answer, name);

	assert_null(value);
}

static void says_200_without_a_body_unless_told(void **state)
{
	owned(free) char *answer = ask("GET", "/nothing", "");

	assert_status(answer, "200");
	assert_header(answer, "Content-Length", "0");
	assert_string_equal(wire_body(answer), "");
}

static void has_the_headers_that_all_have(void **state)
{
	owned(free) char *answer = ask("GET", "/taken", "X-Amzn-Trace-Id: 1234-abc\r\n");
	owned(free) char *date = wire_header(answer, "Date");
	owned(free) char *id = wire_header(answer, "X-Request-Id");

	assert_status(answer, "201");
	assert_header(answer, "Content-Type", "application/json; charset=utf-8");
	assert_header(answer, "Content-Length", "8");
	assert_header(answer, "X-Finished", "yes");
	assert_string_equal(wire_body(answer), "{\"a\": 1}");
	assert_non_null(date);
	assert_memory_equal(id, "Root=1-", 7);
	assert_string_equal(strchr(id, ';'), ";1234-abc");
}

static void lends_bytes_until_they_are_sent(void **state)
{
	int before = atomic_load(&releases);
	owned(free) char *answer = ask("GET", "/lent", "");

	assert_string_equal(wire_body(answer), lent);
	assert_header(answer, "Content-Type", "text/plain");
	while (atomic_load(&releases) ==
	       before) /* the other thread releases behind the last byte */
		;
	assert_int_equal(atomic_load(&releases), before + 1);
}

static void pulls_what_it_sends(void **state)
{
	int before = atomic_load(&releases);
	owned(free) char *answer = ask("GET", "/pulled", "");
	const char *body = wire_body(answer);

	assert_header(answer, "Content-Length", "100000");
	assert_int_equal(strlen(body), 100000);
	assert_int_equal(strspn(body, "p"), 100000);
	while (atomic_load(&releases) == before) /* as above */
		;
	assert_int_equal(atomic_load(&releases), before + 1);
}

static void cuts_what_can_not_be_read_to_its_end(void **state)
{
	owned(free) char *answer = ask("GET", "/damaged", "");

	assert_header(answer, "Content-Length", "100000");
	assert_string_equal(wire_body(answer), "");
}

static void sends_a_part_of_a_file(void **state)
{
	owned(free) char *answer = ask("GET", "/file", "");
	owned(free) char *empty = ask("GET", "/empty-file", "");

	assert_header(answer, "Content-Length", "5");
	assert_string_equal(wire_body(answer), "23456");
	assert_header(empty, "Content-Length", "0");
}

static void head_has_the_headers_of_get_and_no_body(void **state)
{
	owned(free) char *file = ask("HEAD", "/file", "");
	owned(free) char *taken = ask("HEAD", "/taken", "");
	owned(free) char *length = ask("HEAD", "/length", "");

	assert_header(file, "Content-Length", "5");
	assert_string_equal(wire_body(file), "");
	assert_header(taken, "Content-Length", "8");
	assert_header(taken, "Content-Type", "application/json; charset=utf-8");
	assert_string_equal(wire_body(taken), "");
	assert_header(length, "Content-Length", "5368709120");
	assert_string_equal(wire_body(length), "");
}

static void a_length_without_bytes_is_cut(void **state)
{
	owned(free) char *answer = ask("GET", "/length", "");

	assert_string_equal(wire_body(answer), "");
}

static void header_values_can_start_no_new_header(void **state)
{
	owned(free) char *answer = ask("GET", "/headers", "");

	assert_status(answer, "307");
	assert_header(answer, "Location", "/a/1");
	assert_header(answer, "X-Split", "a  Set-Cookie: b=c  d");
	assert_no_header(answer, "Set-Cookie");
	assert_no_header(answer, "X-Empty");
	assert_header(answer, "X-HF-Warning", "one; 1");
	assert_non_null(strstr(answer, "X-HF-Warning: two; 2\r\n"));
}

static void errors_keep_headers_and_drop_the_body(void **state)
{
	int before = atomic_load(&releases);
	owned(free) char *answer = ask("GET", "/error", "");

	assert_status(answer, "404");
	assert_header(answer, "X-Repo-Commit", "abc");
	assert_header(answer, "X-Error-Code", "no-entry");
	assert_header(answer, "Content-Type", "application/json; charset=utf-8");
	assert_header(answer, "X-Finished", "yes");
	assert_string_equal(wire_body(answer), "{}");
	assert_int_equal(atomic_load(&releases), before + 1);
}

static void pages_elsewhere_may_read_answers(void **state)
{
	owned(free) char *answer = ask("GET", "/nothing", "Origin: http://a.example\r\n");
	owned(free) char *exposed = wire_header(answer, "Access-Control-Expose-Headers");

	assert_header(answer, "Access-Control-Allow-Origin", "http://a.example");
	assert_header(answer, "Vary", "Origin");
	assert_non_null(strstr(exposed, "X-Repo-Commit"));
	assert_no_header(answer, "Access-Control-Allow-Methods");
	assert_no_header(answer, "Access-Control-Allow-Credentials");
}

/* They come back in the answer, whose headers have a limit at nginx. */
static void what_is_told_back_is_short(void **state)
{
	owned(free) char *headers = mem_format(
		"Origin: http://%01100d\r\nAccess-Control-Request-Headers: %01100d\r\n", 0, 0);
	owned(free) char *answer = ask("OPTIONS", "/any/path", headers);

	assert_header(answer, "Access-Control-Allow-Origin", "*");
	assert_header(answer, "Access-Control-Allow-Headers", "Authorization, Content-Type, Range");
}

static void options_is_answered_everywhere(void **state)
{
	owned(free) char *answer = ask(
		"OPTIONS", "/any/path",
		"Origin: http://a.example\r\nAccess-Control-Request-Headers: authorization\r\n");
	char *first = strstr(answer, "Access-Control-Allow-Origin");

	assert_status(answer, "204");
	assert_header(answer, "Access-Control-Allow-Headers", "authorization");
	assert_non_null(strstr(answer, "DELETE"));
	assert_null(strstr(first + 1, "Access-Control-Allow-Origin"));
	assert_string_equal(wire_body(answer), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_200_without_a_body_unless_told),
		cmocka_unit_test(has_the_headers_that_all_have),
		cmocka_unit_test(lends_bytes_until_they_are_sent),
		cmocka_unit_test(pulls_what_it_sends),
		cmocka_unit_test(cuts_what_can_not_be_read_to_its_end),
		cmocka_unit_test(sends_a_part_of_a_file),
		cmocka_unit_test(head_has_the_headers_of_get_and_no_body),
		cmocka_unit_test(a_length_without_bytes_is_cut),
		cmocka_unit_test(header_values_can_start_no_new_header),
		cmocka_unit_test(errors_keep_headers_and_drop_the_body),
		cmocka_unit_test(pages_elsewhere_may_read_answers),
		cmocka_unit_test(options_is_answered_everywhere),
		cmocka_unit_test(what_is_told_back_is_short),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
