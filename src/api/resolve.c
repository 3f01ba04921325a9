#include "api/call.h"

#include <assert.h>
#include <string.h>

#include "api/answer.h"
#include "api/media.h"
#include "api/url.h"
#include "base/mem.h"

/*
 * A file's bytes: B6. Always 200 or 206 from here, never a redirect: every client takes it.
 */

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

/* What the body is sent from: the bytes live as long as their repository is open. */
struct body {
	struct git *git;
	struct git_blob *blob;
};

static void body_free(void *arg)
{
	struct body *body = arg;

	git_blob_release(body->blob);
	git_close(body->git);
	free(body);
}

/* Takes the repository over. */
static int lend_body(struct call *call, struct git **git, const struct git_entry *entry,
		     uint64_t first, uint64_t length, struct err *err)
{
	struct body *body;
	struct git_blob *blob;
	const char *bytes;
	size_t size;

	if (git_blob_open(*git, entry->oid, &blob, err) < 0)
		return -1;
	bytes = git_blob_bytes(blob, &size);
	assert(first + length <= size);
	body = mem_new(struct body);
	body->blob = blob;
	body->git = take(*git);
	http_body_lend(call->answer, media_type(entry->path), bytes + first, length, body_free,
		       body);
	return 0;
}

/* An empty file has no range; JavaScript looks for its size in Content-Range all the same (B6). */
static int find_range(struct call *call, const struct git_entry *entry, uint64_t *first,
		      uint64_t *length, struct err *err)
{
	const char *header = http_header(call->request, "Range");
	unsigned long long total = entry->size;
	bool partial = false;

	*first = 0;
	*length = entry->size;
	if (!header)
		return 0;
	if (total == 0) {
		http_add_header(call->answer, "Content-Range", "bytes */0");
		return 0;
	}
	if (http_range(header, total, &partial, first, length, err) < 0) {
		http_add_headerf(call->answer, "Content-Range", "bytes */%llu", total);
		return -1;
	}
	if (!partial)
		return 0;
	http_status(call->answer, 206);
	http_add_headerf(call->answer, "Content-Range", "bytes %llu-%llu/%llu",
			 (unsigned long long)*first, (unsigned long long)(*first + *length - 1),
			 total);
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
	uint64_t first;
	uint64_t length;

	if (http_query_bool(call->request, "download", &download, err) < 0 ||
	    call_git(call, &git, err) < 0 || find_file(call, git, &entry, err) < 0)
		return -1;
	http_add_headerf(call->answer, "ETag", "\"%s\"", entry.oid);
	http_add_header(call->answer, "Accept-Ranges", "bytes");
	add_disposition(call, entry.path, download);
	add_guards(call);
	if (http_method(call->request) == HTTP_HEAD) {
		http_body_length(call->answer, media_type(entry.path), entry.size);
		return 0;
	}
	if (find_range(call, &entry, &first, &length, err) < 0)
		return -1;
	return lend_body(call, &git, &entry, first, length, err);
}
