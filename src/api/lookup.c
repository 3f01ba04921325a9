#include "api/lookup.h"

#include <string.h>

#include "api/limits.h"
#include "auth/visible.h"
#include "base/mem.h"

void lookup_done(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->count; i++)
		fields_done(&lookup->entries[i]);
	free(lookup->entries);
	free(lookup->marks);
}

int lookup_texts(struct call *call, const char *name, const char **out, size_t *count,
		 struct err *err)
{
	const char *texts[LIMITS_LIST_TERMS + 1];
	size_t given = http_query_all(call->request, name, texts, LIMITS_LIST_TERMS + 1);
	size_t kept = 0;

	if (given > LIMITS_LIST_TERMS)
		return err_set(err, ERR_TOO_LARGE, "at most %d times \"%s\" in one call",
			       LIMITS_LIST_TERMS, name);
	for (size_t i = 0; i < given; i++) {
		if (strlen(texts[i]) > LIMITS_LIST_TERM)
			return err_set(err, ERR_TOO_LARGE, "\"%s\" may have %d bytes", name,
				       LIMITS_LIST_TERM);
		if (*texts[i])
			out[kept++] = texts[i];
	}
	*count = kept;
	return 0;
}

static int find(struct call *call, const struct catalogue_query *asked,
		const struct visible_owners *owners, struct catalogue_page *out, struct err *err)
{
	const char *names[SCOPE_MAX];
	struct catalogue_query query = *asked;

	for (unsigned i = 0; i < call->actor.scopes.count; i++)
		names[i] = call->actor.scopes.items[i].name;
	query.sight = (struct catalogue_sight){
		.all_owners = owners->all,
		.owners = owners->ids,
		.owner_count = owners->count,
		.scoped = call->actor.role == AUTH_FINE_GRAINED && call->actor.user_id != 0,
		.names = names,
		.name_count = call->actor.scopes.count,
	};
	return catalogue_find(call->config->catalogue, &query, out, err);
}

/* 1 read, 0 it is gone, or not for the caller any more, -1 failed. */
static int read_entry(struct call *call, struct store_db *db, int64_t id, uint64_t chosen,
		      struct fields_entry *out, struct err *err)
{
	struct store_condition visible;
	int found;

	visible_to(&call->actor, &visible);
	*out = (struct fields_entry){.call = call};
	found = repo_by_id_if(db, id, &visible, &out->repo, err);
	if (found > 0)
		found = fields_load(db, chosen, out, err);
	if (found <= 0)
		fields_done(out);
	return found;
}

int lookup_page(struct call *call, const struct catalogue_query *query, uint64_t chosen,
		struct lookup *out, struct err *err)
{
	owned(catalogue_page_done) struct catalogue_page page = {0};
	owned(visible_owners_done) struct visible_owners owners = {0};
	owned(lookup_done) struct lookup lookup = {0};
	owned(store_read_end) struct store_read *read = NULL;
	struct store_db *db;

	if (store_read_begin(call->config->store, &read, err) < 0 ||
	    visible_owners(store_read_db(read), &call->actor, &owners, err) < 0)
		return -1;
	store_read_end(take(read));
	/* The rows are read after the catalogue has learned of them. */
	if (find(call, query, &owners, &page, err) < 0 ||
	    store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	db = store_read_db(read);
	lookup.entries = mem_array(page.count + 1, sizeof(*lookup.entries));
	lookup.marks = mem_array(page.count + 1, sizeof(*lookup.marks));
	for (size_t i = 0; i < page.count; i++) {
		int found = read_entry(call, db, page.found[i].id, chosen,
				       &lookup.entries[lookup.count], err);

		if (found < 0)
			return -1;
		if (found > 0)
			lookup.marks[lookup.count++] = page.found[i].mark;
	}
	lookup.more = page.more;
	*out = lookup;
	lookup = (struct lookup){0};
	return 0;
}
