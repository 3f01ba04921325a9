#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "front/show.h"

enum { ANSWER_MAX = 16 * 1024, PATIENCE_MS = 10000 };

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *body,
				  size_t *body_length, void **context)
{
	if (!*context) {
		*context = arg;
		return MHD_YES;
	}
	return show_page(connection, *(const enum front_page *)arg);
}

static char *read_all(int fd)
{
	char *text = mem_alloc(ANSWER_MAX);
	size_t length = 0;
	ssize_t got;

	do {
		struct pollfd ready = {.fd = fd, .events = POLLIN};

		assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
		got = read(fd, text + length, ANSWER_MAX - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	return text;
}

/* The answer that a page gives to a visitor with this method and Accept. */
static char *shown(enum front_page page, const char *method, const char *accept)
{
	owned(free) char *request =
		mem_format("GET / HTTP/1.1\r\nHost: espace\r\nConnection: close\r\n"
			   "X-Espace-Slug: me-demo\r\nX-Espace-Method: %s\r\n"
			   "Accept: %s\r\n\r\n",
			   method, accept);
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC, 0, NULL,
		NULL, on_request, &page, MHD_OPTION_END);
	struct sockaddr address = {.sa_family = AF_UNIX};
	struct err err = ERR_INIT;
	char *answer;
	int pair[2];

	assert_non_null(daemon);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(MHD_add_connection(daemon, pair[0], &address, sizeof(address)), MHD_YES);
	assert_int_equal(file_put(pair[1], request, strlen(request), &err), 0);
	answer = read_all(pair[1]);
	close(pair[1]);
	MHD_stop_daemon(daemon);
	return answer;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void a_browser_that_opens_a_page_sees_html(void **state)
{
	owned(free) char *answer = shown(FRONT_PAGE_STARTING, "GET", "text/html,*/*;q=0.8");

	assert_has(answer, "HTTP/1.1 503 ");
	assert_has(answer, "Content-Type: text/html; charset=utf-8\r\n");
	assert_has(answer, "Retry-After: 5\r\n");
	assert_has(answer, "Cache-Control: no-store\r\n");
	assert_has(answer, "Content-Security-Policy: default-src 'none'");
	assert_has(answer, "me-demo");
}

static void a_program_gets_json(void **state)
{
	static const char *const others[][2] = {
		{"GET", "application/json"},
		{"POST", "text/html"},
		{"", "text/html"},
		{"GET", ""},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		owned(free) char *answer = shown(FRONT_PAGE_PAUSED, others[i][0], others[i][1]);

		assert_has(answer, "HTTP/1.1 503 ");
		assert_has(answer, "Content-Type: application/json; charset=utf-8\r\n");
		assert_has(answer, "{\"error\":");
		assert_null(strstr(answer, "Retry-After"));
	}
}

static void a_page_that_is_none_is_not_found(void **state)
{
	owned(free) char *answer = shown(FRONT_PAGE_COUNT, "GET", "*/*");

	assert_has(answer, "HTTP/1.1 404 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_browser_that_opens_a_page_sees_html),
		cmocka_unit_test(a_program_gets_json),
		cmocka_unit_test(a_page_that_is_none_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
