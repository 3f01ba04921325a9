#include "space/advice.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "space/card.h"

enum { SHORT_MAX = 60, LICENSE_MAX = 64, EMOJI_MAX_BYTES = 40 };

/* An error's text may have been cut in the middle of a letter: then it goes without all such. */
static json_t *sentence(char *words)
{
	json_t *string = json_string(words);

	if (string)
		return string;
	for (char *c = words; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(words);
}

like_printf(2, 3) static void say(json_t *list, const char *format, ...)
{
	owned(free) char *words = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&words, format, args) < 0)
		abort(); /* out of memory, as in base/mem.h */
	va_end(args);
	json_array_append_new(list, json_pack("{s:o}", "message", sentence(words)));
}

/* Kinds of values */

static bool is_text(const json_t *value)
{
	return json_is_string(value);
}

static bool is_flag(const json_t *value)
{
	return json_is_boolean(value);
}

static bool is_list(const json_t *value)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return false;
	json_array_foreach (value, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static bool is_text_or_list(const json_t *value)
{
	return is_text(value) || is_list(value);
}

static bool is_sdk(const json_t *value)
{
	return json_is_string(value) && card_sdk_is_known(json_string_value(value));
}

static bool is_color(const json_t *value)
{
	static const char *const words[] = {"red",    "yellow", "green", "blue",
					    "indigo", "purple", "pink",  "gray"};
	const char *text = json_string_value(value);

	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* One picture may be several characters, and a digit may be a part of one; letters never are. */
static bool is_emoji(const json_t *value)
{
	const char *text = json_string_value(value);
	bool plain = true;

	if (!text || strlen(text) > EMOJI_MAX_BYTES)
		return false;
	for (; *text; text++) {
		if (isalpha((unsigned char)*text) || isspace((unsigned char)*text))
			return false;
		plain = plain && (unsigned char)*text < 0x80;
	}
	return !plain;
}

static bool is_short(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t count = 0;

	for (; text && *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80; /* once per character */
	return text && count <= SHORT_MAX;
}

struct kind {
	bool (*fits)(const json_t *value);
	const char *words;
};

static const struct kind text = {is_text, "a text"};
static const struct kind flag = {is_flag, "true or false"};
static const struct kind list = {is_list, "a list of texts"};
static const struct kind text_or_list = {is_text_or_list, "a text or a list of texts"};
static const struct kind sdk = {is_sdk, "one of [gradio, streamlit, docker, static]"};
static const struct kind color = {is_color,
				  "one of [red, yellow, green, blue, indigo, purple, pink, gray]"};
static const struct kind emoji = {is_emoji, "an emoji"};
static const struct kind short_text = {is_short, "a text of at most 60 characters"};

/* Keys by the Hub's documentation of cards. What card_parse() reads of a Space is judged there. */
enum { MODELS = 1 << REPO_MODEL, DATASETS = 1 << REPO_DATASET, SPACES = 1 << REPO_SPACE, ALL = 7 };

static const struct rule {
	const char *key;
	unsigned types;
	const struct kind *kind;
} rules[] = {
	{"base_model", MODELS, &text_or_list},
	{"colorFrom", SPACES, &color},
	{"colorTo", SPACES, &color},
	{"datasets", MODELS | SPACES, &text_or_list},
	{"disable_embedding", SPACES, &flag},
	{"emoji", SPACES, &emoji},
	{"fullWidth", SPACES, &flag},
	{"hf_oauth", SPACES, &flag},
	{"hf_oauth_scopes", SPACES, &list},
	{"language", MODELS | DATASETS, &text_or_list},
	{"library_name", MODELS, &text},
	{"license", ALL, &text_or_list},
	{"license_link", ALL, &text},
	{"license_name", ALL, &text},
	{"models", SPACES, &text_or_list},
	{"pinned", SPACES, &flag},
	{"pipeline_tag", MODELS, &text},
	{"preload_from_hub", SPACES, &list},
	{"pretty_name", DATASETS, &text},
	{"sdk", SPACES, &sdk},
	{"short_description", SPACES, &short_text},
	{"size_categories", DATASETS, &text_or_list},
	{"suggested_hardware", SPACES, &text},
	{"tags", ALL, &text_or_list},
	{"task_categories", DATASETS, &text_or_list},
	{"task_ids", DATASETS, &text_or_list},
	{"title", SPACES, &text},
};

static void check_kinds(const json_t *front, enum repo_type type, json_t *errors)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const json_t *value = json_object_get(front, rules[i].key);

		if (value && !json_is_null(value) && (rules[i].types & 1U << type) &&
		    !rules[i].kind->fits(value))
			say(errors, "\"%s\" must be %s", rules[i].key, rules[i].kind->words);
	}
}

/* Words such as apache-2.0: lists are filtered by them. */
static bool is_identifier(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
	size_t length = strlen(word);

	return length > 0 && length <= LICENSE_MAX && strspn(word, plain) == length;
}

static void check_license(const json_t *front, json_t *warnings)
{
	const char *license = json_string_value(json_object_get(front, "license"));

	if (!license)
		return;
	if (!is_identifier(license))
		say(warnings,
		    "\"license\" should be an identifier such as apache-2.0, or other with a "
		    "\"license_name\"");
	else if (strcmp(license, "other") == 0 && !json_object_get(front, "license_name"))
		say(warnings, "\"license\" is other, and no \"license_name\" says which");
}

void advice_give(const char *readme, size_t length, enum repo_type type, json_t *errors,
		 json_t *warnings)
{
	owned(json_decref) json_t *front = NULL;
	owned(card_done) struct card card = CARD_INIT;
	struct err err = ERR_INIT;

	if (length > CARD_README_MAX) {
		say(errors, "README.md has %zu bytes and is not read, for that is more than %d",
		    length, CARD_README_MAX);
		return;
	}
	if (card_data(readme, length, &front, &err) < 0) {
		say(errors, "%s", err.text);
		return;
	}
	check_kinds(front, type, errors);
	if (type == REPO_SPACE && json_array_size(errors) == 0 &&
	    card_parse(readme, length, &card, &err) < 0)
		say(errors, "%s", err.text);
	if (json_object_size(front) == 0)
		say(warnings, "empty or missing yaml metadata in repo card");
	check_license(front, warnings);
}
