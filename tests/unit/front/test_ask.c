#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "front/ask.h"

enum { ANSWER_MAX = 16 * 1024, KEPT_MAX = 64, PATIENCE_MS = 10000 };

/* What the hub does with a question in a test. */
struct hub {
	sem_t asked; /* raised for each question that is kept */
	struct ask *kept[KEPT_MAX];
	_Atomic size_t kept_count;
	_Atomic bool at_once;
	enum front_page page; /* at once: this page, or the address if FRONT_PAGE_COUNT */
};

struct fixture {
	char *dir;
	char *path;
	struct ask_server *server;
	unsigned connection_max;
	struct hub hub;
};

static void who(void *arg, struct ask *ask)
{
	struct hub *hub = arg;

	if (!hub->at_once) {
		hub->kept[atomic_fetch_add(&hub->kept_count, 1)] = ask;
		sem_post(&hub->asked);
	} else if (hub->page == FRONT_PAGE_COUNT) {
		ask_answer_address(ask, 0x0ad50002, 7860);
	} else {
		ask_answer_page(ask, hub->page);
	}
}

static struct sockaddr_un address_of(const struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, fixture->path, strlen(fixture->path) + 1);
	return address;
}

static void start(struct fixture *fixture, unsigned hold_ms, unsigned browser_hold_ms)
{
	struct sockaddr_un address = address_of(fixture);
	struct ask_config config = {.who = who,
				    .arg = &fixture->hub,
				    .hold_ms = hold_ms,
				    .browser_hold_ms = browser_hold_ms,
				    .connection_max = fixture->connection_max};
	struct err err = ERR_INIT;

	config.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(config.listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(config.listen_fd, 128), 0);
	assert_int_equal(ask_server_start(&config, &fixture->server, &err), 0);
}

static int setup(void **state)
{
	struct fixture *fixture = mem_new(struct fixture);

	fixture->dir = mem_text("/tmp/test-ask-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->path = mem_format("%s/ask.sock", fixture->dir);
	sem_init(&fixture->hub.asked, 0, 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	ask_server_stop(fixture->server);
	sem_destroy(&fixture->hub.asked);
	assert_int_equal(file_remove_tree(AT_FDCWD, fixture->dir, &err), 0);
	free(fixture->path);
	free(fixture->dir);
	free(fixture);
	return 0;
}

static int dial(const struct fixture *fixture)
{
	struct sockaddr_un address = address_of(fixture);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int ask_as(const struct fixture *fixture, const char *path, const char *method,
		  const char *accept)
{
	owned(free) char *request =
		mem_format("GET %s HTTP/1.1\r\nHost: espace\r\nConnection: close\r\n"
			   "X-Espace-Slug: me-demo\r\nX-Espace-Uri: /x?y=1\r\n"
			   "X-Espace-Token: hf_own\r\nX-Espace-Question: may\r\n"
			   "X-Espace-Method: %s\r\nAccept: %s\r\n\r\n",
			   path, method, accept);
	struct err err = ERR_INIT;
	int fd = dial(fixture);

	assert_int_equal(file_put(fd, request, strlen(request), &err), 0);
	return fd;
}

/* The whole answer; the connection is closed. */
static char *answer_of(int fd)
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
	close(fd);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void an_address_is_200_with_one_header(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;

	fixture->hub.at_once = true;
	fixture->hub.page = FRONT_PAGE_COUNT;
	start(fixture, 1000, 0);
	answer = answer_of(ask_as(fixture, "/ask", "POST", "*/*"));
	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "X-Espace-To: 10.213.0.2:7860\r\n");
	assert_null(strstr(answer, "X-Espace-Page"));
}

static void a_page_is_named(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;

	fixture->hub.at_once = true;
	fixture->hub.page = FRONT_PAGE_PAUSED;
	start(fixture, 1000, 0);
	answer = answer_of(ask_as(fixture, "/ask", "GET", "text/html"));
	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "X-Espace-Page: paused\r\n");
}

static void tells_who_asks_for_what(void **state)
{
	struct fixture *fixture = *state;
	struct ask *ask;
	int fd;

	start(fixture, PATIENCE_MS, PATIENCE_MS);
	fd = ask_as(fixture, "/ask", "GET", "text/html,*/*;q=0.8");
	sem_wait(&fixture->hub.asked);
	ask = fixture->hub.kept[0];
	assert_string_equal(ask_visitor(ask)->slug, "me-demo");
	assert_string_equal(ask_visitor(ask)->uri, "/x?y=1");
	assert_string_equal(ask_visitor(ask)->token, "hf_own");
	assert_string_equal(ask_visitor(ask)->hub_token, "");
	assert_true(ask_visitor(ask)->wants_page);
	assert_true(ask_visitor(ask)->only_may);
	ask_answer_page(ask, FRONT_PAGE_NOT_FOUND);
	free(answer_of(fd));
}

static void who_may_enter_gets_in_without_the_token(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;
	int fd;

	start(fixture, PATIENCE_MS, PATIENCE_MS);
	fd = ask_as(fixture, "/ask", "POST", "*/*");
	sem_wait(&fixture->hub.asked);
	ask_drop_authorization(fixture->hub.kept[0]);
	ask_answer_enter(fixture->hub.kept[0]);
	answer = answer_of(fd);
	assert_has(answer, "HTTP/1.1 200 ");
	assert_has(answer, "X-Espace-Enter: yes\r\n");
	assert_has(answer, "X-Espace-Drop: authorization\r\n");
	assert_null(strstr(answer, "hf_own"));
}

static void who_comes_by_a_link_gets_a_cookie(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;
	int fd;

	start(fixture, PATIENCE_MS, PATIENCE_MS);
	fd = ask_as(fixture, "/ask", "GET", "*/*");
	sem_wait(&fixture->hub.asked);
	ask_answer_grant(fixture->hub.kept[0], "value");
	answer = answer_of(fd);
	assert_has(answer, "X-Espace-Page: enter\r\n");
	assert_has(answer, "X-Espace-Grant: value\r\n");
}

static void held_ones_all_get_the_answer(void **state)
{
	struct fixture *fixture = *state;
	int fds[KEPT_MAX];

	start(fixture, PATIENCE_MS, 0);
	for (size_t i = 0; i < KEPT_MAX; i++)
		fds[i] = ask_as(fixture, "/ask", "POST", "application/json");
	for (size_t i = 0; i < KEPT_MAX; i++)
		sem_wait(&fixture->hub.asked);
	for (size_t i = 0; i < KEPT_MAX; i++)
		ask_answer_address(fixture->hub.kept[i], 0x0ad50003, 80);
	for (size_t i = 0; i < KEPT_MAX; i++) {
		owned(free) char *answer = answer_of(fds[i]);

		assert_has(answer, "X-Espace-To: 10.213.0.3:80\r\n");
	}
}

static void a_browser_gets_the_page_at_once(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;

	start(fixture, PATIENCE_MS, 0);
	answer = answer_of(ask_as(fixture, "/ask", "GET", "text/html"));
	assert_has(answer, "X-Espace-Page: starting\r\n");
	/* The Space is up at last: nobody waits any more, and that is no error. */
	sem_wait(&fixture->hub.asked);
	ask_answer_address(fixture->hub.kept[0], 1, 1);
}

static void who_waits_too_long_gets_the_page(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;
	int64_t start_ms = clock_mono_ms();

	start(fixture, 200, 0);
	answer = answer_of(ask_as(fixture, "/ask", "POST", "*/*"));
	assert_has(answer, "X-Espace-Page: starting\r\n");
	assert_in_range(clock_mono_ms() - start_ms, 200, PATIENCE_MS);
	ask_answer_page(fixture->hub.kept[0], FRONT_PAGE_ERROR);
}

static void stopping_answers_what_is_held(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;
	int fd;

	start(fixture, PATIENCE_MS, 0);
	fd = ask_as(fixture, "/ask", "POST", "*/*");
	sem_wait(&fixture->hub.asked);
	ask_server_stop(take(fixture->server));
	answer = answer_of(fd);
	assert_has(answer, "X-Espace-Page: unavailable\r\n");
	/* The hub's own list is emptied later. */
	ask_answer_page(fixture->hub.kept[0], FRONT_PAGE_UNAVAILABLE);
}

static void a_visitor_who_leaves_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;
	int fd;

	/* There is room for one: the second gets in only when the first is known to be gone. */
	fixture->connection_max = 1;
	start(fixture, 10 * PATIENCE_MS, 0);
	fd = ask_as(fixture, "/ask", "POST", "*/*");
	sem_wait(&fixture->hub.asked);
	close(fd);
	fixture->hub.page = FRONT_PAGE_PAUSED;
	fixture->hub.at_once = true;
	answer = answer_of(ask_as(fixture, "/ask", "POST", "*/*"));
	assert_has(answer, "X-Espace-Page: paused\r\n");
	ask_answer_address(fixture->hub.kept[0], 1, 1);
}

static void pages_are_html_for_browsers_and_json_for_programs(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *html = NULL, *json = NULL, *missing = NULL;

	start(fixture, 1000, 0);
	html = answer_of(ask_as(fixture, "/page/starting", "GET", "text/html"));
	assert_has(html, "HTTP/1.1 503 ");
	assert_has(html, "Content-Type: text/html; charset=utf-8\r\n");
	assert_has(html, "Retry-After: 5\r\n");
	assert_has(html, "me-demo");
	json = answer_of(ask_as(fixture, "/page/not-found", "POST", "text/html"));
	assert_has(json, "HTTP/1.1 404 ");
	assert_has(json, "Content-Type: application/json; charset=utf-8\r\n");
	assert_has(json, "{\"error\":");
	missing = answer_of(ask_as(fixture, "/page/no-such", "GET", "*/*"));
	assert_has(missing, "HTTP/1.1 404 ");
}

static void anything_else_is_not_found(void **state)
{
	struct fixture *fixture = *state;
	owned(free) char *answer = NULL;

	start(fixture, 1000, 0);
	answer = answer_of(ask_as(fixture, "/", "GET", "*/*"));
	assert_has(answer, "HTTP/1.1 404 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_200_with_one_header),
		TEST(a_page_is_named),
		TEST(tells_who_asks_for_what),
		TEST(who_may_enter_gets_in_without_the_token),
		TEST(who_comes_by_a_link_gets_a_cookie),
		TEST(held_ones_all_get_the_answer),
		TEST(a_browser_gets_the_page_at_once),
		TEST(who_waits_too_long_gets_the_page),
		TEST(stopping_answers_what_is_held),
		TEST(a_visitor_who_leaves_is_forgotten),
		TEST(pages_are_html_for_browsers_and_json_for_programs),
		TEST(anything_else_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
