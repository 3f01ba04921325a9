#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/instance.h"
#include "base/mem.h"
#include "base/proc.h"

#include "machine.h"

#define POOL 0x0ad50000u /* 10.213.0.0 */
#define IDS  200000u

static bool alone;

static int setup(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		return 0;
	return file_remove_tree(AT_FDCWD, "/run/espace", &err) < 0 ||
			       file_remove_tree(AT_FDCWD, "/srv/t", &err) < 0 ||
			       mkdir("/srv/t", 0755) < 0
		       ? -1
		       : 0;
}

static int open_dir(const char *name)
{
	owned(free) char *path = mem_format("/srv/t/%s", name);

	mkdir(path, 0755);

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int try_claim(const char *name, uint32_t pool, uint32_t ids, struct instance *out,
		     struct err *err)
{
	owned(close) int fd = open_dir(name);
	owned(free) char *path = mem_format("/srv/t/%s", name);

	if (instance_claim(fd, path, pool, ids, err) < 0)
		return -1;
	return instance_read(fd, out, err);
}

static struct instance claim(const char *name)
{
	struct instance instance;
	struct err err = ERR_INIT;

	if (try_claim(name, POOL, IDS, &instance, &err) < 0)
		fail_msg("%s", err.text);
	return instance;
}

static void add_address(const char *interface, const char *address)
{
	struct err err = ERR_INIT;

	if (proc_run(machine_address(interface, address), NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void drop_addresses(void)
{
	const char *const argv[] = {"ip", "address", "flush", "dev", "lo", NULL};
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(argv, NULL, NULL, &err), 0);
}

static void copy_instance(const char *from, const char *to)
{
	owned(str_done) struct str text = str_new(4096);
	owned(close) int a = open_dir(from);
	owned(close) int b = open_dir(to);
	struct err err = ERR_INIT;

	assert_int_equal(file_read(a, "instance", &text, &err), 0);
	assert_int_equal(file_write(b, "instance", text.data, text.length, 0644, &err), 0);
}

static void the_first_one_gets_the_first_block(void **state)
{
	if (!alone)
		skip();

	struct instance one = claim("one");

	assert_true(hex_is(one.id, 6));
	assert_int_equal(one.block, 0);
	assert_int_equal(one.network, POOL);
	assert_int_equal(one.ids_base, IDS);
}

static void claiming_again_changes_nothing(void **state)
{
	if (!alone)
		skip();

	struct instance first = claim("one");
	struct instance again = claim("one");

	assert_memory_equal(&first, &again, sizeof(first));
}

static void directories_differ_in_all(void **state)
{
	if (!alone)
		skip();

	struct instance one = claim("one");
	struct instance two = claim("two");
	struct instance three = claim("three");

	assert_string_not_equal(one.id, two.id);
	assert_int_equal(two.block, 1);
	assert_int_equal(two.network, POOL + 4096);
	assert_int_equal(three.block, 2);
}

static void a_removed_directory_frees_its_block(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	claim("one");
	assert_int_equal(file_remove_tree(AT_FDCWD, "/srv/t/one", &err), 0);
	assert_int_equal(claim("two").block, 0);
}

static void a_moved_directory_keeps_what_it_has(void **state)
{
	if (!alone)
		skip();

	claim("other");

	struct instance before = claim("one");

	assert_int_equal(rename("/srv/t/one", "/srv/t/moved"), 0);

	struct instance after = claim("moved");

	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_copied_directory_becomes_another(void **state)
{
	if (!alone)
		skip();

	struct instance one = claim("one");

	copy_instance("one", "copy");

	struct instance copy = claim("copy");
	struct instance again = claim("one");

	assert_string_not_equal(copy.id, one.id);
	assert_int_not_equal(copy.block, one.block);
	assert_memory_equal(&again, &one, sizeof(one));
}

/* After a start of the machine two directories may hold the same block: one came from elsewhere. */
static void a_block_that_is_taken_meanwhile_is_changed(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		skip();

	struct instance one = claim("one");

	assert_int_equal(file_remove_tree(AT_FDCWD, "/run/espace", &err), 0);

	struct instance two = claim("two");

	assert_int_equal(two.block, one.block);

	struct instance again = claim("one");

	assert_string_equal(again.id, one.id);
	assert_int_not_equal(again.block, two.block);
}

static void blocks_end_some_time(void **state)
{
	struct instance last;
	struct err err = ERR_INIT;
	char name[16];

	if (!alone)
		skip();
	for (unsigned i = 0; i < DATADIR_BLOCKS; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(claim(name).block, i);
	}
	assert_int_equal(try_claim("more", POOL, IDS, &last, &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
}

static void networks_of_the_host_are_avoided(void **state)
{
	if (!alone)
		skip();
	add_address("lo", "10.213.5.7/32");  /* in block 0 */
	add_address("lo", "10.213.31.1/20"); /* its network is block 1 */
	add_address("lo", "10.1.2.3/8");     /* wide: does not count where it is not */

	struct instance one = claim("one");

	drop_addresses();
	assert_int_equal(one.block, 2);
}

static void the_own_bridge_is_no_obstacle(void **state)
{
	struct err err = ERR_INIT;

	if (!alone)
		skip();

	struct instance one = claim("one");
	owned(free) char *bridge = mem_format("es-%s", one.id);
	const char *const make[] = {"ip", "link", "add", bridge, "type", "bridge", NULL};
	const char *const drop[] = {"ip", "link", "delete", bridge, NULL};

	if (proc_run(make, NULL, NULL, &err) < 0)
		skip(); /* a kernel without bridges */
	add_address(bridge, "10.213.0.1/20");

	struct instance again = claim("one");
	struct instance two = claim("two");

	assert_int_equal(proc_run(drop, NULL, NULL, &err), 0);
	assert_int_equal(again.block, 0);
	assert_int_equal(two.block, 1);
}

static void another_pool_moves_the_network_only(void **state)
{
	struct instance moved;
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	claim("zero");

	struct instance one = claim("one");

	assert_int_equal(try_claim("one", 0x0a640000u, IDS, &moved, &err), 0);
	assert_string_equal(moved.id, one.id);
	assert_int_equal(moved.block, one.block);
	assert_int_equal(moved.network, 0x0a640000u + 4096);
}

static void bad_settings_are_refused(void **state)
{
	struct instance out;
	struct err err = ERR_INIT;

	if (!alone)
		skip();
	claim("one");
	assert_int_equal(try_claim("one", POOL + 256, IDS, &out, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(try_claim("one", 0, IDS, &out, &err), -1);
	assert_int_equal(try_claim("one", POOL, 0, &out, &err), -1);
	assert_int_equal(try_claim("one", POOL, 0xf8000000u, &out, &err), -1);
	assert_int_equal(try_claim("one", POOL, IDS + 1, &out, &err), -1);
	assert_non_null(strstr(err.text, "ids.base was 200000"));
}

static void stale_entries_of_the_registry_go_and_others_stay(void **state)
{
	static const char *const stale[] = {"abcdef", "abcde0", "abcde1"};
	struct err err = ERR_INIT;

	if (!alone)
		skip();

	struct instance one = claim("one");
	owned(close) int fd = open("/run/espace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_write(fd, "README", "x", 1, 0644, &err), 0);
	assert_int_equal(file_write(fd, "abcdef", "/srv/t/one", 10, 0644, &err), 0);
	assert_int_equal(file_write(fd, "abcde0", "/nowhere", 8, 0644, &err), 0);
	assert_int_equal(file_write(fd, "abcde1", "", 0, 0644, &err), 0);
	assert_int_equal(mkdirat(fd, "abcde2", 0755), 0);
	assert_int_equal(claim("one").block, one.block);
	assert_int_equal(claim("two").block, 1);
	for (size_t i = 0; i < 3; i++)
		assert_false(file_exists(fd, stale[i]));
	assert_true(file_exists(fd, one.id) && file_exists(fd, "README") &&
		    file_exists(fd, "abcde2"));
}

static void damaged_files_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"id=abcdef\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=0\n",
		"id=ABCDEF\nnetwork=10.213.0.0\nblock=0\nids=200000\n",
		"id=../../\nnetwork=10.213.0.0\nblock=0\nids=200000\n",
		"id=abcdef\nnetwork=10.213.0.1\nblock=0\nids=200000\n",
		"id=abcdef\nnetwork=10.213\nblock=0\nids=200000\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=15\nids=200000\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=-1\nids=200000\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=0x1\nids=200000\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=0\nids=99999999999\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=0\nids=200000\nmore=1\n",
		"id=abcdef\nnetwork=10.213.0.0\nblock=0\nblock=0\n",
		"garbage\n",
	};
	char path[] = "/tmp/espace-instance-XXXXXX";
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(path));

	owned(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct instance out;

		assert_int_equal(file_write(fd, "instance", texts[i], strlen(texts[i]), 0644, &err),
				 0);
		if (instance_read(fd, &out, &err) == 0)
			fail_msg("accepted %s", texts[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_int_equal(file_remove_tree(AT_FDCWD, path, &err), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(the_first_one_gets_the_first_block),
		TEST(claiming_again_changes_nothing),
		TEST(directories_differ_in_all),
		TEST(a_removed_directory_frees_its_block),
		TEST(a_moved_directory_keeps_what_it_has),
		TEST(a_copied_directory_becomes_another),
		TEST(a_block_that_is_taken_meanwhile_is_changed),
		TEST(blocks_end_some_time),
		TEST(networks_of_the_host_are_avoided),
		TEST(the_own_bridge_is_no_obstacle),
		TEST(another_pool_moves_the_network_only),
		TEST(bad_settings_are_refused),
		TEST(stale_entries_of_the_registry_go_and_others_stay),
		TEST(damaged_files_are_refused),
	};

	alone = machine_become();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
