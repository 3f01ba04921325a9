#include "api/lasts.h"

#include "api/answer.h"
#include "api/limits.h"
#include "base/mem.h"
#include "repo/last.h"

/* Many entries come from one commit: `known` holds what was read. Borrowed. */
static int find_commit(struct git *git, const char *hex, json_t *known, json_t **out,
		       struct err *err)
{
	owned(git_commit_info_done) struct git_commit_info info = {0};

	*out = json_object_get(known, hex);
	if (*out)
		return 0;
	if (git_commit_info(git, hex, &info, err) < 0)
		return -1;
	*out = json_pack("{s:s, s:o, s:o}", "id", hex, "title", answer_string(info.title), "date",
			 answer_stamp(info.time_s * 1000));
	json_object_set_new(known, hex, *out);
	return 0;
}

int lasts_add(struct git *git, const char *commit, json_t *entries, struct err *err)
{
	size_t count = json_array_size(entries);
	owned(free) struct last_path *paths = mem_array(count + 1, sizeof(*paths));
	const struct last_query query = {paths, count, LIMITS_LAST_WORK};
	owned(json_decref) json_t *known = json_object();
	json_t *entry, *last;
	size_t i;

	json_array_foreach (entries, i, entry)
		paths[i].path = json_string_value(json_object_get(entry, "path"));
	if (last_find(git, commit, &query, err) < 0)
		return -1;
	json_array_foreach (entries, i, entry) {
		if (!paths[i].commit[0])
			continue;
		if (find_commit(git, paths[i].commit, known, &last, err) < 0)
			return -1;
		json_object_set(entry, "lastCommit", last);
	}
	return 0;
}
