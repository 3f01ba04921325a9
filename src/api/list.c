#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/lookup.h"
#include "api/page.h"
#include "base/mem.h"

/*
 * Lists of models, datasets and Spaces: A7. A page goes on behind the last entry of the one before,
 * by that entry's place in the order: what is new or gone meanwhile moves nothing.
 */

/* Nothing is counted, so by likes and their like all are equal, and newest first. */
static const struct sort {
	const char *name;
	enum catalogue_order order;
	bool descending; /* where `direction` says nothing, as from clients of 1.0 on */
} sorts[] = {
	{"trendingScore", CATALOGUE_MODIFIED, true}, {"trending_score", CATALOGUE_MODIFIED, true},
	{"lastModified", CATALOGUE_MODIFIED, true},  {"last_modified", CATALOGUE_MODIFIED, true},
	{"createdAt", CATALOGUE_CREATED, true},      {"created_at", CATALOGUE_CREATED, true},
	{"likes", CATALOGUE_MODIFIED, true},         {"likes30d", CATALOGUE_MODIFIED, true},
	{"downloads", CATALOGUE_MODIFIED, true},     {"id", CATALOGUE_NAME, false},
};

enum { SORT_COUNT = sizeof(sorts) / sizeof(sorts[0]) };

/* What is asked for, with the texts that the catalogue's question borrows. */
struct list {
	struct catalogue_query query;
	struct catalogue_mark after;
	const char *search[LIMITS_LIST_TERMS];
	const char *tags[LIMITS_LIST_TERMS + 1];
	const char *links[2 * LIMITS_LIST_TERMS];
	char *link_texts[2 * LIMITS_LIST_TERMS];
	bool nothing; /* whatever was asked for, no repository here has it */
};

static void own_list_done(struct list *list)
{
	for (size_t i = 0; i < list->query.links.count; i++)
		free(list->link_texts[i]);
}

static int read_sort(struct call *call, struct list *list, struct err *err)
{
	const char *name = http_query(call->request, "sort");
	const char *direction = http_query(call->request, "direction");
	const struct sort *sort = NULL;

	for (size_t i = 0; i < SORT_COUNT; i++)
		if (!name || !*name || strcmp(name, sorts[i].name) == 0) {
			sort = &sorts[i];
			break;
		}
	if (!sort)
		return err_set(err, ERR_INVALID,
			       "\"sort\" must be one of [createdAt, downloads, id, lastModified, "
			       "likes, likes30d, trendingScore]");
	list->query.order = sort->order;
	list->query.descending = sort->descending;
	if (!direction || !*direction)
		return 0;
	if (strcmp(direction, "-1") != 0 && strcmp(direction, "1") != 0)
		return err_set(err, ERR_INVALID, "\"direction\" must be one of [-1, 1]");
	list->query.descending = *direction == '-';
	return 0;
}

/* A user or organisation that isn't there has nothing. */
static int read_author(struct call *call, struct list *list, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	const char *name = http_query(call->request, "author");
	struct account account;
	int found;

	if (!name || !*name)
		return 0;
	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = account_find(store_read_db(read), name, &account, err);
	if (found < 0)
		return -1;
	list->nothing |= found == 0;
	list->query.owner_id = account.id;
	return 0;
}

/* A task is a tag as well. */
static int read_tags(struct call *call, struct list *list, struct err *err)
{
	const char *task = http_query(call->request, "pipeline_tag");
	struct catalogue_query *query = &list->query;

	if (lookup_texts(call, "search", list->search, &query->search.count, err) < 0 ||
	    lookup_texts(call, "filter", list->tags, &query->tags.count, err) < 0)
		return -1;
	if (task && *task)
		list->tags[query->tags.count++] = task;
	query->search.items = list->search;
	query->tags.items = list->tags;
	return 0;
}

static int add_links(struct call *call, const char *name, const char *kind, struct list *list,
		     struct err *err)
{
	const char *names[LIMITS_LIST_TERMS];
	size_t count;

	if (lookup_texts(call, name, names, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t at = list->query.links.count++;

		list->links[at] = list->link_texts[at] = mem_format("%s:%s", kind, names[i]);
	}
	return 0;
}

/* What a Space uses. */
static int read_links(struct call *call, enum repo_type type, struct list *list, struct err *err)
{
	list->query.links.items = list->links;
	if (type != REPO_SPACE)
		return 0;
	if (add_links(call, "models", "model", list, err) < 0 ||
	    add_links(call, "datasets", "dataset", list, err) < 0)
		return -1;
	return http_query_bool(call->request, "linked", &list->query.linked, err);
}

/* Nothing is served for inference here, and no model's size is known. */
static int read_models_only(struct call *call, struct list *list, struct err *err)
{
	static const char *const names[] = {"inference", "inference_provider", "apps",
					    "num_parameters"};
	const char *gated = http_query(call->request, "gated");
	bool wanted = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = http_query(call->request, names[i]);

		list->nothing |= value && *value;
	}
	if (!gated || !*gated)
		return 0;
	if (http_query_bool(call->request, "gated", &wanted, err) < 0)
		return -1;
	list->query.gated = wanted;
	list->query.not_gated = !wanted;
	return 0;
}

static int read_query(struct call *call, enum repo_type type, struct list *list, struct err *err)
{
	int64_t limit;

	list->query.types = 1U << type;
	if (page_limit(call, LIMITS_LIST_NORMAL, LIMITS_LIST_PAGE, &limit, err) < 0 ||
	    read_sort(call, list, err) < 0 ||
	    lookup_cursor(call, &list->after, &list->query.after, err) < 0 ||
	    read_author(call, list, err) < 0 || read_tags(call, list, err) < 0 ||
	    read_links(call, type, list, err) < 0 || read_models_only(call, list, err) < 0)
		return -1;
	list->query.limit = (size_t)limit;
	return 0;
}

static int read_fields(struct call *call, enum repo_type type, uint64_t *out, struct err *err)
{
	static const struct {
		const char *name;
		unsigned sets;
	} wishes[] = {{"full", FIELDS_FULL}, {"cardData", FIELDS_CARD}, {"config", FIELDS_CONFIG}};
	unsigned sets = FIELDS_LIST;

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		bool wanted = false;

		if (http_query_bool(call->request, wishes[i].name, &wanted, err) < 0)
			return -1;
		sets |= wanted ? wishes[i].sets : 0;
	}
	return fields_choose(call, type, sets, out, err);
}

/* A page ends early where cards or files make it long. */
static int write_page(struct call *call, struct lookup *lookup, uint64_t chosen, struct err *err)
{
	owned(str_done) struct str text = str_new(LIMITS_ANSWER);
	size_t i;

	str_add_char(&text, '[');
	for (i = 0; i < lookup->count && text.length < LIMITS_LIST_BYTES; i++) {
		if (i > 0)
			str_add_char(&text, ',');
		if (fields_write(&lookup->entries[i], chosen, &text, err) < 0)
			return -1;
	}
	str_add_char(&text, ']');
	lookup_next(call, lookup, i);
	answer_json_text(call->answer, &text);
	return 0;
}

static int answer_list(struct call *call, enum repo_type type, struct err *err)
{
	owned(list_done) struct list list = {0};
	owned(lookup_done) struct lookup lookup = {0};
	uint64_t chosen;

	if (read_query(call, type, &list, err) < 0 || read_fields(call, type, &chosen, err) < 0)
		return -1;
	if (fields_are_slow(chosen) && list.query.limit > LIMITS_LIST_SLOW)
		list.query.limit = LIMITS_LIST_SLOW;
	if (!list.nothing && lookup_page(call, &list.query, chosen, &lookup, err) < 0)
		return -1;
	return write_page(call, &lookup, chosen, err);
}

int call_list_models(struct call *call, struct err *err)
{
	return answer_list(call, REPO_MODEL, err);
}

int call_list_datasets(struct call *call, struct err *err)
{
	return answer_list(call, REPO_DATASET, err);
}

int call_list_spaces(struct call *call, struct err *err)
{
	return answer_list(call, REPO_SPACE, err);
}
