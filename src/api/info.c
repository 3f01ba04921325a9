#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/readme.h"
#include "api/runtime.h"
#include "api/limits.h"
#include "api/url.h"
#include "base/str.h"

/*
 * What a repository is: A6. The answer is a list of fields, one row each; without `expand` all that
 * are marked whole, with it exactly those that were asked for.
 */
enum { MODELS = 1, DATASETS = 2, SPACES = 4, ALL = 7 };

struct info {
	struct call *call;
	struct git *git;
	char commit[GIT_HEX];
	bool blobs;
	struct space space; /* Spaces */
	json_t *card;       /* the README's front matter, an object; read when first asked for */
};

static void own_info_done(struct info *held)
{
	git_close(held->git);
	json_decref(held->card);
}

static int load_card(struct info *info, struct err *err)
{
	if (info->card)
		return 0;
	return readme_card(info->git, info->commit, &info->card, err);
}

static int make_author(struct info *info, json_t **out, struct err *err)
{
	*out = json_string(info->call->repo.owner);
	return 0;
}

static int make_sha(struct info *info, json_t **out, struct err *err)
{
	*out = json_string(info->commit);
	return 0;
}

static int make_modified(struct info *info, json_t **out, struct err *err)
{
	*out = answer_stamp(info->call->repo.modified_ms);
	return 0;
}

static int make_created(struct info *info, json_t **out, struct err *err)
{
	*out = answer_stamp(info->call->repo.created_ms);
	return 0;
}

static int make_private(struct info *info, json_t **out, struct err *err)
{
	*out = json_boolean(info->call->repo.is_private);
	return 0;
}

static int make_gated(struct info *info, json_t **out, struct err *err)
{
	const char *gated = info->call->repo.gated;

	*out = *gated ? json_string(gated) : json_false();
	return 0;
}

static int make_false(struct info *info, json_t **out, struct err *err)
{
	*out = json_false();
	return 0;
}

static int make_zero(struct info *info, json_t **out, struct err *err)
{
	*out = json_integer(0);
	return 0;
}

/* Known to clients, but nothing that we could tell: the field is left out. */
static int make_nothing(struct info *info, json_t **out, struct err *err)
{
	return 0;
}

static int make_sdk(struct info *info, json_t **out, struct err *err)
{
	*out = json_string(info->call->repo.sdk);
	return 0;
}

static int make_subdomain(struct info *info, json_t **out, struct err *err)
{
	*out = json_string(info->space.slug);
	return 0;
}

static int make_host(struct info *info, json_t **out, struct err *err)
{
	owned(free) char *url = url_space(info->call, info->space.slug);

	*out = json_string(url);
	return 0;
}

static int make_runtime(struct info *info, json_t **out, struct err *err)
{
	return runtime_json(info->call, &info->space, out, err);
}

static int make_card(struct info *info, json_t **out, struct err *err)
{
	if (load_card(info, err) < 0)
		return -1;
	if (json_object_size(info->card) > 0)
		*out = json_incref(info->card);
	return 0;
}

/* The SDK or license, the card's own tags, and a region because lists of clients look for one. */
static int make_tags(struct info *info, json_t **out, struct err *err)
{
	const char *license;
	json_t *tags = json_array();
	const json_t *tag;
	size_t i;

	*out = tags;
	if (load_card(info, err) < 0)
		return -1;
	if (info->call->repo.sdk[0])
		json_array_append_new(tags, json_string(info->call->repo.sdk));
	json_array_foreach (json_object_get(info->card, "tags"), i, tag)
		if (json_is_string(tag))
			json_array_append(tags, (json_t *)tag);
	license = json_string_value(json_object_get(info->card, "license"));
	if (license)
		json_array_append_new(tags, json_sprintf("license:%s", license));
	json_array_append_new(tags, json_string("region:us"));
	return 0;
}

/* Names that the card lists under `key`. */
static int make_list(struct info *info, const char *key, json_t **out, struct err *err)
{
	const json_t *name;
	size_t i;

	*out = json_array();
	if (load_card(info, err) < 0)
		return -1;
	json_array_foreach (json_object_get(info->card, key), i, name)
		if (json_is_string(name))
			json_array_append(*out, (json_t *)name);
	return 0;
}

static int make_models(struct info *info, json_t **out, struct err *err)
{
	return make_list(info, "models", out, err);
}

static int make_datasets(struct info *info, json_t **out, struct err *err)
{
	return make_list(info, "datasets", out, err);
}

/* A text of the card under its own name. */
static int make_text(struct info *info, const char *key, json_t **out, struct err *err)
{
	json_t *text;

	if (load_card(info, err) < 0)
		return -1;
	text = json_object_get(info->card, key);
	if (json_is_string(text))
		*out = json_incref(text);
	return 0;
}

static int make_library(struct info *info, json_t **out, struct err *err)
{
	return make_text(info, "library_name", out, err);
}

static int make_pipeline(struct info *info, json_t **out, struct err *err)
{
	return make_text(info, "pipeline_tag", out, err);
}

struct siblings {
	json_t *list;
	bool blobs;
};

static bool add_sibling(void *arg, const struct git_entry *entry)
{
	struct siblings *siblings = arg;
	json_t *file;

	if (entry->is_dir)
		return true;
	file = json_pack("{s:o}", "rfilename", answer_string(entry->path));
	if (siblings->blobs) {
		json_object_set_new(file, "size", json_integer((json_int_t)entry->size));
		json_object_set_new(file, "blobId", json_string(entry->oid));
	}
	json_array_append_new(siblings->list, file);
	return json_array_size(siblings->list) < LIMITS_SIBLINGS;
}

static int make_siblings(struct info *info, json_t **out, struct err *err)
{
	struct siblings siblings = {.list = json_array(), .blobs = info->blobs};

	*out = siblings.list;
	return git_walk(info->git, info->commit, "", true, add_sibling, &siblings, err);
}

struct field {
	const char *name;
	unsigned types;
	bool whole; /* in an answer without `expand`; 0.23 demands private, likes, tags, downloads
		     */
	bool expandable;
	int (*make)(struct info *info, json_t **out, struct err *err);
};

static const struct field fields[] = {
	{"author", ALL, true, true, make_author},
	{"baseModels", MODELS, false, true, make_nothing},
	{"cardData", ALL, true, true, make_card},
	{"childrenModelCount", MODELS, false, true, make_nothing},
	{"citation", DATASETS, false, true, make_nothing},
	{"config", MODELS, false, true, make_nothing},
	{"createdAt", ALL, true, true, make_created},
	{"datasets", SPACES, true, true, make_datasets},
	{"description", DATASETS, false, true, make_nothing},
	{"disabled", ALL, true, true, make_false},
	{"downloads", MODELS | DATASETS, true, true, make_zero},
	{"downloadsAllTime", MODELS | DATASETS, false, true, make_zero},
	{"evalResults", MODELS, false, true, make_nothing},
	{"gated", MODELS | DATASETS, true, true, make_gated},
	{"gated", SPACES, true, false, make_gated},
	{"gguf", MODELS, false, true, make_nothing},
	{"gitalyUid", ALL, false, true, make_nothing},
	{"host", SPACES, true, false, make_host},
	{"inference", MODELS, false, true, make_nothing},
	{"inferenceProviderMapping", MODELS, false, true, make_nothing},
	{"lastModified", ALL, true, true, make_modified},
	{"library_name", MODELS, true, true, make_library},
	{"likes", ALL, true, true, make_zero},
	{"mainSize", DATASETS, false, true, make_nothing},
	{"mask_token", MODELS, false, true, make_nothing},
	{"model-index", MODELS, false, true, make_nothing},
	{"models", SPACES, true, true, make_models},
	{"paperswithcode_id", DATASETS, false, true, make_nothing},
	{"pipeline_tag", MODELS, true, true, make_pipeline},
	{"private", ALL, true, true, make_private},
	{"region", SPACES, false, true, make_nothing},
	{"resourceGroup", ALL, false, true, make_nothing},
	{"runtime", SPACES, true, true, make_runtime},
	{"safetensors", MODELS, false, true, make_nothing},
	{"sdk", SPACES, true, true, make_sdk},
	{"securityRepoStatus", MODELS, false, true, make_nothing},
	{"sha", ALL, true, true, make_sha},
	{"siblings", ALL, true, true, make_siblings},
	{"spaces", MODELS, false, true, make_nothing},
	{"subdomain", SPACES, true, true, make_subdomain},
	{"tags", ALL, true, true, make_tags},
	{"transformersInfo", MODELS, false, true, make_nothing},
	{"trendingScore", ALL, false, true, make_zero},
	{"usedStorage", ALL, false, true, make_nothing},
	{"widgetData", MODELS, false, true, make_nothing},
	/* Asked before every upload from 0.30 to 0.35; false keeps those clients off Xet (B5). */
	{"xetEnabled", ALL, false, true, make_false},
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

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

/* Mark the fields that `expand` names. *any is false where the query has none. */
static int read_expand(struct call *call, bool wanted[static FIELD_COUNT], bool *any,
		       struct err *err)
{
	const char *names[LIMITS_EXPAND + 1];
	size_t count = http_query_all(call->request, "expand", names, LIMITS_EXPAND + 1);

	*any = count > 0;
	if (count > LIMITS_EXPAND)
		return err_set(err, ERR_TOO_LARGE, "at most %d fields in one call", LIMITS_EXPAND);
	for (size_t n = 0; n < count; n++) {
		bool known = false;

		for (size_t i = 0; i < FIELD_COUNT; i++)
			if (fields[i].expandable && fits(&fields[i], call->repo.type) &&
			    strcmp(fields[i].name, names[n]) == 0)
				known = wanted[i] = true;
		if (!known)
			return refuse_expand(call->repo.type, err);
	}
	return 0;
}

static int make_info(struct info *info, const bool wanted[static FIELD_COUNT], json_t *answer,
		     struct err *err)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		owned(json_decref) json_t *value = NULL;

		if (!wanted[i])
			continue;
		if (fields[i].make(info, &value, err) < 0)
			return -1;
		if (value)
			json_object_set(answer, fields[i].name, value);
	}
	return 0;
}

int call_info(struct call *call, struct err *err)
{
	owned(info_done) struct info info = {.call = call};
	owned(json_decref) json_t *answer = NULL;
	bool wanted[FIELD_COUNT] = {false};
	bool expand;

	if (read_expand(call, wanted, &expand, err) < 0 ||
	    http_query_bool(call->request, "blobs", &info.blobs, err) < 0 ||
	    call_git(call, &info.git, err) < 0 ||
	    call_revision(call, info.git, info.commit, err) < 0 ||
	    (call->repo.type == REPO_SPACE && call_space(call, &info.space, err) < 0))
		return -1;
	for (size_t i = 0; !expand && i < FIELD_COUNT; i++)
		wanted[i] = fields[i].whole && fits(&fields[i], call->repo.type);
	answer = json_pack("{s:s, s:s}", "_id", call->repo.hex, "id", call->repo.full_name);
	if (make_info(&info, wanted, answer, err) < 0)
		return -1;
	answer_json(call->answer, take(answer));
	return 0;
}
