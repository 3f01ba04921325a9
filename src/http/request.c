#include "http/request.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"

struct http_request *request_new(char *uri, struct MHD_Connection *connection)
{
	struct http_request *request = mem_new(struct http_request);
	char *query;

	request->connection = connection;
	request->began_ms = clock_mono_ms();
	request->is_new = true;
	request->path = mem_text(uri);
	query = strchr(request->path, '?');
	if (query) {
		*query++ = '\0';
		uri[query - request->path] = '\0';
	}
	request->query_text = query ? query : "";
	request->body = str_new(0);
	request->answer = ANSWER_INIT;
	return request;
}

void request_free(struct http_request *request)
{
	if (!request)
		return;
	answer_done(&request->answer);
	str_done(&request->body);
	router_match_done(&request->match);
	query_done(&request->form);
	query_done(&request->query);
	free(request->origin);
	free(request->path);
	free(request);
}

static const char *const method_names[] = {
	[HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
	[HTTP_OTHER] = "OTHER",
};

static enum http_method method_of(const char *name)
{
	for (int i = 0; i < HTTP_OTHER; i++)
		if (!strcmp(name, method_names[i]))
			return (enum http_method)i;
	return HTTP_OTHER;
}

const char *request_method_name(const struct http_request *request)
{
	return method_names[request->method];
}

/* Addresses in answers are built from it, so nothing but a host and a port may stand in it. */
static int read_host(struct http_request *request, struct err *err)
{
	const char *host = http_header(request, "Host");
	size_t length;

	/* HTTP/1.0 may leave it out; and an error needs addresses too. */
	memcpy(request->host, "localhost", sizeof("localhost"));
	if (!host || !*host)
		return 0;
	length = strlen(host);
	if (length >= sizeof(request->host))
		return err_set(err, ERR_INVALID, "the host header is too long");
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)host[i]) && !strchr("-_.:[]", host[i]))
			return err_set(err, ERR_INVALID, "the host header is malformed");
	memcpy(request->host, host, length + 1);
	return 0;
}

int request_read_head(struct http_request *request, const char *method, struct err *err)
{
	const char *trace = http_header(request, "X-Amzn-Trace-Id");
	const char *scheme = http_header(request, "X-Forwarded-Proto");
	size_t query_length = strlen(request->query_text);
	int result;

	request->method = method_of(method);
	trace_make(trace ? trace : http_header(request, "X-Request-Id"), request->id);
	result = read_host(request, err);
	scheme = scheme && !strcasecmp(scheme, "https") ? "https" : "http";
	request->origin = mem_format("%s://%s", scheme, request->host);
	if (result < 0)
		return -1;
	if (strlen(request->path) + query_length > HTTP_TARGET_MAX)
		return err_set(err, ERR_TOO_LARGE, "the address is longer than %d bytes",
			       HTTP_TARGET_MAX);
	return query_parse(request->query_text, query_length, QUERY_MAX_FIELDS, &request->query,
			   err);
}

uint64_t request_content_length(const struct http_request *request)
{
	const char *length = http_header(request, "Content-Length");

	/* libmicrohttpd has refused what is no number; strtoull() clamps one that is too big. */
	return length ? strtoull(length, NULL, 10) : 0;
}

int request_read_form(struct http_request *request, struct err *err)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = http_header(request, "Content-Type");

	if (!type || strncasecmp(type, form, sizeof(form) - 1) != 0)
		return 0;
	return query_parse(request->body.data, request->body.length, QUERY_MAX_FORM_FIELDS,
			   &request->form, err);
}

enum http_method http_method(const struct http_request *request)
{
	return request->method;
}

const char *http_path(const struct http_request *request)
{
	return request->path;
}

const char *http_query_text(const struct http_request *request)
{
	return request->query_text;
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_param(const struct http_request *request, const char *name)
{
	const struct router_match *match = &request->match;

	for (size_t i = 0; i < match->count; i++)
		if (!strcmp(match->params[i].name, name))
			return match->params[i].value;
	return NULL;
}

const char *http_request_id(const struct http_request *request)
{
	return request->id;
}

struct http_answer *http_answer(struct http_request *request)
{
	return &request->answer;
}

const void *http_route_data(const struct http_request *request)
{
	return request->match.route ? request->match.route->data : NULL;
}

const char *http_origin(const struct http_request *request)
{
	return request->origin;
}

const char *http_host(const struct http_request *request)
{
	return request->host;
}

const char *http_query(const struct http_request *request, const char *name)
{
	return query_first(&request->query, name);
}

size_t http_query_all(const struct http_request *request, const char *name, const char **out,
		      size_t max)
{
	return query_all(&request->query, name, out, max);
}

int http_query_bool(const struct http_request *request, const char *name, bool *out,
		    struct err *err)
{
	const char *value = http_query(request, name);

	/* Clients write None as an empty value. */
	if (!value || !*value)
		return 0;
	if (!strcasecmp(value, "true") || !strcmp(value, "1"))
		*out = true;
	else if (!strcasecmp(value, "false") || !strcmp(value, "0"))
		*out = false;
	else
		return err_set(err, ERR_INVALID, "%s must be true or false", name);
	return 0;
}

int http_query_int(const struct http_request *request, const char *name, int64_t *out,
		   struct err *err)
{
	const char *value = http_query(request, name);
	long long number;
	char *end;

	if (!value || !*value)
		return 0;
	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || *end || isspace((unsigned char)*value))
		return err_set(err, ERR_INVALID, "%s must be a whole number", name);
	*out = number;
	return 0;
}

const struct str *http_body(const struct http_request *request)
{
	return &request->body;
}

size_t http_form_all(const struct http_request *request, const char *name, const char **out,
		     size_t max)
{
	return query_all(&request->form, name, out, max);
}

void http_set_context(struct http_request *request, void *context)
{
	request->context = context;
}

void *http_context(const struct http_request *request)
{
	return request->context;
}
