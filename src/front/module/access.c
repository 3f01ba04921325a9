#include "espace.h"

/* After so many answers that were out of date at once, something is wrong: 503. */
enum { QUESTIONS_MAX = 3, PAGE_NAME_MAX = 32 };

static void take_address(struct espace_visit *visit, const ngx_str_t *value)
{
	u_char *colon = ngx_strlchr(value->data, value->data + value->len, ':');
	in_addr_t address;
	ngx_int_t port;

	if (!colon)
		return;
	address = ngx_inet_addr(value->data, (size_t)(colon - value->data));
	port = ngx_atoi(colon + 1, (size_t)(value->data + value->len - colon - 1));
	if (address == INADDR_NONE || port <= 0 || port > UINT16_MAX)
		return;
	visit->admitted = true;
	espace_visit_send_to(visit, ntohl(address), (uint16_t)port);
}

/* The name becomes part of a path: letters and '-' only. */
static void take_page(struct espace_visit *visit, const ngx_str_t *value)
{
	if (value->len == 0 || value->len > PAGE_NAME_MAX)
		return;
	for (size_t i = 0; i < value->len; i++) {
		if (value->data[i] != '-' && (value->data[i] < 'a' || value->data[i] > 'z'))
			return;
	}
	visit->page = *value;
}

static void take_enter(struct espace_visit *visit, const ngx_str_t *value)
{
	visit->admitted = true;
}

static void take_grant(struct espace_visit *visit, const ngx_str_t *value)
{
	visit->grant = *value;
}

static void take_drop(struct espace_visit *visit, const ngx_str_t *value)
{
	visit->drops = true;
}

static void take_header(struct espace_visit *visit, const ngx_table_elt_t *header)
{
	static const struct {
		ngx_str_t name;
		void (*take)(struct espace_visit *visit, const ngx_str_t *value);
	} headers[] = {
		{ngx_string("X-Espace-Enter"), take_enter},
		{ngx_string("X-Espace-To"), take_address},
		{ngx_string("X-Espace-Page"), take_page},
		{ngx_string("X-Espace-Drop"), take_drop},
		{ngx_string("X-Espace-Grant"), take_grant},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (header->key.len == headers[i].name.len &&
		    ngx_strncasecmp(header->key.data, headers[i].name.data, header->key.len) == 0)
			headers[i].take(visit, &header->value);
	}
}

/* The question was answered, or failed: then nothing is known. */
static ngx_int_t answered(ngx_http_request_t *question, void *data, ngx_int_t rc)
{
	struct espace_visit *visit = data;
	ngx_list_part_t *part;

	visit->stage = ESPACE_ANSWERED;
	if (rc != NGX_OK || !question->upstream || question->headers_out.status != NGX_HTTP_OK)
		return rc;
	for (part = &question->upstream->headers_in.headers.part; part; part = part->next) {
		const ngx_table_elt_t *headers = part->elts;

		for (ngx_uint_t i = 0; i < part->nelts; i++)
			take_header(visit, &headers[i]);
	}
	return rc;
}

static ngx_int_t ask(struct espace_visit *visit)
{
	ngx_http_request_t *r = visit->request;
	struct espace_location *location = ngx_http_get_module_loc_conf(r, ngx_http_espace_module);
	ngx_http_post_subrequest_t *post = ngx_palloc(r->pool, sizeof(*post));
	ngx_http_request_t *question;

	if (!post)
		return NGX_ERROR;
	if (visit->asked++ == QUESTIONS_MAX)
		return NGX_HTTP_SERVICE_UNAVAILABLE;
	visit->stage = ESPACE_ASKING;
	visit->address.sin_port = 0;
	visit->page.len = 0;
	visit->grant.len = 0;
	visit->admitted = false;
	visit->drops = false;
	post->handler = answered;
	post->data = visit;
	if (ngx_http_subrequest(r, &location->ask, NULL, &question, post,
				NGX_HTTP_SUBREQUEST_WAITED) != NGX_OK)
		return NGX_ERROR;

	/* The visitor's body is not the question's: an empty one of its own keeps it unread. */
	question->request_body = ngx_pcalloc(r->pool, sizeof(*question->request_body));
	if (!question->request_body)
		return NGX_ERROR;
	question->header_only = 1;
	return NGX_AGAIN;
}

/* Not the app, but one of the hub's pages. What the visitor uploads is of no use to it. */
static ngx_int_t show_page(struct espace_visit *visit)
{
	static ngx_str_t location = ngx_string("@espace_page");
	ngx_http_request_t *r = visit->request;
	ngx_int_t rc = ngx_http_discard_request_body(r);

	if (rc != NGX_OK)
		return rc;
	ngx_http_named_location(r, &location);
	ngx_http_finalize_request(r, NGX_DONE);
	return NGX_DONE;
}

static ngx_int_t follow_answer(struct espace_visit *visit)
{
	visit->stage = ESPACE_DECIDED;
	if (visit->page.len > 0)
		return show_page(visit);
	if (visit->address.sin_port != 0)
		return espace_visit_follow(visit) ? NGX_DECLINED : ask(visit);
	if (!visit->admitted)
		return NGX_HTTP_SERVICE_UNAVAILABLE;
	return espace_visit_enter(visit) ? NGX_DECLINED : ask(visit);
}

ngx_int_t espace_access(ngx_http_request_t *r)
{
	struct espace_location *location = ngx_http_get_module_loc_conf(r, ngx_http_espace_module);
	struct espace_visit *visit;

	if (location->ask.len == 0)
		return NGX_DECLINED;
	visit = espace_visit_make(r);
	if (!visit)
		return NGX_ERROR;

	switch (visit->stage) {
	case ESPACE_NEW:
		if (!espace_visit_enter(visit))
			return ask(visit);
		visit->stage = ESPACE_DECIDED;
		return NGX_DECLINED;
	case ESPACE_ASKING:
		return NGX_AGAIN;
	case ESPACE_ANSWERED:
		return follow_answer(visit);
	case ESPACE_DECIDED:
		break;
	}
	return NGX_DECLINED;
}
