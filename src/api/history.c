#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/page.h"
#include "base/mem.h"
#include "repo/history.h"

/*
 * The commits of a revision, newest first: B8. Pages are cut by position, and the link to the next
 * one names the commit, not the branch: a push in between moves nothing.
 */

/* For clients that show it in a page: `formatted` is HTML there. */
static json_t *html_string(const char *text)
{
	static const struct {
		char c;
		const char *html;
	} marks[] = {
		{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
	owned(str_done) struct str html = str_new(6 * (strlen(text) + 1));

	for (const char *c = text; *c; c++) {
		const char *mark = NULL;

		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			if (marks[i].c == *c)
				mark = marks[i].html;
		if (mark)
			str_add(&html, mark);
		else
			str_add_char(&html, *c);
	}
	return answer_string(html.data);
}

/* Git ends a message with a line break; clients gave it without. */
static json_t *commit_json(const struct git_commit_info *info, bool formatted)
{
	size_t length = strlen(info->message);
	owned(free) char *message = NULL;
	json_t *commit;

	while (length > 0 && info->message[length - 1] == '\n')
		length--;
	message = mem_text_n(info->message, length);
	commit = json_pack("{s:s, s:o, s:o, s:[{s:o}], s:o}", "id", info->oid, "title",
			   answer_string(info->title), "message", answer_string(message), "authors",
			   "user", answer_string(info->author), "date",
			   answer_stamp(info->time_s * 1000));
	if (formatted)
		json_object_set_new(commit, "formatted",
				    json_pack("{s:o, s:o}", "title", html_string(info->title),
					      "message", html_string(message)));
	return commit;
}

struct commits_query {
	int64_t limit;
	int64_t cursor;
	bool formatted;
};

static int read_query(struct call *call, struct commits_query *query, struct err *err)
{
	const char *expand[LIMITS_EXPAND];
	size_t count = http_query_all(call->request, "expand", expand, LIMITS_EXPAND);

	*query = (struct commits_query){0};
	for (size_t i = 0; i < count; i++) {
		if (strcmp(expand[i], "formatted") != 0)
			return err_set(err, ERR_INVALID, "\"expand\" must be one of [formatted]");
		query->formatted = true;
	}
	if (page_limit(call, LIMITS_COMMITS_PAGE, LIMITS_COMMITS_PAGE, &query->limit, err) < 0 ||
	    http_query_int(call->request, "cursor", &query->cursor, err) < 0)
		return -1;
	if (query->cursor < 0)
		return err_set(err, ERR_INVALID, "cursor must be positive");
	return 0;
}

/* Returns whether there are more, negative where it fails. */
static int add_commits(struct git *git, const struct history *history,
		       const struct commits_query *query, json_t *commits, struct err *err)
{
	size_t count = history_count(history);
	size_t first = (size_t)query->cursor < count ? (size_t)query->cursor : count;
	size_t limit = (size_t)query->limit;
	size_t end = count - first > limit ? first + limit : count;

	for (size_t i = first; i < end; i++) {
		owned(git_commit_info_done) struct git_commit_info info = {0};
		char commit[GIT_HEX];

		history_at(history, i, commit);
		if (git_commit_info(git, commit, &info, err) < 0)
			return -1;
		json_array_append_new(commits, commit_json(&info, query->formatted));
	}
	return end < count;
}

static void add_next(struct call *call, const struct commits_query *query, const char *commit)
{
	owned(free) char *path =
		mem_format("/api/%s/%s/commits/%s", repo_type_plural(call->repo.type),
			   call->repo.full_name, commit);
	owned(free) char *cursor = mem_format("%lld", (long long)query->cursor + query->limit);

	page_next(call, path, cursor);
}

int call_commits(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(history_unref) struct history *history = NULL;
	owned(json_decref) json_t *commits = json_array();
	struct commits_query query;
	char commit[GIT_HEX];
	int more;

	if (read_query(call, &query, err) < 0 || call_git(call, &git, err) < 0 ||
	    call_revision(call, git, commit, err) < 0 ||
	    history_of(call->config->histories, git, commit, LIMITS_HISTORY, &history, err) < 0)
		return -1;
	more = add_commits(git, history, &query, commits, err);
	if (more < 0)
		return -1;
	/* JavaScript's countCommits() asks for one and reads this; what was not counted to its end
	 * is not told. */
	if (history_is_whole(history))
		http_add_headerf(call->answer, "X-Total-Count", "%zu", history_count(history));
	if (more)
		add_next(call, &query, commit);
	answer_json(call->answer, take(commits));
	return 0;
}
