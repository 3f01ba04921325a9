#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/http.h"
#include "wire.h"

/*
 * A handler says what it sees of the request, one `name=value` a line, and the client compares.
 */
static struct wire_address address;
static struct http_server *server;

static void say(struct str *out, const char *name, const char *value)
{
	str_addf(out, "%s=%s\n", name, value ? value : "(none)");
}

static int report(struct http_request *request, struct http_answer *answer, struct err *err)
{
	struct str out = str_new(65536);
	const char *values[4];
	bool flag = false;
	int64_t number = -1;
	size_t count;

	if (http_query_bool(request, "flag", &flag, err) < 0 ||
	    http_query_int(request, "number", &number, err) < 0)
		return -1;
	say(&out, "path", http_path(request));
	say(&out, "rev", http_param(request, "rev"));
	say(&out, "none", http_param(request, "none"));
	say(&out, "origin", http_origin(request));
	say(&out, "host", http_host(request));
	say(&out, "agent", http_header(request, "user-agent"));
	say(&out, "data", http_route_data(request));
	say(&out, "q", http_query(request, "q"));
	say(&out, "flag", flag ? "yes" : "no");
	str_addf(&out, "number=%lld\n", (long long)number);
	count = http_query_all(request, "expand", values, 4);
	for (size_t i = 0; i < count; i++)
		say(&out, "expand", values[i]);
	count = http_form_all(request, "paths", values, 4);
	for (size_t i = 0; i < count; i++)
		say(&out, "paths", values[i]);
	str_addf(&out, "body=%zu:%s\n", http_body(request)->length, http_body(request)->data);
	http_body_take(answer, "text/plain", out.data, out.length);
	return 0;
}

static void say_error(const struct http_request *request, const struct err *err,
		      struct http_answer *answer)
{
	http_status(answer, err->kind == ERR_NO_ROUTE ? 404 : 400);
	http_body_take(answer, NULL, mem_format("%s: %s", err_kind_name(err->kind), err->text),
		       strlen(err_kind_name(err->kind)) + 2 + strlen(err->text));
}

static const struct http_route routes[] = {
	{.method = HTTP_GET, .pattern = "/at/{rev}", .handle = report, .data = "row"},
	{.method = HTTP_POST, .pattern = "/at/{rev}", .body_max = 1000, .handle = report},
	{.method = HTTP_DELETE, .pattern = "/at/{rev}", .body_max = 1000, .handle = report},
};

static int start(void **state)
{
	struct http_config config = {
		.listen_fd = wire_listen(&address),
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.fail = say_error,
	};
	struct err err = ERR_INIT;

	return http_server_start(&config, &server, &err);
}

static int stop(void **state)
{
	http_server_stop(server, 1000);
	return 0;
}

static char *ask(const char *line, const char *headers, const char *body)
{
	owned(free) char *text =
		mem_format("%s HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n%s\r\n%s",
			   line, headers, body);

	return wire_ask(&address, text);
}

static void assert_says(const char *answer, const char *line)
{
	owned(free) char *needle = mem_format("\n%s\n", line);

	if (!strstr(answer, needle))
		fail_msg("no \"%s\" in: %s", line, answer);
}

static void tells_what_the_client_said(void **state)
{
	owned(free) char *answer =
		ask("GET /at/refs%2Fpr%2F1?q=a+b%26&flag=True&number=-7&expand=x&expand[]=y",
		    "User-Agent: test/1\r\n", "");

	assert_says(answer, "path=/at/refs%2Fpr%2F1");
	assert_says(answer, "rev=refs/pr/1");
	assert_says(answer, "none=(none)");
	assert_says(answer, "origin=http://localhost:8080");
	assert_says(answer, "host=localhost:8080");
	assert_says(answer, "agent=test/1");
	assert_says(answer, "data=row");
	assert_says(answer, "q=a b&");
	assert_says(answer, "flag=yes");
	assert_says(answer, "number=-7");
	assert_says(answer, "expand=x");
	assert_says(answer, "expand=y");
	assert_says(answer, "body=0:");
}

static void booleans_come_in_every_spelling(void **state)
{
	static const char *const yes[] = {"true", "True", "TRUE", "1"};
	static const char *const no[] = {"false", "False", "0", ""};

	for (int i = 0; i < 4; i++) {
		owned(free) char *line_yes = mem_format("GET /at/x?flag=%s", yes[i]);
		owned(free) char *line_no = mem_format("GET /at/x?flag=%s", no[i]);
		owned(free) char *answer_yes = ask(line_yes, "", "");
		owned(free) char *answer_no = ask(line_no, "", "");

		assert_says(answer_yes, "flag=yes");
		assert_says(answer_no, "flag=no");
	}
}

static void assert_refused(const char *line, const char *headers, const char *text)
{
	owned(free) char *answer = ask(line, headers, "");

	if (!strstr(answer, text))
		fail_msg("no \"%s\" in: %s", text, answer);
}

static void refuses_what_is_malformed(void **state)
{
	assert_refused("GET /at/x?flag=maybe", "", "invalid: flag must be true or false");
	assert_refused("GET /at/x?number=1x", "", "invalid: number must be a whole number");
	assert_refused("GET /at/x?number=99999999999999999999", "", "invalid: number must be");
	assert_refused("GET /at/x?q=%zz", "", "invalid: a field of the query");
	assert_refused("GET /at/%ff", "", "invalid: the address is not properly encoded");
}

static void refuses_a_host_that_is_none(void **state)
{
	owned(free) char *answer =
		wire_ask(&address, "GET /at/x HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n");

	assert_non_null(strstr(answer, "invalid: the host header is malformed"));
}

static void knows_the_scheme_in_front_of_nginx(void **state)
{
	owned(free) char *secure = ask("GET /at/x", "X-Forwarded-Proto: https\r\n", "");
	owned(free) char *strange = ask("GET /at/x", "X-Forwarded-Proto: gopher\r\n", "");

	assert_says(secure, "origin=https://localhost:8080");
	assert_says(strange, "origin=http://localhost:8080");
}

static void collects_bodies(void **state)
{
	owned(free) char *posted = ask("POST /at/x", "Content-Length: 5\r\n", "hello");
	owned(free) char *chunked = ask("POST /at/x", "Transfer-Encoding: chunked\r\n",
					"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
	owned(free) char *deleted = ask("DELETE /at/x", "Content-Length: 2\r\n", "{}");
	owned(free) char *empty = ask("POST /at/x", "Content-Length: 0\r\n", "");

	assert_says(posted, "body=5:hello");
	assert_says(chunked, "body=5:hello");
	assert_says(deleted, "body=2:{}");
	assert_says(empty, "body=0:");
}

static void reads_forms(void **state)
{
	static const char body[] = "paths=a%2Fb&paths%5B%5D=c+d&expand=1";
	owned(free) char *headers = mem_format(
		"Content-Length: %zu\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		sizeof(body) - 1);
	owned(free) char *answer = ask("POST /at/x", headers, body);
	owned(free) char *other = ask("POST /at/x", "Content-Length: 7\r\n", "paths=a");
	owned(free) char *broken =
		ask("POST /at/x",
		    "Content-Length: 8\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		    "paths=%z");

	assert_says(answer, "paths=a/b");
	assert_says(answer, "paths=c d");
	assert_null(strstr(other, "\npaths="));
	assert_non_null(strstr(broken, "invalid: a field of the query"));
}

static void long_addresses_are_taken_up_to_the_limit(void **state)
{
	const int most = HTTP_TARGET_MAX - (int)strlen("/at/xq=");
	owned(free) char *fits = mem_format("GET /at/x?q=%0*d", most, 0);
	owned(free) char *too_long = mem_format("GET /at/x?q=%0*d", most + 1, 0);
	owned(free) char *answer = ask(fits, "", "");

	assert_non_null(strstr(answer, "200 OK"));
	assert_refused(too_long, "", "too-large: the address is longer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_the_client_said),
		cmocka_unit_test(booleans_come_in_every_spelling),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(refuses_a_host_that_is_none),
		cmocka_unit_test(knows_the_scheme_in_front_of_nginx),
		cmocka_unit_test(collects_bodies),
		cmocka_unit_test(reads_forms),
		cmocka_unit_test(long_addresses_are_taken_up_to_the_limit),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
