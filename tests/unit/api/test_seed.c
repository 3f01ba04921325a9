#include "temp.h"

#include "api/seed.h"
#include "base/json.h"
#include "space/card.h"

static char *text_of(const char *path, const char *commit, const char *name)
{
	owned(git_close) struct git *git = NULL;
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	struct err err = ERR_INIT;
	const void *bytes;
	size_t length;

	assert_ok(git_open(path, &git, &err));
	if (git_entry(git, commit, name, &entry, &err) < 0)
		return NULL;
	assert_ok(git_blob_open(git, entry.oid, &blob, &err));
	bytes = git_blob_bytes(blob, &length);
	return mem_text_n(bytes, length);
}

/* Our own README must be one that we read: also with names that are other types in YAML. */
static void the_card_of_a_space_says_what_was_asked_for(void **state)
{
	static const char *const names[] = {"demo", "1e3", "no", "null", "2026-01-01", "0x10"};
	static const char *const sdks[] = {"gradio", "streamlit", "docker", "static"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		owned(free) char *path = mem_format("%s/%zu.git", (char *)*state, i);
		owned(card_done) struct card card = CARD_INIT;
		const struct seed seed = {
			.type = REPO_SPACE,
			.name = names[i],
			.sdk = sdks[i % 4],
			.sdk_version = "4.10",
			.license = "mit",
			.author = "me",
		};
		owned(free) char *readme = NULL;
		struct err err = ERR_INIT;
		char commit[GIT_HEX];

		assert_ok(seed_check(&seed, &err));
		assert_ok(seed_write(&seed, path, commit, &err));
		readme = text_of(path, commit, "README.md");
		assert_ok(card_parse(readme, strlen(readme), &card, &err));
		assert_string_equal(card.title, names[i]);
		assert_string_equal(card.sdk, sdks[i % 4]);
		assert_string_equal(card.sdk_version, "4.10");
	}
}

static void a_model_gets_a_card_only_for_a_license(void **state)
{
	owned(free) char *plain = mem_format("%s/plain.git", (char *)*state);
	owned(free) char *licensed = mem_format("%s/licensed.git", (char *)*state);
	struct seed seed = {.type = REPO_MODEL, .name = "m", .author = "me"};
	owned(free) char *none = NULL;
	owned(free) char *card = NULL;
	struct err err = ERR_INIT;
	char commit[GIT_HEX];

	assert_ok(seed_write(&seed, plain, commit, &err));
	none = text_of(plain, commit, "README.md");
	assert_null(none);
	seed.license = "apache-2.0";
	assert_ok(seed_write(&seed, licensed, commit, &err));
	card = text_of(licensed, commit, "README.md");
	assert_string_equal(card, "---\nlicense: \"apache-2.0\"\n---\n");
}

static void files_of_the_client_win_over_ours(void **state)
{
	owned(free) char *path = mem_format("%s/r.git", (char *)*state);
	json_t *files =
		json_pack("[{s:s, s:s}, {s:s, s:s, s:s}]", "path", "README.md", "content",
			  "bWluZQ==", "path", "b/c", "content", "caf\xc3\xa9", "encoding", "utf-8");
	const struct seed seed = {.type = REPO_MODEL, .name = "m", .author = "me", .files = files};
	owned(free) char *readme = NULL;
	owned(free) char *other = NULL;
	struct err err = ERR_INIT;
	char commit[GIT_HEX];

	assert_ok(seed_check(&seed, &err));
	assert_true(seed_has_files(&seed));
	assert_ok(seed_write(&seed, path, commit, &err));
	readme = text_of(path, commit, "README.md");
	other = text_of(path, commit, "b/c");
	assert_string_equal(readme, "mine");
	assert_string_equal(other, "caf\xc3\xa9");
	json_decref(files);
}

static void nothing_stays_of_what_failed(void **state)
{
	owned(free) char *path = mem_format("%s/r.git", (char *)*state);
	json_t *files = json_pack("[{s:s, s:s}]", "path", "a", "content", "no base64!");
	const struct seed seed = {.type = REPO_MODEL, .name = "m", .author = "me", .files = files};
	struct err err = ERR_INIT;
	char commit[GIT_HEX];

	assert_int_equal(seed_write(&seed, path, commit, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_false(file_exists(AT_FDCWD, path));
	json_decref(files);
}

static void a_template_is_copied(void **state)
{
	owned(free) char *from = mem_format("%s/from.git", (char *)*state);
	owned(free) char *into = mem_format("%s/into.git", (char *)*state);
	json_t *files = json_pack("[{s:s, s:s}]", "path", "x/app.py", "content", "AAEC");
	struct seed seed = {.type = REPO_MODEL, .name = "m", .author = "me", .files = files};
	owned(git_close) struct git *template = NULL;
	owned(free) char *copied = NULL;
	struct err err = ERR_INIT;
	char commit[GIT_HEX];

	assert_ok(seed_write(&seed, from, commit, &err));
	assert_ok(git_open(from, &template, &err));
	seed.files = NULL;
	seed.template = template;
	assert_ok(seed_write(&seed, into, commit, &err));
	copied = text_of(into, commit, "x/app.py");
	assert_memory_equal(copied, "\0\1\2", 3);
	json_decref(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_card_of_a_space_says_what_was_asked_for,
						temp_setup, temp_teardown),
		cmocka_unit_test_setup_teardown(a_model_gets_a_card_only_for_a_license, temp_setup,
						temp_teardown),
		cmocka_unit_test_setup_teardown(files_of_the_client_win_over_ours, temp_setup,
						temp_teardown),
		cmocka_unit_test_setup_teardown(nothing_stays_of_what_failed, temp_setup,
						temp_teardown),
		cmocka_unit_test_setup_teardown(a_template_is_copied, temp_setup, temp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
