#include "http/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "http/request.h"

/* Read at a time of a body that is pulled. */
enum { PULL_BYTES = 64 << 10 };

static const char default_type[] = "application/json; charset=utf-8";

static void release_body(struct http_answer *answer)
{
	if (answer->release)
		answer->release(answer->owner);
	if (answer->fd >= 0)
		close(answer->fd);
}

void answer_drop_body(struct http_answer *answer)
{
	release_body(answer);
	answer->body = ANSWER_EMPTY;
	answer->length = 0;
	answer->bytes = NULL;
	answer->release = NULL;
	answer->owner = NULL;
	answer->fd = -1;
}

void answer_done(struct http_answer *answer)
{
	answer_drop_body(answer);
	for (size_t i = 0; i < answer->header_count; i++) {
		free(answer->headers[i].name);
		free(answer->headers[i].value);
	}
	free(answer->headers);
	*answer = ANSWER_INIT;
}

void http_status(struct http_answer *answer, int status)
{
	answer->status = status;
}

/* Without line breaks and other control characters: a value may come from a file name or a client.
 */
static char *clean_value(const char *value)
{
	char *copy = mem_text(value);

	for (char *at = copy; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = ' ';
	return copy;
}

void http_add_header(struct http_answer *answer, const char *name, const char *value)
{
	answer->headers =
		mem_grow(answer->headers, answer->header_count + 1, sizeof(*answer->headers));
	answer->headers[answer->header_count++] =
		(struct answer_header){.name = mem_text(name), .value = clean_value(value)};
}

void http_add_headerf(struct http_answer *answer, const char *name, const char *format, ...)
{
	owned(free) char *value = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&value, format, args) < 0)
		abort(); /* as base/mem.h does: there is no memory */
	va_end(args);
	http_add_header(answer, name, value);
}

bool answer_has_header(const struct http_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->header_count; i++)
		if (!strcasecmp(answer->headers[i].name, name))
			return true;
	return false;
}

void answer_set_header(struct http_answer *answer, const char *name, const char *value)
{
	size_t kept = 0;

	for (size_t i = 0; i < answer->header_count; i++) {
		if (strcasecmp(answer->headers[i].name, name) != 0) {
			answer->headers[kept++] = answer->headers[i];
			continue;
		}
		free(answer->headers[i].name);
		free(answer->headers[i].value);
	}
	answer->header_count = kept;
	http_add_header(answer, name, value);
}

static void begin_body(struct http_answer *answer, enum answer_body body, const char *type,
		       uint64_t length)
{
	answer_drop_body(answer);
	answer_set_header(answer, "Content-Type", type ? type : default_type);
	answer->body = body;
	answer->length = length;
}

void http_body_take(struct http_answer *answer, const char *type, char *body, size_t length)
{
	http_body_lend(answer, type, body, length, free, body);
}

void http_body_lend(struct http_answer *answer, const char *type, const void *bytes, size_t length,
		    void (*release)(void *owner), void *owner)
{
	begin_body(answer, ANSWER_BYTES, type, length);
	answer->bytes = bytes;
	answer->release = release;
	answer->owner = owner;
}

void http_body_pull(struct http_answer *answer, const char *type, uint64_t length,
		    ssize_t (*read)(void *owner, char *room, size_t max),
		    void (*release)(void *owner), void *owner)
{
	begin_body(answer, ANSWER_PULL, type, length);
	answer->read = read;
	answer->release = release;
	answer->owner = owner;
}

void http_body_file(struct http_answer *answer, const char *type, int fd, uint64_t offset,
		    uint64_t length)
{
	begin_body(answer, ANSWER_FILE, type, length);
	answer->fd = fd;
	answer->offset = offset;
}

void http_body_length(struct http_answer *answer, const char *type, uint64_t length)
{
	begin_body(answer, ANSWER_LENGTH, type, length);
}

/* What a client sends is told back up to here: nginx has room for 32 KiB of an answer's headers. */
enum { ECHO_MAX = 1024 };

static const char *fits(const char *value)
{
	return value && strlen(value) <= ECHO_MAX ? value : NULL;
}

void http_cors(const struct http_request *request, struct http_answer *answer)
{
	const char *origin = fits(http_header(request, "Origin"));
	const char *wanted = fits(http_header(request, "Access-Control-Request-Headers"));

	if (answer_has_header(answer, "Access-Control-Allow-Origin"))
		return;
	/* Never with Allow-Credentials: a page elsewhere may use a token that it has, not our
	 * cookie. */
	http_add_header(answer, "Access-Control-Allow-Origin", origin ? origin : "*");
	http_add_header(answer, "Vary", "Origin");
	http_add_header(answer, "Access-Control-Expose-Headers",
			"X-Repo-Commit, X-Request-Id, X-Error-Code, X-Error-Message, "
			"X-Total-Count, ETag, Link, Accept-Ranges, Content-Range, X-Linked-Size, "
			"X-Linked-Etag, X-Xet-Hash, X-Xet-Cas-Url, X-Xet-Access-Token, "
			"X-Xet-Token-Expiration, X-Xet-Refresh-Route, X-HF-Warning, RateLimit, "
			"RateLimit-Policy, Retry-After");
	if (http_method(request) != HTTP_OPTIONS)
		return;
	http_add_header(answer, "Access-Control-Allow-Methods",
			"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
	http_add_header(answer, "Access-Control-Allow-Headers",
			wanted ? wanted : "Authorization, Content-Type, Range");
	http_add_header(answer, "Access-Control-Max-Age", "86400");
}

/* Never called: libmicrohttpd reads no body where the answer is to HEAD. Else: cut the connection.
 */
static ssize_t read_nothing(void *arg, uint64_t offset, char *room, size_t max)
{
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* A body that is read while it is sent: what libmicrohttpd keeps of it. */
struct source {
	ssize_t (*read)(void *owner, char *room, size_t max);
	void (*release)(void *owner);
	void *owner;
	uint64_t left;
};

static ssize_t read_source(void *arg, uint64_t offset, char *room, size_t max)
{
	struct source *source = arg;
	size_t wanted = max < source->left ? max : (size_t)source->left;
	ssize_t got = source->read(source->owner, room, wanted);

	if (got <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	source->left -= (uint64_t)got;
	return got;
}

static void free_source(void *arg)
{
	struct source *source = arg;

	if (source->release)
		source->release(source->owner);
	free(source);
}

static struct MHD_Response *make_pull(struct http_answer *answer)
{
	struct source *source = mem_new(struct source);
	struct MHD_Response *response;

	*source = (struct source){answer->read, answer->release, answer->owner, answer->length};
	answer->release = NULL;
	response = MHD_create_response_from_callback(answer->length, PULL_BYTES, read_source,
						     source, free_source);
	if (!response)
		free_source(source);
	return response;
}

static struct MHD_Response *make_body(struct http_answer *answer)
{
	static char nothing[1];
	struct MHD_Response *response;

	if (answer->length == 0 || answer->body == ANSWER_EMPTY)
		return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
	switch (answer->body) {
	case ANSWER_FILE:
		response = MHD_create_response_from_fd_at_offset64(answer->length, answer->fd,
								   answer->offset);
		if (response)
			answer->fd = -1;
		return response;
	case ANSWER_PULL:
		return make_pull(answer);
	case ANSWER_LENGTH:
		return MHD_create_response_from_callback(answer->length, 1024, read_nothing, NULL,
							 NULL);
	case ANSWER_BYTES:
	case ANSWER_EMPTY:
		break;
	}
	if (!answer->release)
		return MHD_create_response_from_buffer(
			(size_t)answer->length, (void *)answer->bytes, MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		(size_t)answer->length, (void *)answer->bytes, answer->release, answer->owner);
	if (response)
		answer->release = NULL;
	return response;
}

struct MHD_Response *answer_response(struct http_answer *answer)
{
	struct MHD_Response *response = make_body(answer);

	for (size_t i = 0; response && i < answer->header_count; i++) {
		/* libmicrohttpd refuses an empty value; such a header says nothing. */
		if (*answer->headers[i].value)
			MHD_add_response_header(response, answer->headers[i].name,
						answer->headers[i].value);
	}
	return response;
}
