#include "espace.h"

/*
 * nginx limits the bytes of a request's headers, not their number: 64 KiB hold thousands of short
 * ones, which would exhaust whoever stands behind us. Browsers send some thirty; a hundred is the
 * limit of Apache and of Python's http.server.
 */
enum { HEADERS_MAX = 100, TOO_LARGE = 431 }; /* RFC 6585 section 5 */

ngx_int_t espace_count(ngx_http_request_t *r)
{
	const ngx_list_part_t *part;
	ngx_uint_t count = 0;

	for (part = &r->headers_in.headers.part; part; part = part->next)
		count += part->nelts;
	return count > HEADERS_MAX ? TOO_LARGE : NGX_DECLINED;
}
