#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "runner/network.h"

static struct datadir dir = {.instance = "abc123", .network = 0x0ad51000 /* 10.213.16.0 */};

static const char *rules(enum network_egress egress, const char *const *allow, struct str *out)
{
	const struct runner_config config = {
		.dir = &dir, .hub_port = 8080, .egress = egress, .allow = allow};

	network_rules(&config, out);
	assert_false(out->failed);
	return out->data;
}

static void the_gateway_shows_the_hub_and_names_only(void **state)
{
	owned(str_done) struct str out = str_new(65536);
	const char *text = rules(NETWORK_EGRESS_PUBLIC, NULL, &out);

	assert_non_null(strstr(text, "ip daddr 10.213.16.1 tcp dport { 8080, 53 } accept"));
	assert_non_null(strstr(text, "ip daddr 10.213.16.1 udp dport 53 accept\n reject"));
	assert_non_null(
		strstr(text, "ip saddr 10.213.16.0/20 oifname != \"es-abc123\" masquerade"));
	assert_non_null(strstr(text, "delete table inet espace_abc123"));
}

static void what_is_allowed_comes_before_what_is_private(void **state)
{
	static const char *const allow[] = {"10.9.8.7", "192.168.1.0/24", NULL};
	owned(str_done) struct str out = str_new(65536);
	const char *text = rules(NETWORK_EGRESS_PUBLIC, allow, &out);
	const char *allowed = strstr(text, "ip daddr 192.168.1.0/24 accept");

	assert_non_null(allowed);
	assert_non_null(strstr(text, "ip daddr 10.9.8.7 accept"));
	assert_non_null(strstr(allowed, "172.16.0.0/12"));
}

static void each_choice_of_egress_has_its_own_last_words(void **state)
{
	owned(str_done) struct str all = str_new(65536);
	owned(str_done) struct str public = str_new(65536);
	owned(str_done) struct str none = str_new(65536);

	rules(NETWORK_EGRESS_ALL, NULL, &all);
	rules(NETWORK_EGRESS_PUBLIC, NULL, &public);
	rules(NETWORK_EGRESS_NONE, NULL, &none);
	assert_non_null(strstr(all.data, "admin-prohibited\n accept\n}"));
	assert_non_null(strstr(public.data, "admin-prohibited\n accept\n}"));
	assert_null(strstr(none.data, "admin-prohibited\n accept\n}"));
	assert_null(strstr(all.data, "192.168.0.0/16"));
	assert_non_null(strstr(all.data, "169.254.0.0/16")); /* metadata: never */
}

static void closed_slots_are_refused_before_anything_is_allowed(void **state)
{
	static const char *const allow[] = {"10.9.8.7", NULL};
	owned(str_done) struct str out = str_new(65536);
	const char *text = rules(NETWORK_EGRESS_ALL, allow, &out);
	const char *closed = strstr(text, "ip saddr 10.213.28.0/22 reject");

	assert_non_null(closed);
	assert_non_null(strstr(closed, "10.9.8.7 accept"));
}

static void only_addresses_become_rules(void **state)
{
	static const char *const good[] = {"10.9.8.7", "192.168.1.0/24", "0.0.0.0/0", NULL};
	static const char *const bad[] = {"10.9.8",       "10.9.8.7/",    "10.9.8.7/33",
					  "host.example", "10.9.8.7/-1",  "10.0.0.0/8 accept\n",
					  "::1",          "1.2.3.4; drop"};
	struct runner_config config = {.dir = &dir, .allow = good};
	struct err err = ERR_INIT;

	assert_int_equal(network_check(&config, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.allow = (const char *const[]){"10.9.8.7", bad[i], NULL};
		assert_int_equal(network_check(&config, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.text, "network.allow"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gateway_shows_the_hub_and_names_only),
		cmocka_unit_test(what_is_allowed_comes_before_what_is_private),
		cmocka_unit_test(only_addresses_become_rules),
		cmocka_unit_test(each_choice_of_egress_has_its_own_last_words),
		cmocka_unit_test(closed_slots_are_refused_before_anything_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
