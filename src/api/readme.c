#include "api/readme.h"

#include "api/call.h"
#include "api/limits.h"
#include "space/card.h"

/* NULL where the front matter is not readable. */
static json_t *parse(const void *bytes, size_t length)
{
	owned(card_done) struct card card = CARD_INIT;
	struct err unreadable;

	if (card_parse(bytes, length, &card, &unreadable) < 0)
		return NULL;
	return json_incref(card.data);
}

int readme_card(struct git *git, const char *commit, json_t **out, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	const void *bytes;
	size_t length;
	int found = call_entry(git, commit, "README.md", &entry, err);

	*out = NULL;
	if (found < 0)
		return -1;
	if (found > 0 && !entry.is_dir && entry.size <= LIMITS_README) {
		if (git_blob_open(git, entry.oid, &blob, err) < 0)
			return -1;
		bytes = git_blob_bytes(blob, &length);
		*out = parse(bytes, length);
	}
	if (!*out)
		*out = json_object();
	return 0;
}
