#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/http.h"

/*
 * What answers look like: errors by the one table from kind to status and X-Error-Code, and JSON.
 *
 * Wire: 0.3, 0.4.
 */

/* Make an error the answer. Headers that were added before stay: X-Repo-Commit, Content-Range. */
void answer_error(const struct http_request *request, const struct err *err,
		  struct http_answer *answer);

/* JSON as the body; `value` is taken over. The status stays. */
void answer_json(struct http_answer *answer, json_t *value);

/* A short text as the body. */
void answer_text(struct http_answer *answer, const char *text);

/* A text that need not be UTF-8, such as a path or a message out of git: what isn't becomes "?". */
json_t *answer_string(const char *text);

/* The same as JSON behind what is there: a list of a thousand entries is no tree of objects. */
void answer_add_string(struct str *out, const char *text);

/* JSON text as the body. */
void answer_json_text(struct http_answer *answer, struct str *text);

/* A time as every client parses it. */
json_t *answer_stamp(int64_t wall_ms);

/* `text` as one line of ASCII, for a header: at most LIMITS_MESSAGE bytes. For free(). */
char *answer_line(const char *text);
