#include "api/readme.h"

#include "api/call.h"
#include "api/limits.h"
#include "space/card.h"

int readme_card(struct git *git, const char *commit, json_t **out, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	struct err unreadable;
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
		if (card_data(bytes, length, out, &unreadable) < 0)
			*out = NULL; /* as if it had none */
	}
	if (!*out)
		*out = json_object();
	return 0;
}
