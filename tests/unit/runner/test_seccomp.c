#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "runner/seccomp.h"

static const char profile_text[] =
	"{\"defaultAction\": \"SCMP_ACT_ERRNO\","
	" \"archMap\": [{\"architecture\": \"SCMP_ARCH_X86_64\","
	"               \"subArchitectures\": [\"SCMP_ARCH_X86\"]}],"
	" \"syscalls\": ["
	"  {\"names\": [\"read\", \"mount\", \"clone\", \"clone3\"], \"action\": "
	"\"SCMP_ACT_ALLOW\","
	"   \"args\": [], \"includes\": {}, \"excludes\": {}},"
	"  {\"names\": [\"arm\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": {\"arches\": "
	"[\"arm\"]}},"
	"  {\"names\": [\"amd\"], \"action\": \"SCMP_ACT_ALLOW\", \"includes\": {\"arches\": "
	"[\"amd64\"]}},"
	"  {\"names\": [\"bpf\"], \"action\": \"SCMP_ACT_ALLOW\","
	"   \"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}},"
	"  {\"names\": [\"bpf\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 1,"
	"   \"excludes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}}]}";

static json_t *convert(const char *text)
{
	owned(json_decref) json_t *profile = NULL;
	json_t *filter = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(text, strlen(text), &profile, &err), 0);
	assert_int_equal(runner_seccomp_convert(profile, "SCMP_ARCH_X86_64", &filter, &err), 0);
	return filter;
}

/* The first rule with this name in it. */
static const json_t *rule_of(const json_t *filter, const char *name)
{
	size_t i, k;
	json_t *rule, *entry;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule)
		json_array_foreach (json_object_get(rule, "names"), k, entry)
			if (strcmp(json_string_value(entry), name) == 0)
				return rule;
	return NULL;
}

static const char *action_of(const json_t *filter, const char *name)
{
	const json_t *rule = rule_of(filter, name);

	return rule ? json_string_value(json_object_get(rule, "action")) : "none";
}

static void rules_for_us_are_kept(void **state)
{
	owned(json_decref) json_t *filter = convert(profile_text);

	assert_string_equal(action_of(filter, "read"), "SCMP_ACT_ALLOW");
	assert_string_equal(action_of(filter, "amd"), "SCMP_ACT_ALLOW");
	assert_string_equal(action_of(filter, "arm"), "none");
	assert_string_equal(action_of(filter, "bpf"), "SCMP_ACT_ERRNO");
	assert_null(json_object_get(rule_of(filter, "bpf"), "excludes"));
	/* Not the 32-bit one: its calls have other numbers, and sockets hide behind a pointer. */
	assert_int_equal(json_array_size(json_object_get(filter, "architectures")), 1);
	assert_int_equal(json_integer_value(json_object_get(filter, "defaultErrnoRet")), 38);
}

static void namespaces_and_mounts_are_refused(void **state)
{
	owned(json_decref) json_t *filter = convert(profile_text);
	const json_t *clone = rule_of(filter, "clone");
	const json_t *arg = json_array_get(json_object_get(clone, "args"), 0);

	assert_string_equal(action_of(filter, "mount"), "SCMP_ACT_ERRNO");
	assert_string_equal(action_of(filter, "unshare"), "SCMP_ACT_ERRNO");
	assert_string_equal(action_of(filter, "clone3"), "none"); /* the default: no such call */
	assert_string_equal(action_of(filter, "clone"), "SCMP_ACT_ALLOW");
	assert_string_equal(json_string_value(json_object_get(arg, "op")), "SCMP_CMP_MASKED_EQ");
	assert_true(json_integer_value(json_object_get(arg, "value")) == 0x7e020000);
	assert_int_equal(json_integer_value(json_object_get(arg, "valueTwo")), 0);
}

/* What the rules for socket() say to these arguments; a filter's rules are joined by "or". */
static const char *socket_action(const json_t *filter, int64_t family, int64_t protocol)
{
	const char *action = "none";
	size_t i;
	json_t *rule;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		const char *name =
			json_string_value(json_array_get(json_object_get(rule, "names"), 0));
		bool fits = strcmp(name, "socket") == 0;
		size_t k;
		json_t *arg;

		json_array_foreach (json_object_get(rule, "args"), k, arg) {
			int64_t given = json_integer_value(json_object_get(arg, "index")) == 0
						? family
						: protocol;
			int64_t value = json_integer_value(json_object_get(arg, "value"));
			const char *op = json_string_value(json_object_get(arg, "op"));

			fits = fits && (strcmp(op, "SCMP_CMP_EQ") == 0   ? given == value
					: strcmp(op, "SCMP_CMP_NE") == 0 ? given != value
									 : given > value);
		}
		if (fits) {
			assert_string_equal(action,
					    "none"); /* no two rules contradict each other */
			action = json_string_value(json_object_get(rule, "action"));
		}
	}
	return action;
}

static void sockets_are_of_the_usual_families(void **state)
{
	static const int good[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	static const int bad[] = {0, AF_X25, AF_PACKET, AF_VSOCK, AF_ALG, AF_XDP, 1000};
	owned(json_decref) json_t *filter = convert(profile_text);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_string_equal(socket_action(filter, good[i], 0), "SCMP_ACT_ALLOW");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(socket_action(filter, bad[i], 0), "SCMP_ACT_ERRNO");
	assert_string_equal(socket_action(filter, AF_NETLINK, NETLINK_NETFILTER), "SCMP_ACT_ERRNO");
	assert_string_equal(socket_action(filter, AF_INET, IPPROTO_TCP), "SCMP_ACT_ALLOW");
}

static void an_empty_profile_is_refused(void **state)
{
	owned(json_decref) json_t *profile = json_object();
	json_t *filter = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(runner_seccomp_convert(profile, "SCMP_ARCH_X86_64", &filter, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(runner_seccomp_convert(profile, "SCMP_ARCH_VAX", &filter, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_for_us_are_kept),
		cmocka_unit_test(namespaces_and_mounts_are_refused),
		cmocka_unit_test(sockets_are_of_the_usual_families),
		cmocka_unit_test(an_empty_profile_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
