#pragma once

#include "api/call.h"

/*
 * URLs in answers. They start with the origin that the client used, because clients refuse any
 * other host in them (Wire: 0.1, A2).
 */

/* "http://localhost:8080/spaces/me/demo". For free(). */
char *url_repo(const struct call *call);

/* The host of a Space as the client reaches it, with the port: "me-demo.localhost:8080". For
 * free(). */
char *url_space_host(const struct call *call, const char *slug);

/* "http://me-demo.localhost:8080". For free(). */
char *url_space(const struct call *call, const char *slug);

/* %XX for all but unreserved characters and, where `keep_slash`, '/'. For free(). */
char *url_encode(const char *text, bool keep_slash);
