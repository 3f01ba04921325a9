#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "base/own.h"
#include "front/page.h"

/*
 * Show: the HTTP side of pages: which form a visitor gets, with which status and headers. nginx
 * says in X-Espace-Method what the visitor's request was.
 */

/* A browser that opens a page: GET or HEAD, and HTML is welcome. All others are programs. */
bool show_is_wanted(struct MHD_Connection *connection);

/* Queue the page as the answer of this connection. FRONT_PAGE_COUNT is shown as not found. */
enum MHD_Result show_page(struct MHD_Connection *connection, enum front_page page);
