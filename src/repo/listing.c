#include "repo/listing.h"

#include "base/mem.h"
#include "base/str.h"

void listing_done(struct listing *listing)
{
	free(listing->library);
	free(listing->task);
	free(listing->title);
	free(listing->card);
	free(listing->tags);
	free(listing->links);
	*listing = (struct listing){0};
}

static int put_sdk(struct store_db *db, int64_t repo_id, const char *sdk, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "UPDATE repos SET sdk = ? WHERE id = ? AND sdk <> ?");

	store_bind_text(query, sdk);
	store_bind_int(query, repo_id);
	store_bind_text(query, sdk);
	return store_step(query, err) < 0 ? -1 : 0;
}

int listing_put(struct store_db *db, int64_t repo_id, const struct listing *listing,
		struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO listings (repo_id, head, title, card, tags, links, library, task)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repo_id) DO UPDATE SET"
		    " head = excluded.head, title = excluded.title, card = excluded.card,"
		    " tags = excluded.tags, links = excluded.links, library = excluded.library,"
		    " task = excluded.task");

	store_bind_int(query, repo_id);
	store_bind_text(query, listing->head);
	store_bind_text(query, listing->title);
	store_bind_text(query, listing->card);
	store_bind_text(query, listing->tags);
	store_bind_text(query, listing->links);
	store_bind_text(query, listing->library);
	store_bind_text(query, listing->task);
	if (store_step(query, err) < 0)
		return -1;
	return put_sdk(db, repo_id, listing->sdk, err);
}

#define COLUMNS                                                                              \
	"ifnull(l.head, ''), ifnull(l.title, ''), ifnull(l.card, '{}'), ifnull(l.tags, '')," \
	" ifnull(l.links, ''), r.sdk, ifnull(l.library, ''), ifnull(l.task, '')"

/* `first` is the place of the first of COLUMNS. */
static void read_row(struct store_query *query, int first, struct listing *out)
{
	store_copy(query, first, out->head, sizeof(out->head));
	out->title = mem_text(store_text(query, first + 1));
	out->card = mem_text(store_text(query, first + 2));
	out->tags = mem_text(store_text(query, first + 3));
	out->links = mem_text(store_text(query, first + 4));
	store_copy(query, first + 5, out->sdk, sizeof(out->sdk));
	out->library = mem_text(store_text(query, first + 6));
	out->task = mem_text(store_text(query, first + 7));
}

int listing_find(struct store_db *db, int64_t repo_id, struct listing *out, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT " COLUMNS " FROM listings l"
				" JOIN repos r ON r.id = l.repo_id WHERE l.repo_id = ?");
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row == 1)
		read_row(query, 0, out);
	return row;
}

/* "[1,2]": one statement for all, whatever their number. */
static char *ids_json(const struct listing_pick *pick)
{
	struct str text = str_new(24 * pick->count + 3);

	str_add_char(&text, '[');
	for (size_t i = 0; i < pick->count; i++)
		str_addf(&text, "%s%lld", i ? "," : "", (long long)pick->ids[i]);
	str_add_char(&text, ']');
	return str_take(&text);
}

int listing_each(struct store_db *db, const struct listing_pick *pick, struct err *err)
{
	owned(free) char *ids = ids_json(pick);
	owned(free) char *sql = mem_format(
		"SELECT " REPO_COLUMNS ", j.key, " COLUMNS " FROM json_each(?) j"
		" CROSS JOIN repos r ON r.id = j.value JOIN accounts a ON a.id = r.owner_id"
		" LEFT JOIN listings l ON l.repo_id = r.id WHERE %s",
		pick->condition->sql);
	owned(store_query_end) struct store_query *query = store_query(db, sql);
	int row;

	store_bind_text(query, ids);
	store_bind_condition(query, pick->condition);
	while ((row = store_step(query, err)) > 0) {
		struct listing listing;
		struct repo repo;

		if (repo_read(query, &repo, err) < 0)
			return -1;
		read_row(query, REPO_COLUMN_COUNT + 1, &listing);
		pick->each(pick->arg, (size_t)store_int(query, REPO_COLUMN_COUNT), &repo, &listing);
	}
	return row;
}
