#include "front/cookie.h"
#include "espace.h"

/* Longer than any Cookie of a browser's one or two of ours: the rest is not worth asking about. */
enum { PASSES_MAX = 512 };

/* All Cookie headers as one, as $http_cookie has it. False: none, or no memory. */
static bool header_of(ngx_http_request_t *r, ngx_str_t *out)
{
	static ngx_str_t name = ngx_string("http_cookie");
	ngx_http_variable_value_t *value =
		ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));

	if (!value || value->not_found || value->len == 0)
		return false;
	*out = (ngx_str_t){.len = value->len, .data = value->data};
	return true;
}

static ngx_str_t cut(ngx_http_request_t *r, size_t room,
		     size_t (*take)(const ngx_str_t *header, char *out, size_t room))
{
	ngx_str_t header, out = ngx_null_string;

	if (!header_of(r, &header))
		return out;
	out.data = ngx_pnalloc(r->pool, room > 0 ? room : 2 * header.len);
	if (out.data)
		out.len = take(&header, (char *)out.data, room);
	return out;
}

static size_t take_rest(const ngx_str_t *header, char *out, size_t room)
{
	return cookie_rest((const char *)header->data, header->len, out);
}

static size_t take_ours(const ngx_str_t *header, char *out, size_t room)
{
	return cookie_ours((const char *)header->data, header->len, out, room);
}

ngx_str_t espace_cookies_of_app(ngx_http_request_t *r)
{
	return cut(r, 0, take_rest);
}

ngx_str_t espace_passes(ngx_http_request_t *r)
{
	return cut(r, PASSES_MAX, take_ours);
}
