#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/url.h"
#include "base/mem.h"
#include "http/request.h"

/* A call of somebody who reached us at `host`. */
struct scene {
	struct http_request request;
	struct api_config config;
	struct call call;
	char origin[128];
};

static void set(struct scene *scene, const char *scheme, const char *host)
{
	*scene = (struct scene){.config = {.domain = "example.org"}};
	snprintf(scene->request.host, sizeof(scene->request.host), "%s", host);
	snprintf(scene->origin, sizeof(scene->origin), "%s://%s", scheme, host);
	scene->request.origin = scene->origin;
	scene->call.config = &scene->config;
	scene->call.request = &scene->request;
	scene->call.repo = (struct repo){.type = REPO_SPACE, .full_name = "me/demo"};
}

static void repositories_are_at_the_host_that_was_asked(void **state)
{
	owned(free) char *space = NULL;
	owned(free) char *model = NULL;
	struct scene scene;

	set(&scene, "http", "127.0.0.1:8080");
	space = url_repo(&scene.call);
	assert_string_equal(space, "http://127.0.0.1:8080/spaces/me/demo");
	scene.call.repo.type = REPO_MODEL;
	model = url_repo(&scene.call);
	assert_string_equal(model, "http://127.0.0.1:8080/me/demo");
}

static void spaces_are_under_the_domain_with_the_port(void **state)
{
	static const char *const hosts[][3] = {
		{"http", "localhost:8080", "http://me-demo.example.org:8080"},
		{"http", "[::1]:8080", "http://me-demo.example.org:8080"},
		{"http", "[::1]", "http://me-demo.example.org"},
		{"https", "hub.example.org", "https://me-demo.example.org"},
		{"http", "hub.espace:81", "http://me-demo.hub.espace:81"},
		{"http", "HUB.espace", "http://me-demo.hub.espace"},
		{"http", "hub.espace.evil:81", "http://me-demo.example.org:81"},
	};

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		owned(free) char *url = NULL;
		struct scene scene;

		set(&scene, hosts[i][0], hosts[i][1]);
		url = url_space(&scene.call, "me-demo");
		assert_string_equal(url, hosts[i][2]);
	}
}

static void encodes_all_but_plain_characters(void **state)
{
	owned(free) char *whole = url_encode("a b/\xc3\xa9?#%&~", false);
	owned(free) char *path = url_encode("a/b c", true);

	assert_string_equal(whole, "a%20b%2F%C3%A9%3F%23%25%26~");
	assert_string_equal(path, "a/b%20c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repositories_are_at_the_host_that_was_asked),
		cmocka_unit_test(spaces_are_under_the_domain_with_the_port),
		cmocka_unit_test(encodes_all_but_plain_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
