#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

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
	assert_int_equal(seccomp_convert(profile, "SCMP_ARCH_X86_64", &filter, &err), 0);
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
	assert_int_equal(json_array_size(json_object_get(filter, "architectures")), 2);
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

static void an_empty_profile_is_refused(void **state)
{
	owned(json_decref) json_t *profile = json_object();
	json_t *filter = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(seccomp_convert(profile, "SCMP_ARCH_X86_64", &filter, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(seccomp_convert(profile, "SCMP_ARCH_VAX", &filter, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_for_us_are_kept),
		cmocka_unit_test(namespaces_and_mounts_are_refused),
		cmocka_unit_test(an_empty_profile_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
