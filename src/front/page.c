#include "front/page.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { PAGE_MAX = 16 * 1024 };

struct page {
	const char *name;
	int status;
	int retry_s;
	const char *title;
	const char *text;
	const char *error; /* for programs, behind the slug */
};

/* 5 s: about what an app takes to start. A browser that is told to reload needs no person. */
static const struct page pages[FRONT_PAGE_COUNT] = {
	[FRONT_PAGE_STARTING] =
		{
			.name = "starting",
			.status = 503,
			.retry_s = 5,
			.title = "Starting",
			.text = "The app is starting. This page shows it as soon as it is there.",
			.error = "is starting, try again",
		},
	[FRONT_PAGE_WAKING] =
		{
			.name = "waking",
			.status = 503,
			.retry_s = 1,
			.title = "Waking up",
			.text = "The app slept, for nobody had visited it. This page shows it as "
				"soon as it is there.",
			.error = "is waking up, try again",
		},
	[FRONT_PAGE_BUILDING] =
		{
			.name = "building",
			.status = 503,
			.retry_s = 5,
			.title = "Building",
			.text = "The app is being built. This page shows it as soon as it is "
				"there.",
			.error = "is being built, try again",
		},
	[FRONT_PAGE_PAUSED] =
		{
			.name = "paused",
			.status = 503,
			.title = "Paused",
			.text = "The owner has paused this Space. It runs again when the owner "
				"restarts it.",
			.error = "is paused by its owner",
		},
	[FRONT_PAGE_STOPPED] =
		{
			.name = "stopped",
			.status = 503,
			.title = "Done",
			.text = "The app has done its work and ended. It runs again when its owner "
				"restarts this Space.",
			.error = "has done its work and ended, its owner can restart it",
		},
	[FRONT_PAGE_ERROR] =
		{
			.name = "error",
			.status = 503,
			.title = "Something went wrong",
			.text = "The app could not be built or started. Its owner finds the reason "
				"in the logs "
				"of the Space on the hub.",
			.error = "could not be built or started, its logs say why",
		},
	[FRONT_PAGE_NOT_FOUND] =
		{
			.name = "not-found",
			.status = 404,
			.title = "Not found",
			.text = "There is no Space with this name, or it is private.",
			.error = "is no space that can be seen",
		},
	[FRONT_PAGE_SIGN_IN] =
		{
			.name = "sign-in",
			.status = 401,
			.title = "Who is there?",
			.text = "There is no Space with this name, or it is private. Who may see "
				"it gets in by a link, which the hub gives for a token: ask it for "
				"/api/spaces/NAMESPACE/NAME/jwt.",
			.error = "is no space that everybody can see: send a token of the hub",
		},
	[FRONT_PAGE_ENTER] =
		{
			.name = "enter",
			.status = 303,
			.title = "Welcome",
			.text = "You are in: go on to the app.",
			.error = "is open to you: follow the redirect with its cookie",
		},
	[FRONT_PAGE_PAYMENT] =
		{
			.name = "payment",
			.status = 402,
			.title = "Ask an administrator",
			.text = "This hardware is given by the administrators of this hub, for as "
				"many hours as they grant. Ask one of them for it; CPU basic needs "
				"no grant.",
			.error = "needs hardware that must be granted: ask an administrator",
		},
	[FRONT_PAGE_UNAVAILABLE] =
		{
			.name = "unavailable",
			.status = 503,
			.retry_s = 5,
			.title = "Not reachable",
			.text = "This Space cannot be reached now. This page tries again by "
				"itself.",
			.error = "cannot be reached now, try again",
		},
};

static const char style[] =
	":root{color-scheme:light dark;--ink:#1f2430;--soft:#667085;--back:#f7f8fa;--line:#3f6fd8}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6e8ee;--soft:#98a2b3;--back:#14161b;"
	"--line:#7aa2ff}}"
	"body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--back);"
	"color:var(--ink);font:16px/1.55 system-ui,sans-serif}"
	"main{max-width:30em;padding:2em}h1{margin:0 0 .4em;font-size:1.5em}p{margin:.4em 0}"
	".name{color:var(--soft);font-size:.9em;overflow-wrap:anywhere}"
	".bar{height:3px;margin-top:1.5em;border-radius:2px;background:linear-gradient(90deg,"
	"transparent,var(--line),transparent) 0/50% 100% no-repeat;animation:run 1.4s linear "
	"infinite}"
	"@keyframes run{from{background-position:-100%}to{background-position:200%}}"
	"@media(prefers-reduced-motion:reduce){.bar{animation:none}}";

const char *front_page_name(enum front_page page)
{
	assert(page < FRONT_PAGE_COUNT);
	return pages[page].name;
}

enum front_page front_page_of(const char *name)
{
	for (unsigned i = 0; i < FRONT_PAGE_COUNT; i++) {
		if (strcmp(pages[i].name, name) == 0)
			return (enum front_page)i;
	}
	return FRONT_PAGE_COUNT;
}

int front_page_status(enum front_page page)
{
	assert(page < FRONT_PAGE_COUNT);
	return pages[page].status;
}

int front_page_retry_s(enum front_page page)
{
	assert(page < FRONT_PAGE_COUNT);
	return pages[page].retry_s;
}

static void add_escaped(struct str *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			str_add(out, "&amp;");
			break;
		case '<':
			str_add(out, "&lt;");
			break;
		case '>':
			str_add(out, "&gt;");
			break;
		case '"':
			str_add(out, "&quot;");
			break;
		default:
			str_add_char(out, *text);
		}
	}
}

char *front_page_html(enum front_page page, const char *slug)
{
	owned(str_done) struct str out = str_new(PAGE_MAX);
	const struct page *row = &pages[page];

	assert(page < FRONT_PAGE_COUNT);
	str_add(&out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		      "<meta name=\"robots\" content=\"noindex\">\n");
	if (row->retry_s > 0)
		str_addf(&out, "<meta http-equiv=\"refresh\" content=\"%d\">\n", row->retry_s);
	str_addf(&out, "<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n",
		 row->title, style);
	if (*slug) {
		str_add(&out, "<p class=\"name\">");
		add_escaped(&out, slug);
		str_add(&out, "</p>\n");
	}
	str_addf(&out, "<h1>%s</h1>\n<p>%s</p>\n", row->title, row->text);
	if (row->retry_s > 0)
		str_add(&out, "<div class=\"bar\"></div>\n");
	str_add(&out, "</main>\n</body>\n</html>\n");
	/* Only a slug that is no DNS label could be too long: then the page does without. */
	return out.failed ? front_page_html(page, "") : str_take(&out);
}

char *front_page_json(enum front_page page, const char *slug)
{
	owned(free) char *text = NULL;
	owned(json_decref) json_t *body = NULL;

	assert(page < FRONT_PAGE_COUNT);
	text = *slug ? mem_format("%s %s", slug, pages[page].error)
		     : mem_format("this %s", pages[page].error);
	body = json_object();
	/* Bytes that are no UTF-8 have no place in JSON: then the sentence does without the name.
	 */
	if (json_object_set_new(body, "error", json_string(text)) < 0)
		json_object_set_new(body, "error", json_sprintf("this %s", pages[page].error));
	return json_text(body);
}
