#include "api/call.h"

#include <string.h>
#include <strings.h>

#include "api/answer.h"
#include "api/lasts.h"
#include "api/limits.h"
#include "api/page.h"
#include "api/url.h"
#include "base/mem.h"

/*
 * What is in a folder, and what is at these paths: B7.
 *
 * Pages of a tree are cut by position in the walk, and the link to the next one names the commit,
 * not the branch: a push in between moves nothing.
 */

static json_t *entry_json(const struct git_entry *entry)
{
	return json_pack("{s:s, s:s, s:I, s:o}", "type", entry->is_dir ? "directory" : "file",
			 "oid", entry->oid, "size", (json_int_t)entry->size, "path",
			 answer_string(entry->path));
}

struct slice {
	json_t *entries;
	int64_t skip;
	int64_t limit;
	bool more;
};

static bool add_entry(void *arg, const struct git_entry *entry)
{
	struct slice *slice = arg;

	if (slice->skip > 0) {
		slice->skip--;
		return true;
	}
	slice->more = (int64_t)json_array_size(slice->entries) == slice->limit;
	if (!slice->more)
		json_array_append_new(slice->entries, entry_json(entry));
	return !slice->more;
}

struct tree_query {
	bool recursive;
	bool expand;
	int64_t limit;
	int64_t cursor;
};

static int read_query(struct call *call, struct tree_query *query, struct err *err)
{
	int64_t most;

	*query = (struct tree_query){0};
	if (http_query_bool(call->request, "recursive", &query->recursive, err) < 0 ||
	    http_query_bool(call->request, "expand", &query->expand, err) < 0)
		return -1;
	most = query->expand ? LIMITS_EXPAND_PAGE : LIMITS_TREE_PAGE;
	if (page_limit(call, most, most, &query->limit, err) < 0 ||
	    http_query_int(call->request, "cursor", &query->cursor, err) < 0)
		return -1;
	if (query->cursor < 0)
		return err_set(err, ERR_INVALID, "cursor must be positive");
	return 0;
}

static void add_next(struct call *call, int64_t position, const char *commit)
{
	owned(free) char *folder = url_encode(call->path, true);
	owned(free) char *path =
		mem_format("/api/%s/%s/tree/%s%s%s", repo_type_plural(call->repo.type),
			   call->repo.full_name, commit, *folder ? "/" : "", folder);
	owned(free) char *cursor = mem_format("%lld", (long long)position);

	page_next(call, path, cursor);
}

/* In front of a kept page, one character: does another one follow? */
enum { LAST_PAGE = '.', MORE_PAGES = '+' };

static int make_page(struct git *git, const struct tree_query *query, const char *commit,
		     const char *path, char **out, struct err *err)
{
	owned(json_decref) json_t *entries = json_array();
	owned(free) char *text = NULL;
	struct slice slice = {.entries = entries, .skip = query->cursor, .limit = query->limit};

	if (git_walk(git, commit, path, query->recursive, add_entry, &slice, err) < 0)
		return -1;
	if (query->expand && lasts_add(git, commit, entries, err) < 0)
		return -1;
	text = json_text(entries);
	*out = mem_format("%c%s", slice.more ? MORE_PAGES : LAST_PAGE, text);
	return 0;
}

/* A commit never changes, and neither does what is said of its files. */
static int find_page(struct call *call, struct git *git, const struct tree_query *query,
		     const char *commit, struct kept_text **out, struct err *err)
{
	owned(free) char *key = mem_format("tree %s %s %d %d %lld %lld %s", call->repo.hex, commit,
					   query->recursive, query->expand, (long long)query->limit,
					   (long long)query->cursor, call->path);
	char *text;

	*out = kept_find(call->config->kept, key);
	if (*out)
		return 0;
	if (make_page(git, query, commit, call->path, &text, err) < 0)
		return -1;
	*out = kept_put(call->config->kept, key, text, strlen(text));
	return 0;
}

static void release_page(void *page)
{
	kept_unref(page);
}

static int answer_plain(struct call *call, struct git *git, const struct tree_query *query,
			const char *commit, struct err *err)
{
	struct kept_text *page;

	if (find_page(call, git, query, commit, &page, err) < 0)
		return -1;
	if (page->bytes[0] == MORE_PAGES)
		add_next(call, query->cursor + query->limit, commit);
	http_body_lend(call->answer, NULL, page->bytes + 1, page->length - 1, release_page, page);
	return 0;
}

/*
 * Last commits are found for a plain page at once, by one walk through the history, which costs
 * hardly more than for one entry. Its parts are the pages.
 */
static int answer_expanded(struct call *call, struct git *git, const struct tree_query *query,
			   const char *commit, struct err *err)
{
	int64_t position = query->cursor % LIMITS_TREE_PAGE;
	struct tree_query whole = *query;
	owned(kept_unref) struct kept_text *text = NULL;
	owned(json_decref) json_t *entries = NULL;
	int64_t count, end;
	json_t *page;

	whole.cursor = query->cursor - position;
	whole.limit = LIMITS_TREE_PAGE;
	if (find_page(call, git, &whole, commit, &text, err) < 0 ||
	    json_parse(text->bytes + 1, text->length - 1, &entries, err) < 0)
		return -1;
	count = (int64_t)json_array_size(entries);
	end = position + query->limit < count ? position + query->limit : count;
	page = json_array();
	for (; position < end; position++)
		json_array_append(page, json_array_get(entries, (size_t)position));
	if (end < count || text->bytes[0] == MORE_PAGES)
		add_next(call, whole.cursor + position, commit);
	answer_json(call->answer, page);
	return 0;
}

int call_tree(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	struct tree_query query;
	char commit[GIT_HEX];

	if (read_query(call, &query, err) < 0 || call_git(call, &git, err) < 0 ||
	    call_revision(call, git, commit, err) < 0)
		return -1;
	return query.expand ? answer_expanded(call, git, &query, commit, err)
			    : answer_plain(call, git, &query, commit, err);
}

/* True in the spellings of a query: Python's form has it like that. */
static bool is_true(const char *text)
{
	return strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
}

/* What is asked for. Paths are borrowed from the body. */
struct paths_query {
	const char *paths[LIMITS_PATHS + 1];
	size_t count;
	bool expand;
};

static void read_form(struct call *call, struct paths_query *query)
{
	const char *expand;

	query->count = http_form_all(call->request, "paths", query->paths, LIMITS_PATHS + 1);
	query->expand = http_form_all(call->request, "expand", &expand, 1) > 0 && is_true(expand);
}

/* Python sends a form, JavaScript JSON. */
static int read_paths(struct call *call, struct paths_query *query, struct err *err)
{
	const char *type = http_header(call->request, "Content-Type");
	json_t *list = NULL;
	json_t *body;
	json_t *path;
	size_t i;

	if (!type || strncasecmp(type, "application/json", strlen("application/json")) != 0) {
		read_form(call, query);
		return 0;
	}
	if (call_json(call, &body, err) < 0 || json_get_array(body, "paths", &list, err) < 0 ||
	    json_get_bool(body, "expand", &query->expand, err) < 0)
		return -1;
	json_array_foreach (list, i, path) {
		if (!json_is_string(path))
			return err_set(err, ERR_INVALID, "\"paths\" must hold strings");
		if (i <= LIMITS_PATHS)
			query->paths[i] = json_string_value(path);
	}
	query->count = i;
	return 0;
}

/* Paths that are not there are left out. */
static int add_path(struct git *git, const char *commit, const char *path, json_t *entries,
		    struct err *err)
{
	struct git_entry entry;
	char plain[sizeof(entry.path)];
	size_t length = strlen(path);
	int found;

	while (length > 0 && path[length - 1] == '/')
		length--;
	if (length == 0 || length >= sizeof(plain))
		return 0;
	snprintf(plain, sizeof(plain), "%.*s", (int)length, path);
	found = call_entry(git, commit, plain, &entry, err);
	if (found > 0)
		json_array_append_new(entries, entry_json(&entry));
	return found < 0 ? -1 : 0;
}

int call_paths_info(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	owned(json_decref) json_t *entries = json_array();
	struct paths_query query = {0};
	char commit[GIT_HEX];

	if (read_paths(call, &query, err) < 0)
		return -1;
	if (query.count > LIMITS_PATHS)
		return err_set(err, ERR_TOO_LARGE, "at most %d paths in one call", LIMITS_PATHS);
	if (call_git(call, &git, err) < 0 || call_revision(call, git, commit, err) < 0)
		return -1;
	for (size_t i = 0; i < query.count; i++)
		if (add_path(git, commit, query.paths[i], entries, err) < 0)
			return -1;
	if (query.expand && lasts_add(git, commit, entries, err) < 0)
		return -1;
	answer_json(call->answer, take(entries));
	return 0;
}
