#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/page.h"
#include "base/mem.h"

/*
 * The commits of a revision, newest first: B8. The cursor is the next commit, so that pushes in
 * between move nothing.
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

/* Where the page starts: at the commit that the cursor names, else at the newest one. */
static int find_start(struct call *call, struct git *git, const char *newest,
		      char next[static GIT_HEX], struct err *err)
{
	const char *cursor = http_query(call->request, "cursor");

	return git_resolve(git, cursor && *cursor ? cursor : newest, next, err);
}

int call_commits(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(json_decref) json_t *commits = json_array();
	char newest[GIT_HEX];
	char next[GIT_HEX];
	int64_t limit;
	int64_t total;

	if (page_limit(call, LIMITS_COMMITS_PAGE, LIMITS_COMMITS_PAGE, &limit, err) < 0 ||
	    call_git(call, &git, err) < 0 || call_revision(call, git, newest, err) < 0 ||
	    find_start(call, git, newest, next, err) < 0 ||
	    count_commits(git, newest, &total, err) < 0 ||
	    add_commits(git, next, limit, commits, err) < 0)
		return -1;
	/* JavaScript's countCommits() asks for one and reads this; more than we count is not told.
	 */
	if (total < LIMITS_HISTORY)
		http_add_headerf(call->answer, "X-Total-Count", "%lld", (long long)total);
	if (next[0])
		page_next(call, NULL, next);
	answer_json(call->answer, take(commits));
	return 0;
}
