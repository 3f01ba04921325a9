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
	if (store_step(query, err) < 0)
		return -1;
	return put_sdk(db, repo_id, listing->sdk, err);
}

int listing_find(struct store_db *db, int64_t repo_id, struct listing *out, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(
		db, "SELECT l.head, l.title, l.card, l.tags, l.links, r.sdk FROM listings l"
		    " JOIN repos r ON r.id = l.repo_id WHERE l.repo_id = ?");
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
	store_copy(query, 5, out->sdk, sizeof(out->sdk));
	return 1;
}
