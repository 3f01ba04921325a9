#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "space/advice.h"
#include "space/card.h"

static const char *first(const json_t *list)
{
	const char *sentence =
		json_string_value(json_object_get(json_array_get(list, 0), "message"));

	return sentence ? sentence : "";
}

/* The first error and the first warning about a front matter; "" where there must be none. */
static void expect(const char *readme, enum repo_type type, const char *error, const char *warning)
{
	owned(json_decref) json_t *errors = json_array();
	owned(json_decref) json_t *warnings = json_array();

	advice_give(readme, strlen(readme), type, errors, warnings);
	if (strcmp(first(errors), error) != 0 || strcmp(first(warnings), warning) != 0)
		fail_msg("%s: \"%s\" and \"%s\"", readme, first(errors), first(warnings));
}

static void is_silent_about_good_cards(void **state)
{
	expect("---\ntitle: x\nemoji: 🌱\ncolorFrom: green\ncolorTo: gray\nsdk: gradio\n"
	       "sdk_version: 5.0\napp_file: app.py\npinned: false\nshort_description: ééé\n"
	       "license: apache-2.0\ntags: [a, b]\nmodels: [me/a]\n---\n# x",
	       REPO_SPACE, "", "");
	expect("---\nlicense: [mit, apache-2.0]\nlanguage: en\nbase_model: me/x\n---\n", REPO_MODEL,
	       "", "");
	expect("---\npretty_name: x\ntask_categories:\n- text-generation\n---\n", REPO_DATASET, "",
	       "");
	expect("---\nlicense: other\nlicense_name: mine\ntags:\n---\n", REPO_MODEL, "", "");
	expect("---\nemoji: 1️⃣\n---\n", REPO_SPACE, "", "");
}

static void misses_metadata(void **state)
{
	static const char sentence[] = "empty or missing yaml metadata in repo card";

	expect("# none\n", REPO_MODEL, "", sentence);
	expect("", REPO_DATASET, "", sentence);
	expect("---\n---\n", REPO_SPACE, "", sentence);
}

static void tells_values_of_another_kind(void **state)
{
	static const struct {
		const char *line;
		const char *error;
	} cards[] = {
		{"sdk: other", "\"sdk\" must be one of [gradio, streamlit, docker, static]"},
		{"sdk: 1", "\"sdk\" must be one of [gradio, streamlit, docker, static]"},
		{"title: [x]", "\"title\" must be a text"},
		{"colorFrom: brown", "\"colorFrom\" must be one of [red, yellow, green, blue, "
				     "indigo, purple, pink, gray]"},
		{"emoji: x", "\"emoji\" must be an emoji"},
		{"emoji: 12", "\"emoji\" must be an emoji"},
		{"emoji: '#'", "\"emoji\" must be an emoji"},
		{"emoji: 🌱🌱🌱🌱🌱🌱🌱🌱🌱🌱🌱", "\"emoji\" must be an emoji"},
		{"pinned: yes please", "\"pinned\" must be true or false"},
		{"tags: {a: b}", "\"tags\" must be a text or a list of texts"},
		{"hf_oauth_scopes: [1]", "\"hf_oauth_scopes\" must be a list of texts"},
		{"short_description: "
		 "1234567890123456789012345678901234567890123456789012345678901x",
		 "\"short_description\" must be a text of at most 60 characters"},
		{"app_port: 70000", "README.md: app_port must be from 1 to 65535"},
		{"app_file: ../x", "README.md: app_file must be a path inside of the repository"},
		{"title: x\ntitle: y", "README.md line 3: title stands twice"},
	};

	for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
		owned(free) char *readme = mem_format("---\n%s\n---\n", cards[i].line);

		expect(readme, REPO_SPACE, cards[i].error, "");
	}
}

/* The key is cut to 60 bytes, in the middle of the last letter. */
static void tells_what_can_not_be_shown_whole(void **state)
{
	static const char key[] = "aaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéaéa";
	owned(free) char *readme = mem_format("---\n%s: 1\n%s: 2\n---\n", key, key);

	expect(readme, REPO_MODEL,
	       "README.md line 3: aa??a??a??a??a??a??a??a??a??a??a??a??a??a??a??a??a??a??a??a? "
	       "stands twice",
	       "");
}

/* A model may have keys of a Space with values of its own. */
static void judges_by_the_kind_of_repository(void **state)
{
	expect("---\nsdk: 1\napp_port: x\nemoji: x\n---\n", REPO_MODEL, "", "");
	expect("---\nlibrary_name: [x]\n---\n", REPO_SPACE, "", "");
	expect("---\nlibrary_name: [x]\n---\n", REPO_MODEL, "\"library_name\" must be a text", "");
}

static void wants_licenses_that_can_be_listed(void **state)
{
	expect("---\nlicense: My own\n---\n", REPO_DATASET, "",
	       "\"license\" should be an identifier such as apache-2.0, or other with a "
	       "\"license_name\"");
	expect("---\nlicense: other\n---\n", REPO_MODEL, "",
	       "\"license\" is other, and no \"license_name\" says which");
	expect("---\nlicense: 2\n---\n", REPO_MODEL,
	       "\"license\" must be a text or a list of texts", "");
}

static void tells_what_is_not_read(void **state)
{
	char *readme = mem_alloc(CARD_README_MAX + 2);

	memset(readme, 'x', CARD_README_MAX + 1);
	readme[CARD_README_MAX + 1] = '\0';
	expect(readme, REPO_MODEL,
	       "README.md has 8388609 bytes and is not read, for that is more than 8388608", "");
	free(readme);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_silent_about_good_cards),
		cmocka_unit_test(misses_metadata),
		cmocka_unit_test(tells_values_of_another_kind),
		cmocka_unit_test(tells_what_can_not_be_shown_whole),
		cmocka_unit_test(judges_by_the_kind_of_repository),
		cmocka_unit_test(wants_licenses_that_can_be_listed),
		cmocka_unit_test(tells_what_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
