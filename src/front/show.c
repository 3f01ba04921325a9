#include "front/show.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "front/enter.h"

static const char *header(struct MHD_Connection *connection, const char *name)
{
	const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

	return value ? value : "";
}

bool show_is_wanted(struct MHD_Connection *connection)
{
	const char *method = header(connection, "X-Espace-Method");

	return (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) &&
	       strstr(header(connection, "Accept"), "text/html");
}

/* An app's name carries pages of its own later: nothing of ours may be kept, indexed or extended.
 */
static void add_headers(struct MHD_Response *response, enum front_page page, bool html)
{
	char retry[sizeof("2147483647")];

	MHD_add_response_header(response, "Content-Type",
				html ? "text/html; charset=utf-8"
				     : "application/json; charset=utf-8");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "Vary", "Accept");
	MHD_add_response_header(response, "X-Robots-Tag", "noindex");
	if (html)
		MHD_add_response_header(response, "Content-Security-Policy",
					"default-src 'none'; style-src 'unsafe-inline'");
	if (page == FRONT_PAGE_SIGN_IN) /* RFC 9110 section 11.6.1: a 401 says how */
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"espace\"");
	if (front_page_retry_s(page) > 0) {
		snprintf(retry, sizeof(retry), "%d", front_page_retry_s(page));
		MHD_add_response_header(response, "Retry-After", retry);
	}
}

/* Absolute, or a path such as //host would lead to another one. */
static void add_enter(struct MHD_Connection *connection, struct MHD_Response *response)
{
	const char *origin = header(connection, "X-Espace-Origin");
	const char *grant = header(connection, "X-Espace-Grant");
	owned(free) char *path = enter_clean(header(connection, "X-Espace-Uri"));
	owned(free) char *place = mem_format("%s%s", origin, path);

	MHD_add_response_header(response, "Location", place);
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	if (*grant) {
		owned(free) char *cookie = enter_cookie(origin, grant);

		MHD_add_response_header(response, "Set-Cookie", cookie);
	}
}

enum MHD_Result show_page(struct MHD_Connection *connection, enum front_page page)
{
	const char *slug = header(connection, "X-Espace-Slug");
	bool html = show_is_wanted(connection);
	struct MHD_Response *response;
	enum MHD_Result result;
	char *text;

	if (page == FRONT_PAGE_COUNT)
		page = FRONT_PAGE_NOT_FOUND;
	text = html ? front_page_html(page, slug) : front_page_json(page, slug);
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	add_headers(response, page, html);
	if (page == FRONT_PAGE_ENTER)
		add_enter(connection, response);
	result = MHD_queue_response(connection, (unsigned)front_page_status(page), response);
	MHD_destroy_response(response);
	return result;
}
