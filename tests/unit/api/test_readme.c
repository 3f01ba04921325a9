#include "temp.h"

#include "api/readme.h"
#include "repo/change.h"

static const struct change_meta meta = {.title = "t", .author = "me"};

/* The card of a repository with this README; NULL for none. For json_decref(). */
static json_t *card_of(const char *folder, const char *text)
{
	owned(free) char *path = mem_format("%s/r.git", folder);
	owned(git_close) struct git *git = NULL;
	const struct change_seed files[] = {{"a.txt", "a"}, {"README.md", text}};
	struct err err = ERR_INIT;
	char commit[GIT_HEX];
	json_t *card;

	assert_ok(git_init(path, &err));
	assert_ok(git_open(path, &git, &err));
	assert_ok(change_seed(git, files, text ? 2 : 1, &meta, commit, &err));
	assert_ok(readme_card(git, commit, &card, &err));
	return card;
}

static void front_matter_becomes_an_object(void **state)
{
	json_t *card = card_of(*state, "---\nlicense: mit\ntags: [a, b]\n---\n# Hi\n");

	assert_string_equal(json_string_value(json_object_get(card, "license")), "mit");
	assert_int_equal(json_array_size(json_object_get(card, "tags")), 2);
	json_decref(card);
}

static void no_readme_is_an_empty_card(void **state)
{
	json_t *card = card_of(*state, NULL);

	assert_int_equal(json_object_size(card), 0);
	json_decref(card);
}

/* Who reads can't mend it: an info must not fail for it. */
static void a_broken_card_is_an_empty_card(void **state)
{
	json_t *card = card_of(*state, "---\na: &a [x]\nb: [*a, *a]\n---\n");

	assert_int_equal(json_object_size(card), 0);
	json_decref(card);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(front_matter_becomes_an_object, temp_setup,
						temp_teardown),
		cmocka_unit_test_setup_teardown(no_readme_is_an_empty_card, temp_setup,
						temp_teardown),
		cmocka_unit_test_setup_teardown(a_broken_card_is_an_empty_card, temp_setup,
						temp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
