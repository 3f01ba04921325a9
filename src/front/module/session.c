#include "espace.h"

/* The last segment of a path but `skip`: of "/a/b/c" it is "c", and "b" with 1. Else empty. */
static ngx_str_t segment(const ngx_str_t *path, unsigned skip)
{
	size_t end = path->len;
	size_t start = end;

	for (;;) {
		while (start > 0 && path->data[start - 1] != '/')
			start--;
		if (skip-- == 0 || start == 0)
			break;
		end = --start;
	}
	return (ngx_str_t){.len = end - start, .data = path->data + start};
}

static bool has_segment(const ngx_str_t *path, unsigned skip, const char *wanted)
{
	ngx_str_t found = segment(path, skip);

	return found.len == ngx_strlen(wanted) && ngx_memcmp(found.data, wanted, found.len) == 0;
}

/* …/queue/join of gradio_client and of pages; …/call/NAME of curl and other languages. */
bool espace_opens_session(ngx_http_request_t *r)
{
	if (r->method != NGX_HTTP_POST)
		return false;
	return (has_segment(&r->uri, 0, "join") && has_segment(&r->uri, 1, "queue")) ||
	       has_segment(&r->uri, 1, "call");
}

/* …/queue/data and others with ?session_hash=; …/call/NAME/EVENT. */
bool espace_continues_session(ngx_http_request_t *r)
{
	static u_char name[] = "session_hash";
	ngx_str_t value;

	return ngx_http_arg(r, name, sizeof(name) - 1, &value) == NGX_OK ||
	       (r->method == NGX_HTTP_GET && has_segment(&r->uri, 2, "call"));
}
