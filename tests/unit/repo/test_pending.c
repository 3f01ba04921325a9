#include "repo/pending.h"

#include <string.h>
#include <sys/stat.h>

#include "temp.h"

struct place {
	struct temp *temp;
	int objects_fd;
	unsigned overflows;
	git_odb *odb;
	struct pending *pending;
};

static void count_overflow(void *arg)
{
	struct place *place = arg;

	place->overflows++;
}

static void make(struct temp *temp, struct place *place)
{
	owned(free) char *path = mem_format("%s/objects", temp->path);
	struct err err = ERR_INIT;

	*place = (struct place){.temp = temp};
	place->objects_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->objects_fd >= 0);
	assert_int_equal(git_odb_new(&place->odb), 0);
	temp_ok(pending_new(place->odb, place->objects_fd, count_overflow, place, &place->pending,
			    &err),
		&err);
}

static void own_place_done(struct place *place)
{
	git_odb_free(place->odb);
	close(place->objects_fd);
}

static void add(struct place *place, const char *text, git_oid *out)
{
	assert_int_equal(git_odb_write(out, place->odb, text, strlen(text), GIT_OBJECT_BLOB), 0);
}

static void objects_are_read_from_memory(void **state)
{
	owned(place_done) struct place place;
	owned(git_odb_object_free) git_odb_object *object = NULL;
	git_object_t type;
	git_oid id, other;
	size_t size;

	make(*state, &place);
	add(&place, "small", &id);
	add(&place, "small", &id);
	assert_int_equal(pending_count(place.pending), 1);
	assert_int_equal(git_odb_read(&object, place.odb, &id), 0);
	assert_int_equal(git_odb_object_size(object), 5);
	assert_memory_equal(git_odb_object_data(object), "small", 6);
	assert_int_equal(git_odb_read_header(&size, &type, place.odb, &id), 0);
	assert_int_equal(size, 5);
	assert_int_equal(type, GIT_OBJECT_BLOB);
	assert_int_equal(git_odb_hash(&other, "other", 5, GIT_OBJECT_BLOB), 0);
	assert_false(git_odb_exists(place.odb, &other));
}

static int move(void *arg, const char *file, const char *hex, struct err *err)
{
	struct place *place = arg;
	owned(free) char *folder = mem_text_n(hex, 2);
	owned(free) char *to = mem_format("%s/%s", folder, hex + 2);

	mkdirat(place->objects_fd, folder, 0700);
	return renameat(place->objects_fd, file, place->objects_fd, to);
}

static void files_are_what_git_reads(void **state)
{
	owned(place_done) struct place place;
	owned(syncs_free) struct syncs *syncs = syncs_new();
	owned(git_odb_object_free) git_odb_object *object = NULL;
	owned(git_odb_object_free) git_odb_object *nothing = NULL;
	struct err err = ERR_INIT;
	git_oid id, empty;

	make(*state, &place);
	add(&place, "some text, some text, some text", &id);
	add(&place, "", &empty);
	temp_ok(pending_write(place.pending, syncs, &err), &err);
	temp_ok(syncs_run(syncs, &err), &err);
	assert_int_equal(pending_count(place.pending), 0);
	temp_ok(pending_move(place.pending, move, &place, &err), &err);
	/* What was moved is moved once, and stays where it is. */
	temp_ok(pending_move(place.pending, move, &place, &err), &err);
	pending_abandon(place.pending);
	assert_int_equal(git_odb_read(&object, place.temp->git->odb, &id), 0);
	assert_int_equal(git_odb_object_size(object), 31);
	assert_memory_equal(git_odb_object_data(object), "some text, some text, some text", 31);
	assert_int_equal(git_odb_read(&nothing, place.temp->git->odb, &empty), 0);
	assert_int_equal(git_odb_object_size(nothing), 0);
}

static void what_is_abandoned_leaves_no_file(void **state)
{
	owned(place_done) struct place place;
	struct err err = ERR_INIT;
	git_oid id;

	make(*state, &place);
	add(&place, "never", &id);
	temp_ok(pending_write(place.pending, NULL, &err), &err);
	pending_abandon(place.pending);

	owned(closedir) DIR *dir = fdopendir(dup(place.objects_fd));
	const struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		assert_int_not_equal(strncmp(entry->d_name, "tmp_", 4), 0);
}

/* Behind it there is no other backend here. */
static void what_has_no_room_is_passed_on(void **state)
{
	enum { MANY = 2 << 20 };
	owned(place_done) struct place place;
	owned(free) char *large = mem_alloc(MANY);
	git_oid id, small;

	make(*state, &place);
	git_odb_write(&id, place.odb, large, MANY, GIT_OBJECT_BLOB);
	assert_int_equal(place.overflows, 1);
	assert_int_equal(pending_count(place.pending), 0);
	add(&place, "small", &small);
	assert_int_equal(pending_count(place.pending), 1);
	git_odb_write(&id, place.odb, large, MANY, GIT_OBJECT_BLOB);
	assert_int_equal(place.overflows, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEMP_TEST(objects_are_read_from_memory),
		TEMP_TEST(files_are_what_git_reads),
		TEMP_TEST(what_is_abandoned_leaves_no_file),
		TEMP_TEST(what_has_no_room_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
