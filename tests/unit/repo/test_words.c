#include "temp.h"

#include "repo/quarantine.h"
#include "repo/words.h"

static void expect_words(const struct change_meta *meta, const char *signature, const char *message)
{
	owned(words_done) struct words words = WORDS_INIT;
	struct err err = ERR_INIT;

	temp_ok(words_make(meta, &words, &err), &err);
	assert_string_equal(words.signature.data, signature);
	assert_string_equal(words.message.data, message);
}

static void end_in_one_line_break(void **state)
{
	(void)state;
	expect_words(&(struct change_meta){.title = "T", .author = "me"},
		     "me <me@users.noreply.localhost>", "T\n");
	expect_words(&(struct change_meta){.title = "T", .description = "a\n\n", .author = "me"},
		     "me <me@users.noreply.localhost>", "T\n\na\n");
}

static void leave_out_what_would_end_a_signature(void **state)
{
	(void)state;
	expect_words(&(struct change_meta){.title = "T", .author = "a<b>\nc", .email = "<x\n@y>"},
		     "abc <x@y>", "T\n");
}

static void have_a_limit(void **state)
{
	owned(words_done) struct words words = WORDS_INIT;
	owned(free) char *huge = mem_alloc((1 << 20) + 1);
	struct err err = ERR_INIT;

	(void)state;
	memset(huge, 'x', 1 << 20);
	assert_int_equal(
		words_make(&(struct change_meta){.title = huge, .author = "me"}, &words, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

/* git checks objects more strictly than it reads them. */
static void make_objects_that_git_accepts(void **state)
{
	struct temp *temp = *state;
	owned(quarantine_free) struct quarantine *quarantine = NULL;
	owned(words_done) struct words words = WORDS_INIT;
	owned(str_done) struct str out = str_new(1000);
	char hex[GIT_HEX];
	git_oid first, tag;
	struct err err = ERR_INIT;

	temp_ok(quarantine_new(temp->git, &quarantine, &err), &err);
	temp_ok(words_make(&temp_meta, &words, &err), &err);
	assert_int_equal(git_oid_fromstr(&first, temp->first), 0);
	temp_ok(words_tag(&words, quarantine_odb(quarantine), "v/1", &first, &tag, &err), &err);
	temp_ok(quarantine_publish(quarantine, &err), &err);
	git_oid_tostr(hex, sizeof(hex), &tag);
	temp_git(temp, (const char *[]){"update-ref", "refs/tags/v/1", hex, NULL}, &out);
	temp_fsck(temp);
	temp_git(temp, (const char *[]){"describe", "main", NULL}, &out);
	assert_string_equal(out.data, "v/1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(end_in_one_line_break),
		cmocka_unit_test(leave_out_what_would_end_a_signature),
		cmocka_unit_test(have_a_limit),
		TEMP_TEST(make_objects_that_git_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
