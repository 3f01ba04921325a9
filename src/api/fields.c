#include "api/fields.h"

#include <assert.h>
#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/lookup.h"
#include "api/runtime.h"
#include "api/url.h"
#include "base/clock.h"
#include "base/mem.h"
#include "repo/usage.h"

enum { MODEL = 1 << REPO_MODEL, DATASET = 1 << REPO_DATASET, SPACE = 1 << REPO_SPACE, ALL = 7 };

enum {
	INFO = FIELDS_INFO,
	LIST = FIELDS_LIST,
	FULL = FIELDS_FULL,
	CARD = FIELDS_CARD,
	FOUND = FIELDS_SEARCH,
	CONFIG = FIELDS_CONFIG,
};

void fields_done(struct fields_entry *entry)
{
	listing_done(&entry->listing);
	free(entry->space);
	git_close(entry->git);
}

/* Each appends its value, or nothing where there is none to tell: then the field is left out. */

static int put_author(struct fields_entry *entry, struct str *out, struct err *err)
{
	answer_add_string(out, entry->repo.owner);
	return 0;
}

static int put_sha(struct fields_entry *entry, struct str *out, struct err *err)
{
	if (entry->listing.head[0])
		answer_add_string(out, entry->listing.head);
	return 0;
}

static void put_time(struct str *out, int64_t wall_ms)
{
	char stamp[CLOCK_STAMP_MAX];

	answer_add_string(out, clock_stamp(wall_ms, stamp));
}

static int put_modified(struct fields_entry *entry, struct str *out, struct err *err)
{
	put_time(out, entry->repo.modified_ms);
	return 0;
}

static int put_created(struct fields_entry *entry, struct str *out, struct err *err)
{
	put_time(out, entry->repo.created_ms);
	return 0;
}

static int put_private(struct fields_entry *entry, struct str *out, struct err *err)
{
	str_add(out, entry->repo.is_private ? "true" : "false");
	return 0;
}

static int put_gated(struct fields_entry *entry, struct str *out, struct err *err)
{
	if (entry->repo.gated[0])
		answer_add_string(out, entry->repo.gated);
	else
		str_add(out, "false");
	return 0;
}

static int put_false(struct fields_entry *entry, struct str *out, struct err *err)
{
	str_add(out, "false");
	return 0;
}

static int put_zero(struct fields_entry *entry, struct str *out, struct err *err)
{
	str_add(out, "0");
	return 0;
}

/* Known to clients, but nothing that we could tell. */
static int put_nothing(struct fields_entry *entry, struct str *out, struct err *err)
{
	return 0;
}

/* As in the tags, where clients look for one. */
static int put_region(struct fields_entry *entry, struct str *out, struct err *err)
{
	answer_add_string(out, "us");
	return 0;
}

static int put_sdk(struct fields_entry *entry, struct str *out, struct err *err)
{
	answer_add_string(out, entry->listing.sdk);
	return 0;
}

static int put_subdomain(struct fields_entry *entry, struct str *out, struct err *err)
{
	answer_add_string(out, entry->space->slug);
	return 0;
}

static int put_host(struct fields_entry *entry, struct str *out, struct err *err)
{
	owned(free) char *url = url_space(entry->call, entry->space->slug);

	answer_add_string(out, url);
	return 0;
}

static int put_runtime(struct fields_entry *entry, struct str *out, struct err *err)
{
	owned(json_decref) json_t *runtime = NULL;
	owned(free) char *text = NULL;

	if (runtime_json(entry->call, entry->space, &runtime, err) < 0)
		return -1;
	text = json_text(runtime);
	str_add(out, text);
	return 0;
}

static int put_card(struct fields_entry *entry, struct str *out, struct err *err)
{
	if (strcmp(entry->listing.card, "{}") != 0)
		str_add(out, entry->listing.card);
	return 0;
}

/* The lines of a text that begin with `prefix`, without it, as an array. */
static void put_lines(struct str *out, const char *lines, const char *prefix)
{
	const char *comma = "";
	size_t length;

	str_add_char(out, '[');
	for (const char *at = lines; *at; at += length) {
		length = strcspn(at, "\n") + 1;
		if (!str_starts(at, prefix))
			continue;
		owned(free) char *line =
			mem_text_n(at + strlen(prefix), length - 1 - strlen(prefix));
		str_add(out, comma);
		answer_add_string(out, line);
		comma = ",";
	}
	str_add_char(out, ']');
}

static int put_tags(struct fields_entry *entry, struct str *out, struct err *err)
{
	put_lines(out, entry->listing.tags, "");
	return 0;
}

static int put_models(struct fields_entry *entry, struct str *out, struct err *err)
{
	put_lines(out, entry->listing.links, "model:");
	return 0;
}

static int put_datasets(struct fields_entry *entry, struct str *out, struct err *err)
{
	put_lines(out, entry->listing.links, "dataset:");
	return 0;
}

/* What the card has under a key, if it is of this type. */
static int put_of_card(struct fields_entry *entry, const char *key, json_type type, struct str *out,
		       struct err *err)
{
	owned(json_decref) json_t *card = NULL;
	owned(free) char *text = NULL;
	owned(free) char *quoted = mem_format("\"%s\":", key);
	const json_t *value;

	if (!strstr(entry->listing.card, quoted))
		return 0; /* of most; parsing takes longer than all the rest */
	if (json_parse(entry->listing.card, strlen(entry->listing.card), &card, err) < 0)
		return err_in(err, "card of %s", entry->repo.full_name);
	value = json_object_get(card, key);
	if (!value || json_typeof(value) != type)
		return 0;
	text = json_text(value);
	str_add(out, text);
	return 0;
}

static int put_library(struct fields_entry *entry, struct str *out, struct err *err)
{
	if (entry->listing.library[0])
		answer_add_string(out, entry->listing.library);
	return 0;
}

static int put_pipeline(struct fields_entry *entry, struct str *out, struct err *err)
{
	if (entry->listing.task[0])
		answer_add_string(out, entry->listing.task);
	return 0;
}

static int put_model_index(struct fields_entry *entry, struct str *out, struct err *err)
{
	return put_of_card(entry, "model-index", JSON_ARRAY, out, err);
}

static int put_widget(struct fields_entry *entry, struct str *out, struct err *err)
{
	return put_of_card(entry, "widget", JSON_ARRAY, out, err);
}

static int put_paper(struct fields_entry *entry, struct str *out, struct err *err)
{
	return put_of_card(entry, "paperswithcode_id", JSON_STRING, out, err);
}

static char *git_path(const struct fields_entry *entry)
{
	return datadir_path(entry->call->config->dir, "repos/%s.git", entry->repo.hex);
}

static int put_storage(struct fields_entry *entry, struct str *out, struct err *err)
{
	owned(free) char *path = git_path(entry);
	int64_t bytes;

	if (usage_of(path, &bytes, err) < 0)
		return err_in(err, "%s", entry->repo.full_name);
	str_addf(out, "%lld", (long long)bytes);
	return 0;
}

static int open_files(struct fields_entry *entry, struct err *err)
{
	owned(free) char *path = git_path(entry);

	if (!entry->git && shelf_open(entry->call->config->shelf, path, &entry->git, err) < 0)
		return err_in(err, "%s", entry->repo.full_name);
	return 0;
}

/* config.json of a model, if it has a readable one; *out is NULL else. */
static int read_config(struct fields_entry *entry, json_t **out, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct err unreadable = ERR_INIT;
	struct git_entry file;
	const void *bytes;
	size_t length;
	int found;

	if (open_files(entry, err) < 0)
		return -1;
	found = call_entry(entry->git, entry->listing.head, "config.json", &file, err);
	if (found <= 0 || file.is_dir || file.size > LIMITS_CONFIG)
		return found < 0 ? -1 : 0;
	if (git_blob_open(entry->git, file.oid, &blob, err) < 0)
		return -1;
	bytes = git_blob_bytes(blob, &length);
	if (json_parse(bytes, length, out, &unreadable) < 0)
		*out = NULL; /* who reads can't mend it */
	return 0;
}

/* Of config.json what lists of the real Hub tell. */
static int put_config(struct fields_entry *entry, struct str *out, struct err *err)
{
	static const char *const keys[] = {"architectures", "model_type"};
	owned(json_decref) json_t *config = NULL;
	owned(json_decref) json_t *told = json_object();
	owned(free) char *text = NULL;

	if (!entry->listing.head[0])
		return 0;
	if (read_config(entry, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(config, keys[i]);

		if (value)
			json_object_set(told, keys[i], value);
	}
	if (json_object_size(told) == 0)
		return 0;
	text = json_text(told);
	str_add(out, text);
	return 0;
}

/* Spaces that say that they use the model, as far as the caller may see them. */
static int put_spaces(struct fields_entry *entry, struct str *out, struct err *err)
{
	owned(free) char *link = mem_format("model:%s", entry->repo.full_name);
	const char *const links[] = {link};
	const struct catalogue_query query = {.types = SPACE,
					      .links = {links, 1},
					      .order = CATALOGUE_MODIFIED,
					      .descending = true,
					      .limit = LIMITS_SEARCH};
	owned(lookup_done) struct lookup lookup = {0};

	if (lookup_page(entry->call, &query, 0, &lookup, err) < 0)
		return -1;
	str_add_char(out, '[');
	for (size_t i = 0; i < lookup.count; i++) {
		str_add(out, i ? "," : "");
		answer_add_string(out, lookup.entries[i].repo.full_name);
	}
	str_add_char(out, ']');
	return 0;
}

struct siblings {
	struct str *out;
	size_t count;
	bool blobs;
};

static bool put_sibling(void *arg, const struct git_entry *file)
{
	struct siblings *siblings = arg;

	if (file->is_dir)
		return true;
	str_add(siblings->out, siblings->count ? ",{\"rfilename\":" : "{\"rfilename\":");
	answer_add_string(siblings->out, file->path);
	if (siblings->blobs)
		str_addf(siblings->out, ",\"size\":%llu,\"blobId\":\"%s\"",
			 (unsigned long long)file->size, file->oid);
	str_add_char(siblings->out, '}');
	return ++siblings->count < LIMITS_SIBLINGS && !siblings->out->failed;
}

static int write_siblings(struct fields_entry *entry, struct str *out, struct err *err)
{
	struct siblings siblings = {.out = out, .blobs = entry->blobs};

	if (open_files(entry, err) < 0)
		return -1;
	str_add_char(out, '[');
	if (entry->listing.head[0] &&
	    git_walk(entry->git, entry->listing.head, "", true, put_sibling, &siblings, err) < 0)
		return -1;
	str_add_char(out, ']');
	return str_check(out, "the list of files", err);
}

/* The files of a commit never change: the list is written once, without opening the repository. */
static int put_siblings(struct fields_entry *entry, struct str *out, struct err *err)
{
	struct kept *kept = entry->call->config->kept;
	owned(free) char *key =
		mem_format("siblings %s %s %d", entry->repo.hex, entry->listing.head, entry->blobs);
	owned(kept_unref) struct kept_text *list = kept_find(kept, key);
	owned(str_done) struct str text = str_new(LIMITS_ANSWER);

	if (!list) {
		if (write_siblings(entry, &text, err) < 0)
			return -1;
		list = kept_put(kept, key, mem_text_n(text.data, text.length), text.length);
	}
	str_add_n(out, list->bytes, list->length);
	return 0;
}

/* Where a value is: in the rows of the repository, in that of its Space, or farther away. */
enum source { OF_REPO, OF_SPACE, OF_FILES };

struct field {
	const char *name;
	unsigned types;
	unsigned sets;
	bool expandable;
	enum source source;
	int (*put)(struct fields_entry *entry, struct str *out, struct err *err);
};

static const struct field fields[] = {
	{"author", ALL, INFO | LIST | FOUND, true, OF_REPO, put_author},
	{"baseModels", MODEL, 0, true, OF_REPO, put_nothing},
	{"cardData", ALL, INFO | CARD, true, OF_REPO, put_card},
	{"childrenModelCount", MODEL, 0, true, OF_REPO, put_nothing},
	{"citation", DATASET, 0, true, OF_REPO, put_nothing},
	{"config", MODEL, CONFIG, true, OF_FILES, put_config},
	{"createdAt", ALL, INFO | LIST, true, OF_REPO, put_created},
	{"datasets", SPACE, INFO | FULL, true, OF_REPO, put_datasets},
	{"description", DATASET, 0, true, OF_REPO, put_nothing},
	{"disabled", ALL, INFO | FULL, true, OF_REPO, put_false},
	{"downloads", MODEL | DATASET, INFO | LIST, true, OF_REPO, put_zero},
	{"downloadsAllTime", MODEL | DATASET, 0, true, OF_REPO, put_zero},
	{"evalResults", MODEL, 0, true, OF_REPO, put_nothing},
	{"gated", MODEL | DATASET, INFO | LIST, true, OF_REPO, put_gated},
	{"gated", SPACE, INFO | FULL, false, OF_REPO, put_gated},
	{"gguf", MODEL, 0, true, OF_REPO, put_nothing},
	{"gitalyUid", ALL, 0, true, OF_REPO, put_nothing},
	{"host", SPACE, INFO | FULL, false, OF_SPACE, put_host},
	{"inference", MODEL, 0, true, OF_REPO, put_nothing},
	{"inferenceProviderMapping", MODEL, 0, true, OF_REPO, put_nothing},
	{"lastModified", ALL, INFO | LIST | FOUND, true, OF_REPO, put_modified},
	{"library_name", MODEL, INFO | LIST, true, OF_REPO, put_library},
	{"likes", ALL, INFO | LIST | FOUND, true, OF_REPO, put_zero},
	{"mainSize", DATASET, 0, true, OF_REPO, put_nothing},
	{"mask_token", MODEL, 0, true, OF_REPO, put_nothing},
	{"model-index", MODEL, 0, true, OF_REPO, put_model_index},
	{"models", SPACE, INFO | FULL, true, OF_REPO, put_models},
	{"paperswithcode_id", DATASET, 0, true, OF_REPO, put_paper},
	{"pipeline_tag", MODEL, INFO | LIST, true, OF_REPO, put_pipeline},
	{"private", ALL, INFO | LIST | FOUND, true, OF_REPO, put_private},
	{"region", SPACE, 0, true, OF_REPO, put_region},
	{"resourceGroup", ALL, 0, true, OF_REPO, put_nothing},
	{"runtime", SPACE, INFO | FOUND, true, OF_SPACE, put_runtime},
	{"safetensors", MODEL, 0, true, OF_REPO, put_nothing},
	{"sdk", SPACE, INFO | LIST | FOUND, true, OF_REPO, put_sdk},
	{"securityRepoStatus", MODEL, 0, true, OF_REPO, put_nothing},
	{"sha", ALL, INFO | FULL, true, OF_REPO, put_sha},
	{"siblings", ALL, INFO, true, OF_FILES, put_siblings},
	{"spaces", MODEL, 0, true, OF_FILES, put_spaces},
	{"subdomain", SPACE, INFO | FULL, true, OF_SPACE, put_subdomain},
	{"tags", ALL, INFO | LIST | FOUND, true, OF_REPO, put_tags},
	{"transformersInfo", MODEL, 0, true, OF_REPO, put_nothing},
	{"trendingScore", ALL, LIST | FOUND, true, OF_REPO, put_zero},
	{"usedStorage", ALL, 0, true, OF_FILES, put_storage},
	{"widgetData", MODEL, 0, true, OF_REPO, put_widget},
	/* Asked before every upload from 0.30 to 0.35; false keeps those clients off Xet (B5). */
	{"xetEnabled", ALL, 0, true, OF_REPO, put_false},
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static_assert(FIELD_COUNT <= 64, "a choice has one bit for each field");

static bool fits(const struct field *field, enum repo_type type)
{
	return field->types & (1U << type);
}

/* The sentence that clients' tests know, with every name that is possible for this kind. */
static int refuse_expand(enum repo_type type, struct err *err)
{
	owned(str_done) struct str names = str_new(2 * sizeof(err->text));

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].expandable && fits(&fields[i], type))
			str_addf(&names, "%s%s", names.length ? ", " : "", fields[i].name);
	return err_set(err, ERR_INVALID, "\"expand\" must be one of [%s]", names.data);
}

static uint64_t find_field(enum repo_type type, const char *name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].expandable && fits(&fields[i], type) &&
		    strcmp(fields[i].name, name) == 0)
			return 1ULL << i;
	return 0;
}

uint64_t fields_in(enum repo_type type, unsigned sets)
{
	uint64_t chosen = 0;

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if ((fields[i].sets & sets) && fits(&fields[i], type))
			chosen |= 1ULL << i;
	return chosen;
}

int fields_choose(const struct call *call, enum repo_type type, unsigned sets, uint64_t *out,
		  struct err *err)
{
	const char *names[LIMITS_EXPAND + 1];
	size_t count = http_query_all(call->request, "expand", names, LIMITS_EXPAND + 1);
	uint64_t chosen = 0;

	if (count > LIMITS_EXPAND)
		return err_set(err, ERR_TOO_LARGE, "at most %d fields in one call", LIMITS_EXPAND);
	for (size_t i = 0; i < count; i++) {
		uint64_t field = find_field(type, names[i]);

		if (!field)
			return refuse_expand(type, err);
		chosen |= field;
	}
	*out = count ? chosen : fields_in(type, sets);
	return 0;
}

static bool has_source(uint64_t chosen, enum source source)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if ((chosen & 1ULL << i) && fields[i].source == source)
			return true;
	return false;
}

bool fields_are_slow(uint64_t chosen)
{
	return has_source(chosen, OF_FILES);
}

int fields_load_space(struct store_db *db, uint64_t chosen, struct fields_entry *entry,
		      struct err *err)
{
	if (!has_source(chosen, OF_SPACE))
		return 1;
	entry->space = mem_new(struct space);
	return space_get(db, entry->repo.id, entry->space, err);
}

int fields_load(struct store_db *db, uint64_t chosen, struct fields_entry *entry, struct err *err)
{
	if (listing_find(db, entry->repo.id, &entry->listing, err) < 0)
		return -1;
	return fields_load_space(db, chosen, entry, err);
}

static int write_field(struct fields_entry *entry, const struct field *field, struct str *out,
		       struct err *err)
{
	size_t before = out->length;
	size_t start;

	/* Not by a format: a page has ten thousand of them. */
	str_add(out, ",\"");
	str_add(out, field->name);
	str_add(out, "\":");
	start = out->length;
	if (field->put(entry, out, err) < 0)
		return -1;
	if (out->length == start && !out->failed)
		str_cut(out, before);
	return 0;
}

int fields_write(struct fields_entry *entry, uint64_t chosen, struct str *out, struct err *err)
{
	str_addf(out, "{\"_id\":\"%s\",\"id\":\"%s\"", entry->repo.hex, entry->repo.full_name);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if ((chosen & 1ULL << i) && write_field(entry, &fields[i], out, err) < 0)
			return -1;
	str_add_char(out, '}');
	return str_check(out, "the answer", err);
}
