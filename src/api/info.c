#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/fields.h"
#include "api/limits.h"
#include "space/digest.h"

/*
 * What a repository is: A6. The rows know main, and they were written before the call that moved it
 * was answered; only another revision, or a list of files, needs the repository itself.
 */

/* main, by one of its names: clients of JavaScript say HEAD where they mean it. */
static bool asks_for_main(const struct call *call)
{
	const char *rev = http_param(call->request, "rev");

	return !rev || strcmp(rev, "main") == 0 || strcmp(rev, "HEAD") == 0;
}

static int read_rows(struct call *call, uint64_t chosen, struct fields_entry *entry,
		     struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct store_db *db;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	db = store_read_db(read);
	found = repo_by_id(db, call->repo.id, &entry->repo, err);
	if (found > 0)
		found = fields_load(db, chosen, entry, err);
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "%s is gone", call->repo.full_name);
	return found < 0 ? -1 : 0;
}

/* Another commit than the rows know; or they are of before there were such rows. */
static int read_revision(struct call *call, struct fields_entry *entry, struct err *err)
{
	char commit[GIT_HEX];

	if (call_git(call, &entry->git, err) < 0 ||
	    call_revision(call, entry->git, commit, err) < 0)
		return -1;
	if (strcmp(entry->listing.head, commit) == 0)
		return 0;
	listing_done(&entry->listing);
	return digest_read(entry->git, &entry->repo, commit, &entry->listing, err);
}

static int read_query(struct call *call, struct fields_entry *entry, uint64_t *chosen,
		      struct err *err)
{
	bool security = false; /* files are not scanned: nothing is told of it */

	if (fields_choose(call, call->repo.type, FIELDS_INFO, chosen, err) < 0 ||
	    http_query_bool(call->request, "blobs", &entry->blobs, err) < 0)
		return -1;
	return http_query_bool(call->request, "securityStatus", &security, err);
}

int call_info(struct call *call, struct err *err)
{
	owned(fields_done) struct fields_entry entry = {.call = call};
	owned(str_done) struct str text = str_new(LIMITS_ANSWER);
	uint64_t chosen;

	if (read_query(call, &entry, &chosen, err) < 0 || read_rows(call, chosen, &entry, err) < 0)
		return -1;
	if (asks_for_main(call) && entry.listing.head[0])
		http_add_header(call->answer, "X-Repo-Commit", entry.listing.head);
	else if (read_revision(call, &entry, err) < 0)
		return -1;
	if (fields_write(&entry, chosen, &text, err) < 0)
		return -1;
	answer_json_text(call->answer, &text);
	return 0;
}
