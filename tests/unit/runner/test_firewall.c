#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "runner/firewall.h"

/* What nft prints, in short. */
#define CHAIN(family, table, name, hook, policy)                                               \
	"{\"chain\": {\"family\": \"" family "\", \"table\": \"" table "\", \"name\": \"" name \
	"\", \"type\": \"filter\", \"hook\": \"" hook "\", \"policy\": \"" policy "\"}}"
#define RULE(table, name, words)                                                         \
	", {\"rule\": {\"family\": \"ip\", \"table\": \"" table "\", \"chain\": \"" name \
	"\", \"expr\": [" words "]}}"
#define MATCH(key, value)                                                                        \
	"{\"match\": {\"op\": \"==\", \"left\": {\"meta\": {\"key\": \"" key "\"}}, \"right\": " \
	"\"" value "\"}}"
#define COUNTER "{\"counter\": {\"packets\": 0, \"bytes\": 0}}"
#define ACCEPT  "{\"accept\": null}"

struct told {
	char text[2048];
	unsigned count;
};

static void tell(void *arg, const struct firewall_finding *finding)
{
	struct told *told = arg;
	size_t length = strlen(told->text);

	told->count++;
	snprintf(told->text + length, sizeof(told->text) - length, "%s: %s\n", finding->hook,
		 finding->repair);
}

static struct told judge(const char *objects)
{
	owned(free) char *text = mem_format("{\"nftables\": [%s]}", objects);
	owned(json_decref) json_t *json = NULL;
	struct told told = {0};
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(text, strlen(text), &json, &err), 0);
	firewall_judge("es-abc123", json, tell, &told);
	return told;
}

static void docker_drops_what_is_forwarded(void **state)
{
	struct told told = judge(CHAIN("ip", "filter", "FORWARD", "forward", "drop") RULE(
		"filter", "FORWARD", MATCH("oifname", "docker0") ", " COUNTER ", " ACCEPT));

	assert_string_equal(
		told.text, "forward: nft insert rule ip filter FORWARD iifname es-abc123 accept\n"
			   "forward: nft insert rule ip filter FORWARD oifname es-abc123 accept\n");
}

static void ufw_drops_what_comes_in(void **state)
{
	struct told told = judge(CHAIN("ip", "filter", "INPUT", "input", "drop"));

	assert_string_equal(told.text,
			    "input: nft insert rule ip filter INPUT iifname es-abc123 accept\n");
}

static void a_last_rule_refuses_like_a_policy(void **state)
{
	static const char reject[] = CHAIN("ip", "fw", "in", "input", "accept")
		RULE("fw", "in", "{\"reject\": {\"type\": \"icmpx\"}}");
	static const char some[] = CHAIN("ip", "fw", "in", "input", "accept")
		RULE("fw", "in", MATCH("iifname", "eth7") ", {\"drop\": null}");

	assert_int_equal(judge(reject).count, 1);
	assert_int_equal(judge(some).count, 0);
}

static void a_repaired_chain_is_silent(void **state)
{
	static const char repaired[] = CHAIN("ip", "filter", "FORWARD", "forward", "drop")
		RULE("filter", "FORWARD", MATCH("iifname", "es-abc123") ", " ACCEPT) RULE(
			"filter", "DOCKER-USER", MATCH("oifname", "es-*") ", " COUNTER ", " ACCEPT);
	static const char half[] = CHAIN("ip", "filter", "FORWARD", "forward", "drop")
		RULE("filter", "FORWARD", MATCH("iifname", "es-abc123") ", " ACCEPT);
	static const char narrow[] = CHAIN("ip", "filter", "INPUT", "input", "drop")
		RULE("filter", "INPUT",
		     MATCH("iifname", "es-abc123") ", " MATCH("l4proto", "udp") ", " ACCEPT);

	assert_int_equal(judge(repaired).count, 0);
	assert_string_equal(
		judge(half).text,
		"forward: nft insert rule ip filter FORWARD oifname es-abc123 accept\n");
	assert_int_equal(judge(narrow).count, 1);
}

static void what_lets_pass_or_is_elsewhere_is_no_matter(void **state)
{
	assert_int_equal(judge(CHAIN("ip", "filter", "FORWARD", "forward", "accept")).count, 0);
	assert_int_equal(judge(CHAIN("ip6", "filter", "FORWARD", "forward", "drop")).count, 0);
	assert_int_equal(judge(CHAIN("ip", "filter", "OUTPUT", "output", "drop")).count, 0);
	assert_int_equal(judge("{\"chain\": 7}, {}, 3, {\"rule\": []}").count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_drops_what_is_forwarded),
		cmocka_unit_test(ufw_drops_what_comes_in),
		cmocka_unit_test(a_last_rule_refuses_like_a_policy),
		cmocka_unit_test(a_repaired_chain_is_silent),
		cmocka_unit_test(what_lets_pass_or_is_elsewhere_is_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
