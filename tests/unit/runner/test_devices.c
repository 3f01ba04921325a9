#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "runner/devices.h"

static char *root;
static const char *folders[] = {NULL, NULL};

static int setup(void **state)
{
	root = mem_text("/tmp/espace-devices-XXXXXX");
	assert_non_null(mkdtemp(root));
	folders[0] = root;
	return 0;
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, root, &err), 0);
	free(root);
	return 0;
}

/* Describe the devices a.b/gpu=0 and =1; single quotes are double ones. */
static void describe(const char *common, const char *zero, const char *one)
{
	owned(free) char *path = mem_format("%s/spec.json", root);
	owned(free) char *text =
		mem_format("{'kind': 'a.b/gpu', 'containerEdits': {%s}, 'devices': ["
			   "{'name': '0', 'containerEdits': {%s}}, {'name': '1', "
			   "'containerEdits': {%s}}]}",
			   common, zero, one);
	struct err err = ERR_INIT;

	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
}

/* A configuration such as runner/bundle.c makes. */
static json_t *fresh(void)
{
	return json_pack("{s{s[ss], s{si}}, s[{ss}], s{s{s[{sb}]}}}", "process", "env", "PATH=/bin",
			 "CARD=none", "user", "uid", 1000, "mounts", "destination", "/dev", "linux",
			 "resources", "devices", "allow", 0);
}

static int add(json_t *config, size_t count, bool *hooks, struct err *err)
{
	const struct engine_spec spec = {.devices = {"a.b/gpu=0", "a.b/gpu=1"},
					 .device_count = count};

	*err = ERR_INIT;
	return devices_add(folders, &spec, config, hooks, err);
}

/* What a part of the configuration is, as compact JSON with single quotes. */
static void expect(const json_t *part, const char *wanted)
{
	owned(free) char *text = json_dumps(part, JSON_COMPACT | JSON_ENCODE_ANY);

	for (char *at = text; at && *at; at++)
		if (*at == '"')
			*at = '\'';
	assert_string_equal(text, wanted);
}

static json_t *at(const json_t *config, const char *a, const char *b)
{
	return json_object_get(json_object_get(config, a), b);
}

static void a_device_brings_what_its_spec_says(void **state)
{
	owned(json_decref) json_t *config = fresh();
	struct err err;
	bool hooks;

	describe("'env': ['CARD=some', 'DRIVER=1']",
		 "'deviceNodes': [{'path': '/dev/card0', 'hostPath': '/dev/null', "
		 "'permissions': 'r'}], "
		 "'mounts': [{'hostPath': '/usr/lib', 'containerPath': '/usr/lib/card', 'options': "
		 "['ro']}], 'additionalGids': [44]",
		 "'deviceNodes': [{'path': '/dev/zero'}]");
	assert_int_equal(add(config, 2, &hooks, &err), 0);
	assert_false(hooks);
	expect(at(config, "process", "env"), "['PATH=/bin','CARD=some','DRIVER=1']");
	expect(at(config, "process", "user"), "{'uid':1000,'additionalGids':[44]}");
	expect(json_object_get(config, "mounts"),
	       "[{'destination':'/dev'},"
	       "{'destination':'/dev/card0','type':'bind','source':'/dev/null',"
	       "'options':['bind','nosuid','noexec']},"
	       "{'destination':'/usr/lib/card','type':'bind','source':'/usr/lib',"
	       "'options':['bind','nosuid','nodev','ro']},"
	       "{'destination':'/dev/zero','type':'bind','source':'/dev/zero',"
	       "'options':['bind','nosuid','noexec']}]");
	expect(json_object_get(at(config, "linux", "resources"), "devices"),
	       "[{'allow':false},"
	       "{'allow':true,'type':'c','major':1,'minor':3,'access':'r'},"
	       "{'allow':true,'type':'c','major':1,'minor':5,'access':'rw'}]");
}

static void hooks_are_told_of(void **state)
{
	owned(json_decref) json_t *config = fresh();
	struct err err;
	bool hooks;

	describe("'hooks': [{'hookName': 'createContainer', 'path': '/usr/bin/x', 'args': ['x', "
		 "'y'], 'env': ['A=1']}]",
		 "", "");
	assert_int_equal(add(config, 2, &hooks, &err), 0);
	assert_true(hooks);
	/* Once, though two devices have it in common. */
	expect(json_object_get(config, "hooks"),
	       "{'createContainer':[{'path':'/usr/bin/x','args':['x','y'],'env':['A=1']}]}");
}

static void without_devices_nothing_changes(void **state)
{
	owned(json_decref) json_t *config = fresh();
	owned(json_decref) json_t *same = fresh();
	struct err err;
	bool hooks = true;

	assert_int_equal(add(config, 0, &hooks, &err), 0);
	assert_false(hooks);
	assert_true(json_equal(config, same));
}

static void a_device_that_is_not_there_is_named(void **state)
{
	owned(json_decref) json_t *config = fresh();
	struct err err;
	bool hooks;

	assert_int_equal(add(config, 1, &hooks, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.text, "a.b/gpu=0: this machine has no such device");
}

static void what_cannot_be_is_refused_and_tells_no_path(void **state)
{
	static const char *const bad[] = {
		"'env': 'A=1'",
		"'env': ['A']",
		"'env': ['=1']",
		"'env': [1]",
		"'deviceNodes': [{}]",
		"'deviceNodes': [1]",
		"'deviceNodes': [{'path': 'dev/null'}]",
		"'deviceNodes': [{'path': '/dev/../etc/secret', 'hostPath': '/dev/null'}]",
		"'deviceNodes': [{'path': '/dev/secret'}]",
		"'deviceNodes': [{'path': '/etc/passwd'}]",
		"'deviceNodes': [{'path': '/dev/null', 'permissions': 'x'}]",
		"'mounts': [{'hostPath': '/secret'}]",
		"'mounts': [{'hostPath': '/secret', 'containerPath': '/a/..'}]",
		"'mounts': [{'hostPath': '/secret', 'containerPath': '/a', 'options': 'ro'}]",
		"'hooks': [{'hookName': 'never', 'path': '/secret'}]",
		"'hooks': [{'hookName': 'poststop', 'path': 'secret'}]",
		"'hooks': [{'hookName': 'poststop', 'path': '/secret', 'args': [1]}]",
		"'additionalGids': [-1]",
		"'additionalGids': ['video']",
		"'intelRdt': {}",
		"'netDevices': []",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		owned(json_decref) json_t *config = fresh();
		struct err err;
		bool hooks;

		describe("", bad[i], "");
		if (add(config, 1, &hooks, &err) == 0)
			fail_msg("%s is no error", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_null(strstr(err.text, "secret"));
		assert_null(strstr(err.text, "/dev/"));
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_device_brings_what_its_spec_says),
		TEST(hooks_are_told_of),
		TEST(without_devices_nothing_changes),
		TEST(a_device_that_is_not_there_is_named),
		TEST(what_cannot_be_is_refused_and_tells_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
