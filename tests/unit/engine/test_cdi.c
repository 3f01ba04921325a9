#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/cdi.h"

static char *root;
static char *paths[2];
static const char *folders[] = {NULL, NULL, "/nowhere", NULL};

static int setup(void **state)
{
	root = mem_text("/tmp/espace-cdi-XXXXXX");
	assert_non_null(mkdtemp(root));
	for (int i = 0; i < 2; i++) {
		paths[i] = mem_format("%s/%d", root, i);
		assert_int_equal(mkdir(paths[i], 0755), 0);
		folders[i] = paths[i];
	}
	return 0;
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, root, &err), 0);
	free(root);
	free(paths[0]);
	free(paths[1]);
	return 0;
}

static void put(int folder, const char *name, const char *text, mode_t mode)
{
	owned(free) char *path = mem_format("%s/%s", paths[folder], name);
	struct err err = ERR_INIT;

	assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), mode, &err), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* A device with one node. */
#define DEVICE(name, node)                                                                   \
	"{\"name\": \"" name "\", \"containerEdits\": {\"deviceNodes\": [{\"path\": \"" node \
	"\"}]}}"
#define SPEC(kind, devices) \
	"{\"cdiVersion\": \"0.6.0\", \"kind\": \"" kind "\", \"devices\": [" devices "]}"

static bool has(const char *name)
{
	owned(cdi_free) struct cdi *cdi = cdi_read(folders);
	struct cdi_edits edits;
	struct err err = ERR_INIT;

	if (cdi_find(cdi, name, &edits, &err) == 0)
		return true;
	assert_int_equal(err.kind, ERR_INVALID);
	return false;
}

static void finds_a_device_by_its_whole_name(void **state)
{
	put(0, "a.json", SPEC("x.y/gpu", DEVICE("0", "/dev/a") ", " DEVICE("1", "/dev/b")), 0644);
	put(0, "b.json", SPEC("x.y/net", DEVICE("0", "/dev/c")), 0644);
	put(0, "c.txt", SPEC("x.y/txt", DEVICE("0", "/dev/c")), 0644);
	assert_true(has("x.y/gpu=0"));
	assert_true(has("x.y/gpu=1"));
	assert_true(has("x.y/net=0"));
	assert_false(has("x.y/net=1"));
	assert_false(has("x.y/txt=0"));
	assert_false(has("0"));
}

static void the_later_folder_counts(void **state)
{
	owned(cdi_free) struct cdi *cdi = NULL;
	struct cdi_edits edits;
	struct err err = ERR_INIT;
	const json_t *node;

	put(0, "z.json", SPEC("x.y/gpu", DEVICE("0", "/dev/old")), 0644);
	put(1, "a.json", SPEC("x.y/gpu", DEVICE("0", "/dev/new")), 0644);
	cdi = cdi_read(folders);
	assert_int_equal(cdi_find(cdi, "x.y/gpu=0", &edits, &err), 0);
	assert_null(edits.common);
	node = json_array_get(json_object_get(edits.own, "deviceNodes"), 0);
	assert_string_equal(json_string_value(json_object_get(node, "path")), "/dev/new");
}

static void a_file_that_is_wrong_hides_no_other(void **state)
{
	put(0, "a.json", "{", 0644);
	put(0, "b.json", "[]", 0644);
	put(0, "c.json", SPEC("no kind", DEVICE("0", "/dev/a")), 0644);
	put(0, "d.json", "{\"kind\": \"x.y/d\", \"devices\": {}}", 0644);
	put(0, "e.json", "{\"kind\": \"x.y/e\", \"devices\": [1]}", 0644);
	put(0, "f.json",
	    "{\"kind\": \"x.y/f\", \"devices\": [{\"name\": \"0\", "
	    "\"containerEdits\": []}]}",
	    0644);
	put(0, "g.yaml", "kind: x.y/g", 0644);
	put(0, "h.json", SPEC("x.y/group", DEVICE("0", "/dev/a")), 0664);
	put(0, "i.json", SPEC("x.y/world", DEVICE("0", "/dev/a")), 0646);
	put(0, "z.json", SPEC("x.y/gpu", DEVICE("0", "/dev/a")), 0644);
	assert_true(has("x.y/gpu=0"));
	assert_false(has("x.y/d=0"));
	assert_false(has("x.y/f=0"));
	assert_false(has("x.y/group=0")); /* somebody else could have written it */
	assert_false(has("x.y/world=0"));
}

static void a_card_is_listed_once(void **state)
{
	owned(cdi_free) struct cdi *cdi = NULL;
	char names[ENGINE_DEVICES_MAX][ENGINE_DEVICE_ROOM];

	put(0, "a.json", SPEC("x.y/net", DEVICE("0", "/dev/net")), 0644);
	put(0, "b.json",
	    SPEC("x.y/gpu", DEVICE("0", "/dev/a") ", " DEVICE("1", "/dev/b") ", " DEVICE(
				    "GPU-12ab", "/dev/a") ", " DEVICE("all", "/dev/all")),
	    0644);
	put(0, "c.json", SPEC("v.w/gpu", DEVICE("9", "/dev/c")), 0644);
	cdi = cdi_read(folders);
	assert_int_equal(cdi_cards(cdi, names), 2);
	assert_string_equal(names[0], "x.y/gpu=0");
	assert_string_equal(names[1], "x.y/gpu=1");
}

static void a_name_has_vendor_class_and_device(void **state)
{
	static const char *const good[] = {"a/b=c", "nvidia.com/gpu=0", "v-1.x/c_2=GPU-1:2.3"};
	static const char *const bad[] = {"",       "gpu",     "a/b",    "a=b",
					  "/b=c",   "a/=c",    "a/b=",   "-a/b=c",
					  "a-/b=c", "a/b=c d", "a/b=c,", "a/b/c=d"};
	char text[ENGINE_DEVICE_ROOM + 1];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(engine_device_is(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(engine_device_is(bad[i]));
	memset(text, 'a', sizeof(text));
	memcpy(text, "a/b=", 4);
	text[ENGINE_DEVICE_ROOM - 1] = '\0';
	assert_true(engine_device_is(text));
	text[ENGINE_DEVICE_ROOM - 1] = 'a';
	text[ENGINE_DEVICE_ROOM] = '\0';
	assert_false(engine_device_is(text));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(finds_a_device_by_its_whole_name),    TEST(the_later_folder_counts),
		TEST(a_file_that_is_wrong_hides_no_other), TEST(a_card_is_listed_once),
		TEST(a_name_has_vendor_class_and_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
