#pragma once

#include "base/own.h"

/*
 * Pages that stand for an app which does not answer itself: small, in one piece, without anything
 * from elsewhere. A client that does not read HTML gets the same as {"error": "..."}.
 */
enum front_page {
	FRONT_PAGE_STARTING, /* reloads by itself */
	FRONT_PAGE_WAKING,   /* the same, from sleep */
	FRONT_PAGE_BUILDING, /* reloads by itself too */
	FRONT_PAGE_PAUSED,
	FRONT_PAGE_STOPPED,     /* it ended by itself, without an error */
	FRONT_PAGE_ERROR,       /* did not build, did not start, or crashes */
	FRONT_PAGE_NOT_FOUND,   /* no Space has this name, or none that the visitor may see */
	FRONT_PAGE_SIGN_IN,     /* the same, and nobody knows who the visitor is */
	FRONT_PAGE_ENTER,       /* to the same address with a cookie: front/enter.h */
	FRONT_PAGE_PAYMENT,     /* what was asked for needs a grant */
	FRONT_PAGE_UNAVAILABLE, /* overload, or the hub cannot tell */
	FRONT_PAGE_COUNT
};

/* "not-found": the name in X-Espace-Page, and in the page's path. */
const char *front_page_name(enum front_page page);
/* The page of a name; FRONT_PAGE_COUNT where there is none. */
enum front_page front_page_of(const char *name);

int front_page_status(enum front_page page);
/* Seconds for Retry-After; 0: trying again is of no use. */
int front_page_retry_s(enum front_page page);

/* The texts, for free(). `slug` is text from outside, escaped here; it may be empty. */
char *front_page_html(enum front_page page, const char *slug);
char *front_page_json(enum front_page page, const char *slug);
