#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "base/mem.h"

/*
 * The commits of a revision, newest first: B8. The link to the next page starts at the next commit,
 * so that pushes in between move nothing.
 */

/* Git ends a message with a line break; clients gave it without. */
static json_t *commit_json(const struct git_commit_info *info)
{
	size_t length = strlen(info->message);
	owned(free) char *message = NULL;

	while (length > 0 && info->message[length - 1] == '\n')
		length--;
	message = mem_text_n(info->message, length);
	return json_pack("{s:s, s:o, s:o, s:[{s:o}], s:o}", "id", info->oid, "title",
			 answer_string(info->title), "message", answer_string(message), "authors",
			 "user", answer_string(info->author), "date",
			 answer_stamp(info->time_s * 1000));
}

/* `next` is the first commit of the page to come, "" at the end. */
static int add_commits(struct git *git, char next[static GIT_HEX], int64_t limit, json_t *commits,
		       struct err *err)
{
	for (int64_t i = 0; i < limit && next[0]; i++) {
		owned(git_commit_info_done) struct git_commit_info info = {0};

		if (git_commit_info(git, next, &info, err) < 0)
			return -1;
		json_array_append_new(commits, commit_json(&info));
		snprintf(next, GIT_HEX, "%s", info.parent);
	}
	return 0;
}

/* How many there are from `commit` on, or LIMITS_HISTORY where there are more. */
static int count_commits(struct git *git, const char *commit, int64_t *out, struct err *err)
{
	char next[GIT_HEX];

	snprintf(next, sizeof(next), "%s", commit);
	for (*out = 0; next[0] && *out < LIMITS_HISTORY; (*out)++) {
		owned(git_commit_info_done) struct git_commit_info info = {0};

		if (git_commit_info(git, next, &info, err) < 0)
			return -1;
		snprintf(next, sizeof(next), "%s", info.parent);
	}
	return 0;
}

int call_commits(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(json_decref) json_t *commits = json_array();
	int64_t limit = LIMITS_COMMITS_PAGE;
	char next[GIT_HEX];
	int64_t total;

	if (http_query_int(call->request, "limit", &limit, err) < 0)
		return -1;
	if (limit < 1)
		return err_set(err, ERR_INVALID, "\"limit\" must be positive");
	if (limit > LIMITS_COMMITS_PAGE)
		limit = LIMITS_COMMITS_PAGE;
	if (call_git(call, &git, err) < 0 || call_revision(call, git, next, err) < 0 ||
	    count_commits(git, next, &total, err) < 0 ||
	    add_commits(git, next, limit, commits, err) < 0)
		return -1;
	/* JavaScript's countCommits() asks for one and reads this; more than we count is not told.
	 */
	if (total < LIMITS_HISTORY)
		http_add_headerf(call->answer, "X-Total-Count", "%lld", (long long)total);
	if (next[0])
		http_add_headerf(call->answer, "Link",
				 "<%s/api/%s/%s/commits/%s?limit=%lld>; rel=\"next\"",
				 http_origin(call->request), repo_type_plural(call->repo.type),
				 call->repo.full_name, next, (long long)limit);
	answer_json(call->answer, take(commits));
	return 0;
}
