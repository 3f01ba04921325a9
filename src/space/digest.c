#include "space/digest.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/card.h"
#include "space/space.h"

enum { MODEL = 1 << REPO_MODEL, DATASET = 1 << REPO_DATASET, SPACE = 1 << REPO_SPACE, ALL = 7 };

/* Keys of a card whose values are tags, each with what stands before them, in the Hub's order. */
static const struct {
	const char *key;
	unsigned types;
	const char *prefix;
} tag_keys[] = {
	{"library_name", MODEL, ""},
	{"pipeline_tag", MODEL, ""},
	{"annotations_creators", DATASET, "annotations_creators:"},
	{"task_categories", DATASET, "task_categories:"},
	{"task_ids", DATASET, "task_ids:"},
	{"language_creators", DATASET, "language_creators:"},
	{"multilinguality", DATASET, "multilinguality:"},
	{"source_datasets", DATASET, "source_datasets:"},
	{"tags", ALL, ""},
	{"language", MODEL, ""},
	{"language", DATASET, "language:"},
	{"datasets", MODEL, "dataset:"},
	{"base_model", MODEL, "base_model:"},
	{"license", ALL, "license:"},
	{"size_categories", DATASET, "size_categories:"},
};

/* What a Space uses. */
static const struct {
	const char *key;
	const char *prefix;
} link_keys[] = {{"models", "model:"}, {"datasets", "dataset:"}};

/* Lines, each there once. */
struct lines {
	struct str text;
	unsigned count;
};

static struct lines lines_new(void)
{
	return (struct lines){.text = str_new((DIGEST_TAG_BYTES + 1) * DIGEST_TAGS_MAX + 1)};
}

static bool has_line(const struct lines *lines, const char *line)
{
	size_t length = strlen(line);

	for (const char *at = lines->text.data; *at; at += strcspn(at, "\n") + 1)
		if (strncmp(at, line, length) == 0 && at[length] == '\n')
			return true;
	return false;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void add_line(struct lines *lines, const char *prefix, const char *value)
{
	char line[DIGEST_TAG_BYTES + 1];
	int length = snprintf(line, sizeof(line), "%s%s", prefix, value);

	if (!*value || length > DIGEST_TAG_BYTES || lines->count == DIGEST_TAGS_MAX ||
	    !is_plain(value) || has_line(lines, line))
		return;
	str_addf(&lines->text, "%s\n", line);
	lines->count++;
}

/* One text, or several. */
static void add_values(struct lines *lines, const char *prefix, const json_t *values)
{
	const json_t *value;
	size_t i;

	if (json_is_string(values))
		add_line(lines, prefix, json_string_value(values));
	json_array_foreach (values, i, value)
		if (json_is_string(value))
			add_line(lines, prefix, json_string_value(value));
}

/* The SDK that the card states, else the one that the Space was made with. */
static const char *sdk_of(const struct repo *repo, const json_t *card)
{
	const char *sdk = json_string_value(json_object_get(card, "sdk"));
	bool stated = repo->type == REPO_SPACE && sdk && card_sdk_is_known(sdk);

	return stated ? sdk : repo->sdk;
}

static char *make_tags(const struct repo *repo, const json_t *card)
{
	struct lines lines = lines_new();

	if (repo->type == REPO_SPACE)
		add_line(&lines, "", sdk_of(repo, card));
	for (size_t i = 0; i < sizeof(tag_keys) / sizeof(tag_keys[0]); i++)
		if (tag_keys[i].types & (1U << repo->type))
			add_values(&lines, tag_keys[i].prefix,
				   json_object_get(card, tag_keys[i].key));
	lines.count = 0; /* the last one always has room */
	add_line(&lines, "", "region:us");
	return str_take(&lines.text);
}

static char *make_links(const struct repo *repo, const json_t *card)
{
	struct lines lines = lines_new();

	if (repo->type == REPO_SPACE)
		for (size_t i = 0; i < sizeof(link_keys) / sizeof(link_keys[0]); i++)
			add_values(&lines, link_keys[i].prefix,
				   json_object_get(card, link_keys[i].key));
	return str_take(&lines.text);
}

/* The front matter, or an empty object. */
static int read_card(struct git *git, const char *commit, json_t **out, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	struct err none = ERR_INIT;
	const void *bytes;
	size_t length;

	*out = NULL;
	if (git_entry(git, commit, "README.md", &entry, err) < 0) {
		if (err->kind != ERR_NO_ENTRY)
			return -1;
	} else if (!entry.is_dir && entry.size <= CARD_README_MAX) {
		if (git_blob_open(git, entry.oid, &blob, err) < 0)
			return -1;
		bytes = git_blob_bytes(blob, &length);
		if (card_data(bytes, length, out, &none) < 0)
			*out = NULL; /* who reads can't mend it */
	}
	if (!*out)
		*out = json_object();
	return 0;
}

/* A short text of a model's card; "" where there is none. For free(). */
static char *make_word(const struct repo *repo, const json_t *card, const char *key)
{
	const char *word = json_string_value(json_object_get(card, key));
	bool fits = repo->type == REPO_MODEL && word && strlen(word) <= DIGEST_TAG_BYTES;

	return mem_text(fits ? word : "");
}

static void fill(struct listing *out, const struct repo *repo, const char *commit,
		 const json_t *card)
{
	const char *title = json_string_value(json_object_get(card, "title"));
	bool titled = repo->type == REPO_SPACE && title && strlen(title) < CARD_TITLE_ROOM;

	*out = (struct listing){
		.library = make_word(repo, card, "library_name"),
		.task = make_word(repo, card, "pipeline_tag"),
		.title = mem_text(titled ? title : ""),
		.card = json_text(card),
		.tags = make_tags(repo, card),
		.links = make_links(repo, card),
	};
	snprintf(out->head, sizeof(out->head), "%s", commit);
	snprintf(out->sdk, sizeof(out->sdk), "%s", sdk_of(repo, card));
}

int digest_read(struct git *git, const struct repo *repo, const char *commit, struct listing *out,
		struct err *err)
{
	owned(json_decref) json_t *card = NULL;

	if (read_card(git, commit, &card, err) < 0)
		return -1;
	fill(out, repo, commit, card);
	return 0;
}

/* "" where main has no commit. */
static int find_head(struct git *git, char head[static GIT_HEX], struct err *err)
{
	if (git_resolve(git, "main", head, err) == 0)
		return 0;
	head[0] = '\0';
	return err->kind == ERR_NO_REVISION ? 0 : -1;
}

int digest_head(struct git *git, const struct repo *repo, struct listing *out, struct err *err)
{
	owned(json_decref) json_t *none = NULL;
	char head[GIT_HEX];

	if (find_head(git, head, err) < 0)
		return -1;
	if (*head)
		return digest_read(git, repo, head, out, err);
	none = json_object();
	fill(out, repo, head, none);
	return 0;
}

/* A Space that was made without files of its own has nothing to build before its first push. */
static int tell_space(struct store_db *db, struct git *git, const struct repo *repo,
		      const char *head, bool *told, struct err *err)
{
	owned(git_commit_info_done) struct git_commit_info info = {0};
	struct space space;
	int found = space_get(db, repo->id, &space, err);

	if (found <= 0)
		return found;
	if (!*head || strcmp(space.commit, head) == 0)
		return 0;
	if (!*space.commit && git_commit_info(git, head, &info, err) < 0)
		return -1;
	if (!*space.commit && !*info.parent)
		return 0;
	*told = true;
	return space_pushed(db, repo->id, head, err);
}

int digest_write(struct store_db *db, struct git *git, const struct repo *repo,
		 struct listing *listing, bool *told, struct err *err)
{
	char head[GIT_HEX];

	if (find_head(git, head, err) < 0)
		return -1;
	if (strcmp(head, listing->head) != 0) {
		listing_done(listing);
		if (digest_head(git, repo, listing, err) < 0)
			return -1;
	}
	if (listing_put(db, repo->id, listing, err) < 0)
		return -1;
	if (repo->type != REPO_SPACE)
		return 0;
	return tell_space(db, git, repo, listing->head, told, err);
}
