#include "api/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/limits.h"
#include "api/page.h"
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

int lookup_cursor(struct call *call, struct catalogue_mark *mark,
		  const struct catalogue_mark **after, struct err *err)
{
	const char *cursor = http_query(call->request, "cursor");
	char *end;

	if (!cursor || !*cursor)
		return 0;
	errno = 0;
	mark->value = strtoll(cursor, &end, 10);
	if (errno || end == cursor || *end != '.' || strlen(end + 1) >= sizeof(mark->text))
		return err_set(err, ERR_INVALID, "\"cursor\" must be one that a list has given");
	snprintf(mark->text, sizeof(mark->text), "%s", end + 1);
	*after = mark;
	return 0;
}

void lookup_next(struct call *call, const struct lookup *lookup, size_t count)
{
	const struct catalogue_mark *mark =
		count < lookup->count ? &lookup->marks[count - 1] : &lookup->last;
	owned(free) char *cursor = mem_format("%lld.%s", (long long)mark->value, mark->text);

	if (count == lookup->count && !lookup->more)
		return;
	page_next(call, NULL, cursor);
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

/* Where the rows of a page are put while they are read. */
struct reading {
	struct call *call;
	struct fields_entry *entries; /* in the order of the page; without a call: not there */
};

static void take_row(void *arg, size_t index, const struct repo *repo, struct listing *listing)
{
	const struct reading *reading = arg;

	reading->entries[index] =
		(struct fields_entry){.call = reading->call, .repo = *repo, .listing = *listing};
}

/* What is gone, or not for the caller any more, is left out. */
static int read_rows(struct call *call, struct store_db *db, const struct catalogue_page *page,
		     struct fields_entry *entries, struct err *err)
{
	owned(free) int64_t *ids = mem_array(page->count + 1, sizeof(*ids));
	struct reading reading = {call, entries};
	struct store_condition visible;

	for (size_t i = 0; i < page->count; i++)
		ids[i] = page->found[i].id;
	visible_to(&call->actor, &visible);
	return listing_each(db,
			    &(struct listing_pick){.ids = ids,
						   .count = page->count,
						   .condition = &visible,
						   .each = take_row,
						   .arg = &reading},
			    err);
}

static int read_page(struct call *call, const struct catalogue_page *page, uint64_t chosen,
		     struct lookup *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	owned(lookup_done) struct lookup lookup = {.more = page->more, .count = page->count};
	size_t kept = 0;

	lookup.entries = mem_array(page->count + 1, sizeof(*lookup.entries));
	lookup.marks = mem_array(page->count + 1, sizeof(*lookup.marks));
	if (store_read_begin(call->config->store, &read, err) < 0 ||
	    read_rows(call, store_read_db(read), page, lookup.entries, err) < 0)
		return -1;
	for (size_t i = 0; i < page->count; i++) {
		struct fields_entry *entry = &lookup.entries[i];
		int found = !entry->call
				    ? 0
				    : fields_load_space(store_read_db(read), chosen, entry, err);

		if (found < 0)
			return -1;
		if (found == 0) {
			fields_done(entry);
			*entry = (struct fields_entry){0};
			continue;
		}
		lookup.marks[kept] = page->found[i].mark;
		if (kept < i) {
			lookup.entries[kept] = *entry;
			*entry = (struct fields_entry){0};
		}
		kept++;
	}
	lookup.count = kept;
	if (page->count > 0)
		lookup.last = page->found[page->count - 1].mark;
	*out = lookup;
	lookup = (struct lookup){0};
	return 0;
}

int lookup_page(struct call *call, const struct catalogue_query *query, uint64_t chosen,
		struct lookup *out, struct err *err)
{
	owned(catalogue_page_done) struct catalogue_page page = {0};
	owned(visible_owners_done) struct visible_owners owners = {0};
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(call->config->store, &read, err) < 0 ||
	    visible_owners(store_read_db(read), &call->actor, &owners, err) < 0)
		return -1;
	store_read_end(take(read));
	/* The rows are read after the catalogue has learned of them. */
	if (find(call, query, &owners, &page, err) < 0)
		return -1;
	return read_page(call, &page, chosen, out, err);
}
