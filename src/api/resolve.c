#include "api/call.h"

#include <stdio.h>
#include <string.h>

#include "api/answer.h"
#include "api/media.h"
#include "api/url.h"
#include "base/mem.h"
#include "repo/content.h"

/*
 * A file's bytes: B6. Always from here, never by a redirect: every client takes that. Several
 * ranges at once are answered by the whole file, as RFC 9110 allows.
 */

/* The bytes that are asked for. */
struct span {
	uint64_t first;
	uint64_t length;
};

/*
 * `inline; filename*=UTF-8''x; filename="x";`: clients' pattern wants the last semicolon. The plain
 * form can't carry what is outside of ASCII; those who know the other one never look at it.
 */
static void add_disposition(struct call *call, const char *path, bool download)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	owned(free) char *encoded = url_encode(name, false);
	owned(free) char *plain = answer_line(name);

	for (char *c = plain; *c; c++)
		if (*c == '"' || *c == '\\')
			*c = '_';
	http_add_headerf(call->answer, "Content-Disposition",
			 "%s; filename*=UTF-8''%s; filename=\"%s\";",
			 download ? "attachment" : "inline", encoded, plain);
}

/* Files are written by anyone who may push: no browser may run one as a page of the hub. */
static void add_guards(struct call *call)
{
	http_add_header(call->answer, "X-Content-Type-Options", "nosniff");
	http_add_header(call->answer, "Content-Security-Policy", "default-src 'none'; sandbox");
}

/* What the body is sent from. */
struct body {
	struct git *git;
	struct content *content;
};

static ssize_t body_read(void *arg, char *room, size_t max)
{
	struct body *body = arg;

	return content_read(body->content, room, max);
}

static void body_free(void *arg)
{
	struct body *body = arg;

	content_close(body->content);
	git_close(body->git);
	free(body);
}

/* Takes the repository over. */
static int send_body(struct call *call, struct git **git, const struct git_entry *entry,
		     const struct span *span, struct err *err)
{
	struct content *content;
	struct body *body;

	if (content_open(*git, entry->oid, span->first, &content, err) < 0)
		return -1;
	body = mem_new(struct body);
	body->content = content;
	body->git = take(*git);
	http_body_pull(call->answer, media_type(entry->path), span->length, body_read, body_free,
		       body);
	return 0;
}

/* Does the header name this version of the file? The tag is quoted, so it is found as a whole. */
static bool names_version(const char *header, const struct git_entry *entry)
{
	char tag[GIT_HEX + 2];

	snprintf(tag, sizeof(tag), "\"%s\"", entry->oid);
	return strstr(header, tag) != NULL;
}

/* What the client holds already (RFC 9110 section 13.1.2): browsers ask. */
static bool is_held(const struct call *call, const struct git_entry *entry)
{
	const char *header = http_header(call->request, "If-None-Match");

	return header && (strcmp(header, "*") == 0 || names_version(header, entry));
}

/* The range that is asked for; NULL where it is one of another version (If-Range). */
static const char *wanted_range(const struct call *call, const struct git_entry *entry)
{
	const char *condition = http_header(call->request, "If-Range");

	if (condition && (condition[0] != '"' || !names_version(condition, entry)))
		return NULL;
	return http_header(call->request, "Range");
}

/* An empty file has no range; JavaScript looks for its size in Content-Range all the same (B6). */
static int find_span(struct call *call, const struct git_entry *entry, struct span *span,
		     struct err *err)
{
	const char *header = wanted_range(call, entry);
	unsigned long long total = entry->size;
	bool partial = false;

	*span = (struct span){0, entry->size};
	if (!header)
		return 0;
	if (total == 0) {
		http_add_header(call->answer, "Content-Range", "bytes */0");
		return 0;
	}
	if (http_range(header, total, &partial, &span->first, &span->length, err) < 0) {
		http_add_headerf(call->answer, "Content-Range", "bytes */%llu", total);
		return -1;
	}
	if (!partial)
		return 0;
	http_status(call->answer, 206);
	http_add_headerf(call->answer, "Content-Range", "bytes %llu-%llu/%llu",
			 (unsigned long long)span->first,
			 (unsigned long long)(span->first + span->length - 1), total);
	return 0;
}

/* A folder is no entry here: clients take EntryNotFound for "no such file". */
static int find_file(struct call *call, struct git *git, struct git_entry *entry, struct err *err)
{
	char commit[GIT_HEX];

	if (call_revision(call, git, commit, err) < 0 ||
	    git_entry(git, commit, call->path, entry, err) < 0)
		return -1;
	if (entry->is_dir)
		return err_set(err, ERR_NO_ENTRY, "%.200s is a folder", call->path);
	return 0;
}

int call_resolve(struct call *call, struct err *err)
{
	owned(git_close) struct git *git = NULL;
	struct git_entry entry;
	bool download = false;
	struct span span;
	bool held;

	if (http_query_bool(call->request, "download", &download, err) < 0 ||
	    call_git(call, &git, err) < 0 || find_file(call, git, &entry, err) < 0)
		return -1;
	http_add_headerf(call->answer, "ETag", "\"%s\"", entry.oid);
	http_add_header(call->answer, "Accept-Ranges", "bytes");
	add_disposition(call, entry.path, download);
	add_guards(call);
	held = is_held(call, &entry);
	if (held)
		http_status(call->answer, 304);
	if (held || http_method(call->request) == HTTP_HEAD) {
		http_body_length(call->answer, media_type(entry.path), entry.size);
		return 0;
	}
	if (find_span(call, &entry, &span, err) < 0)
		return -1;
	return send_body(call, &git, &entry, &span, err);
}
