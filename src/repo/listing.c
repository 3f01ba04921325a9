#include "repo/listing.h"

#include "base/mem.h"

void listing_done(struct listing *listing)
{
	free(listing->title);
	free(listing->card);
	free(listing->tags);
	free(listing->links);
	*listing = (struct listing){0};
}

int listing_put(struct store_db *db, int64_t repo_id, const struct listing *listing,
		struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "INSERT INTO listings (repo_id, head, title, card, tags, links)"
		    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (repo_id) DO UPDATE SET"
		    " head = excluded.head, title = excluded.title, card = excluded.card,"
		    " tags = excluded.tags, links = excluded.links");

	store_bind_int(query, repo_id);
	store_bind_text(query, listing->head);
	store_bind_text(query, listing->title);
	store_bind_text(query, listing->card);
	store_bind_text(query, listing->tags);
	store_bind_text(query, listing->links);
	return store_step(query, err) < 0 ? -1 : 0;
}

int listing_find(struct store_db *db, int64_t repo_id, struct listing *out, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT head, title, card, tags, links FROM listings WHERE repo_id = ?");
	int row;

	store_bind_int(query, repo_id);
	row = store_step(query, err);
	if (row != 1)
		return row;
	store_copy(query, 0, out->head, sizeof(out->head));
	out->title = mem_text(store_text(query, 1));
	out->card = mem_text(store_text(query, 2));
	out->tags = mem_text(store_text(query, 3));
	out->links = mem_text(store_text(query, 4));
	return 1;
}
