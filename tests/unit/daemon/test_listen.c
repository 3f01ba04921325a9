#include "daemon/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void addresses_are_written_as_nginx_does(void **state)
{
	static const struct {
		const char *text;
		const char *written;
		uint16_t port;
	} cases[] = {
		{"127.0.0.1:8080", "127.0.0.1:8080", 8080},
		{"0.0.0.0:1", "0.0.0.0:1", 1},
		{"[::1]:65535", "[::1]:65535", 65535},
		{"[0:0:0:0:0:0:0:1]:80", "[::1]:80", 80},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listen_address address;
		struct err err = ERR_INIT;

		assert_int_equal(listen_parse(cases[i].text, &address, &err), 0);
		assert_string_equal(address.text, cases[i].written);
		assert_int_equal(address.port, cases[i].port);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const cases[] = {
		"",        "8080",         ":8080",   "a:1",    "127.0.0.1:0",  "127.0.0.1:65536",
		"1.2.3:4", "127.0.0.1:8x", "[::1:80", "::1:80", "[1.2.3.4]:80", "127.0.0.1:"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listen_address address;
		struct err err = ERR_INIT;

		assert_int_equal(listen_parse(cases[i], &address, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void a_wildcard_covers_the_gateway(void **state)
{
	struct listen_address all;
	struct listen_address one;
	struct err err = ERR_INIT;

	assert_int_equal(listen_parse("0.0.0.0:8080", &all, &err), 0);
	assert_int_equal(listen_parse("127.0.0.1:8080", &one, &err), 0);
	assert_true(listen_covers_ipv4(&all, 8080));
	assert_false(listen_covers_ipv4(&all, 8081));
	assert_false(listen_covers_ipv4(&one, 8080));
}

static void an_address_in_use_is_named(void **state)
{
	struct listen_address address;
	struct sockaddr_in bound;
	socklen_t length = sizeof(bound);
	struct err err = ERR_INIT;
	int first;
	int second;

	/* port 0 can't be asked for by text: take a free one first */
	listen_ipv4(INADDR_LOOPBACK, 0, &address);
	assert_int_equal(listen_open(&address, &first, &err), 0);
	assert_int_equal(getsockname(first, (struct sockaddr *)&bound, &length), 0);
	listen_ipv4(INADDR_LOOPBACK, ntohs(bound.sin_port), &address);
	assert_int_equal(listen_open(&address, &second, &err), -1);
	assert_non_null(strstr(err.text, address.text));
	assert_non_null(strstr(err.text, "in use"));
	close(first);
}

static void a_socket_is_known_by_its_address(void **state)
{
	struct listen_address address;
	struct listen_address other;
	struct sockaddr_in bound;
	socklen_t length = sizeof(bound);
	struct err err = ERR_INIT;
	int fd;
	int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	listen_ipv4(INADDR_LOOPBACK, 0, &address);
	assert_int_equal(listen_open(&address, &fd, &err), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	listen_ipv4(INADDR_LOOPBACK, ntohs(bound.sin_port), &address);
	listen_ipv4(INADDR_ANY, ntohs(bound.sin_port), &other);
	assert_true(listen_is_at(fd, &address));
	assert_false(listen_is_at(fd, &other));
	assert_false(listen_is_at(mute, &address));
	assert_false(listen_is_at(-1, &address));
	close(mute);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_written_as_nginx_does),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_wildcard_covers_the_gateway),
		cmocka_unit_test(an_address_in_use_is_named),
		cmocka_unit_test(a_socket_is_known_by_its_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
