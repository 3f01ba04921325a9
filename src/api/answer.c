#include "api/answer.h"

#include <assert.h>
#include <string.h>

#include "api/limits.h"
#include "api/path.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/page.h"

/* `text` NULL: the error's own sentence. */
struct answer_row {
	int status;
	const char *code;
	const char *text;
};

/*
 * The only table from kind to status. Clients read the code before the status; without it they
 * would not tell a missing repository from a bad token on an http:// endpoint (0.4).
 */
static const struct answer_row rows[ERR_KIND_COUNT] = {
	[ERR_NONE] = {500, NULL, "internal error"},
	[ERR_SYSTEM] = {500, NULL, "internal error"},
	[ERR_INVALID] = {400, NULL, NULL},
	[ERR_UNPROCESSED] = {422, NULL, NULL},
	[ERR_TOO_LARGE] = {413, NULL, NULL},
	/* Clients compare this text: any other 401 means a missing repository to them. */
	[ERR_BAD_TOKEN] = {401, NULL, "Invalid credentials in Authorization header"},
	[ERR_ANONYMOUS] = {401, NULL, NULL},
	[ERR_DENIED] = {403, NULL, NULL},
	[ERR_PAYMENT] = {402, NULL, NULL},
	[ERR_NO_REPO] = {404, "RepoNotFound", "Repository not found"},
	[ERR_NO_REVISION] = {404, "RevisionNotFound", NULL},
	[ERR_NO_ENTRY] = {404, "EntryNotFound", NULL},
	[ERR_NO_ROUTE] = {404, NULL, "nothing is served at this address"},
	[ERR_NOT_FOUND] = {404, NULL, NULL},
	[ERR_MOVED] = {307, NULL, NULL},
	[ERR_EXISTS] = {409, NULL, NULL},
	[ERR_STALE] = {412, NULL,
		       "The branch was updated since you opened this page. Please refresh and "
		       "try again."},
	[ERR_RANGE] = {416, NULL, NULL},
	[ERR_SPENT] = {429, NULL, NULL},
	[ERR_BUSY] = {503, "ServerBusy", "the server is busy, please try again"},
	[ERR_FULL] = {507, "DiskFull", "the server has no room left on its disk"},
	[ERR_DISK] = {503, "DiskFailed", "the server's disk fails, or may not be written"},
};

/* Who is not signed in may learn by signing in whether the repository exists. */
static const struct answer_row no_repo_anonymous = {401, "RepoNotFound",
						    "Invalid username or password."};

static const struct answer_row *find_row(const struct http_request *request, enum err_kind kind)
{
	if (kind == ERR_NO_ROUTE && path_names_short_repo(http_path(request)))
		kind = ERR_NO_REPO;
	if (kind == ERR_NO_REPO && !http_header(request, "Authorization"))
		return &no_repo_anonymous;
	return &rows[kind];
}

char *answer_line(const char *text)
{
	char *line = mem_text_n(text, strnlen(text, LIMITS_MESSAGE));

	for (char *c = line; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return line;
}

/* A person who asks with a browser reads a page. */
static bool answer_page(const struct http_request *request, enum err_kind kind,
			struct http_answer *answer)
{
	const char *accept = http_header(request, "Accept");
	char *page;

	if (kind != ERR_PAYMENT || !accept || !strstr(accept, "text/html"))
		return false;
	page = front_page_html(FRONT_PAGE_PAYMENT, "");
	http_add_header(answer, "Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'");
	http_body_take(answer, "text/html; charset=utf-8", page, strlen(page));
	return true;
}

void answer_error(const struct http_request *request, const struct err *err,
		  struct http_answer *answer)
{
	const struct answer_row *row = find_row(request, err->kind);
	const char *text = row->text ? row->text : err->text;
	owned(free) char *line = answer_line(text);

	if (row->status >= 500)
		log_error("api.failed", "path=%.300s kind=%s error=%s", http_path(request),
			  err_kind_name(err->kind), err->text);
	http_status(answer, row->status);
	if (row->code)
		http_add_header(answer, "X-Error-Code", row->code);
	http_add_header(answer, "X-Error-Message", line);
	if (row->status == 503)
		http_add_header(answer, "Retry-After", "1");
	if (!answer_page(request, err->kind, answer))
		answer_json(answer, json_pack("{s:o}", "error", answer_string(text)));
}

void answer_json(struct http_answer *answer, json_t *value)
{
	owned(json_decref) json_t *held = value;
	char *text;

	assert(held); /* a text that is no UTF-8 came here past answer_string() */
	text = json_text(held);
	http_body_take(answer, NULL, text, strlen(text));
}

void answer_text(struct http_answer *answer, const char *text)
{
	http_body_take(answer, "text/plain; charset=utf-8", mem_text(text), strlen(text));
}

json_t *answer_string(const char *text)
{
	json_t *string = json_string(text);
	owned(free) char *plain = NULL;

	if (string)
		return string;
	plain = mem_text(text);
	for (char *c = plain; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(plain);
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

void answer_add_string(struct str *out, const char *text)
{
	owned(json_decref) json_t *string = NULL;
	owned(free) char *quoted = NULL;

	if (is_plain(text)) {
		str_add_char(out, '"');
		str_add(out, text);
		str_add_char(out, '"');
		return;
	}
	string = answer_string(text);
	quoted = json_text(string);
	str_add(out, quoted);
}

void answer_json_text(struct http_answer *answer, struct str *text)
{
	size_t length = text->length;

	http_body_take(answer, NULL, str_take(text), length);
}

json_t *answer_stamp(int64_t wall_ms)
{
	char stamp[CLOCK_STAMP_MAX];

	return json_string(clock_stamp(wall_ms, stamp));
}
