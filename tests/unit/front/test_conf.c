#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "front/conf.h"

enum { TEXT_MAX = 128 * 1024 };

struct fixture {
	char *dir;
	struct front_conf conf;
};

static const char *const listen_both[] = {"127.0.0.1:18080", "[::1]:18080"};

static int setup(void **state)
{
	struct fixture *fixture = mem_new(struct fixture);

	fixture->dir = mem_text("/tmp/test-front-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->conf = (struct front_conf){
		.data = fixture->dir,
		.listen = listen_both,
		.listen_count = 1,
		.gateway = "127.0.0.2:18080",
		.domain = "localhost",
		.module = FRONT_MODULE,
		.user = "root",
		.group = "root",
		.workers = 2,
		.connections = 100,
		.body_max = 12345678,
		.commit_max = 87654321,
	};
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct err err = ERR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, fixture->dir, &err), 0);
	free(fixture->dir);
	free(fixture);
	return 0;
}

static struct str written(struct fixture *fixture)
{
	owned(free) char *path = mem_format("%s/run/nginx.conf", fixture->dir);
	struct str text = str_new(TEXT_MAX);
	struct err err = ERR_INIT;

	assert_int_equal(front_conf_write(&fixture->conf, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &text, &err), 0);
	return text;
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (text = strstr(text, part); text; text = strstr(text + 1, part))
		count++;
	return count;
}

static void fills_in_all_of_the_template(void **state)
{
	struct fixture *fixture = *state;
	owned(str_done) struct str text = written(fixture);
	owned(free) char *routes = mem_format("espace_routes \"%s/run/routes\";", fixture->dir);

	assert_null(strstr(text.data, "@DATA@"));
	for (const char *at = strchr(text.data, '@'); at; at = strchr(at + 1, '@'))
		assert_false(at[1] >= 'A' && at[1] <= 'Z'); /* the rest is nginx's own */
	assert_non_null(strstr(text.data, "worker_processes 2;"));
	assert_non_null(strstr(text.data, "worker_connections 200;"));
	assert_non_null(strstr(text.data, "client_max_body_size 12345678;"));
	assert_non_null(strstr(text.data, "client_max_body_size 87654321;"));
	assert_non_null(strstr(text.data, "espace_domain localhost hub.espace;"));
	assert_non_null(strstr(text.data, "server_name *.localhost *.hub.espace;"));
	assert_non_null(strstr(text.data, routes));
}

static void both_servers_listen_everywhere_and_the_hub_is_the_default(void **state)
{
	struct fixture *fixture = *state;
	owned(str_done) struct str text = {0};

	fixture->conf.listen_count = 2;
	text = written(fixture);
	assert_int_equal(count_of(text.data, "listen 127.0.0.1:18080"), 2);
	assert_int_equal(count_of(text.data, "listen [::1]:18080"), 2);
	assert_int_equal(count_of(text.data, "listen 127.0.0.2:18080"), 2);
	assert_int_equal(count_of(text.data, " default_server "), 3);
}

static void the_inner_domain_may_be_the_only_one(void **state)
{
	struct fixture *fixture = *state;
	owned(str_done) struct str text = {0};

	fixture->conf.domain = "hub.espace";
	text = written(fixture);
	assert_non_null(strstr(text.data, "server_name *.hub.espace;"));
	assert_non_null(strstr(text.data, "espace_domain hub.espace;"));
}

static void every_way_to_an_app_and_to_the_hub_drops_our_own_headers(void **state)
{
	struct fixture *fixture = *state;
	owned(str_done) struct str text = written(fixture);

	assert_int_equal(count_of(text.data, "proxy_set_header X-Espace-User \"\";"), 2);
	assert_int_equal(count_of(text.data, "proxy_set_header X-Espace-Page \"\";"), 2);
	assert_int_equal(count_of(text.data, "proxy_set_header X-Espace-Slug \"\";"), 2);
	assert_int_equal(count_of(text.data, "proxy_set_header X-HF-Authorization \"\";"), 1);
}

static void refuses_what_cannot_stand_in_a_configuration(void **state)
{
	struct fixture *fixture = *state;
	struct front_conf good = fixture->conf, bad;
	const char *bad_listen[] = {"127.0.0.1:80; include /etc/passwd"};
	struct err err = ERR_INIT;
	const struct {
		const char *data, *domain, *user, *gateway;
	} cases[] = {
		{"/tmp/a\"b", NULL, NULL, NULL}, {"/tmp/$a", NULL, NULL, NULL},
		{"relative", NULL, NULL, NULL},  {"/tmp/a\nb", NULL, NULL, NULL},
		{NULL, "a b", NULL, NULL},       {NULL, "", NULL, NULL},
		{NULL, NULL, "x;", NULL},        {NULL, NULL, NULL, "1 2"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bad = good;
		bad.data = cases[i].data ? cases[i].data : bad.data;
		bad.domain = cases[i].domain ? cases[i].domain : bad.domain;
		bad.user = cases[i].user ? cases[i].user : bad.user;
		bad.gateway = cases[i].gateway ? cases[i].gateway : bad.gateway;
		assert_int_equal(front_conf_write(&bad, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	bad = good;
	bad.listen = bad_listen;
	assert_int_equal(front_conf_write(&bad, &err), -1);
	bad = good;
	bad.workers = FRONT_WORKERS_MAX + 1;
	assert_int_equal(front_conf_write(&bad, &err), -1);
	bad = good;
	bad.body_max = 0;
	assert_int_equal(front_conf_write(&bad, &err), -1);
	bad = good;
	bad.commit_max = 0;
	assert_int_equal(front_conf_write(&bad, &err), -1);
}

static void nginx_takes_the_configuration_and_the_module(void **state)
{
	struct fixture *fixture = *state;
	owned(str_done) struct str output = str_new(TEXT_MAX);
	owned(str_done) struct str text = written(fixture);
	owned(free) char *conf = mem_format("%s/run/nginx.conf", fixture->dir);
	owned(free) char *prefix = mem_format("%s/run/nginx/", fixture->dir);
	struct err err = ERR_INIT;
	const char *const argv[] = {
		"/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", conf, "-p", prefix, NULL};

	if (proc_run(argv, NULL, &output, &err) < 0)
		fail_msg("%s\n%s", err.text, output.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fills_in_all_of_the_template, setup, teardown),
		cmocka_unit_test_setup_teardown(
			both_servers_listen_everywhere_and_the_hub_is_the_default, setup, teardown),
		cmocka_unit_test_setup_teardown(the_inner_domain_may_be_the_only_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			every_way_to_an_app_and_to_the_hub_drops_our_own_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_cannot_stand_in_a_configuration, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nginx_takes_the_configuration_and_the_module, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
