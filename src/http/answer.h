#pragma once

#include <microhttpd.h>
#include <stdint.h>

#include "base/own.h"
#include "http/http.h"

/*
 * The inside of struct http_answer: what a handler says through http.h, and how it becomes a
 * response of libmicrohttpd.
 */
enum answer_body { ANSWER_EMPTY, ANSWER_BYTES, ANSWER_PULL, ANSWER_FILE, ANSWER_LENGTH };

struct answer_header {
	char *name;
	char *value;
};

struct http_answer {
	int status;
	struct answer_header *headers;
	size_t header_count;
	enum answer_body body;
	uint64_t length;
	const void *bytes;
	ssize_t (*read)(void *owner, char *room, size_t max);
	void (*release)(void *owner);
	void *owner;
	int fd;
	uint64_t offset;
};

#define ANSWER_INIT ((struct http_answer){.status = 200, .fd = -1})

void answer_done(struct http_answer *answer);
static inline void own_answer_done(struct http_answer *held)
{
	answer_done(held);
}

/* Forget the body, keep status and headers. */
void answer_drop_body(struct http_answer *answer);

/* Replace all headers of that name. */
void answer_set_header(struct http_answer *answer, const char *name, const char *value);
bool answer_has_header(const struct http_answer *answer, const char *name);

/* The response; the body is handed over to it. NULL: libmicrohttpd has no memory or no descriptor.
 */
struct MHD_Response *answer_response(struct http_answer *answer);
