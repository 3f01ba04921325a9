#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "engine/engine.h"

/*
 * The format between the hub (engine/local.c) and the runner: one message, one datagram on a
 * SOCK_SEQPACKET pair. The runner is root and the hub is not, so the runner trusts nothing in it:
 * this file checks the shape, runner/check.c what the fields say.
 *
 * Wire: numbers are little endian. A message is a header of REQUEST_HEADER bytes
 *
 *     u32 magic "ESRQ"   u16 version   u16 kind   u64 id   u64 session
 *
 * and fields behind it, each  u16 tag  u32 length  bytes.  A text field ends in one NUL that its
 * length counts and holds no other; a number is 8 bytes. A tag may stand once, but for the list
 * tags (layer, argv, env, device), whose order is kept. Unknown tags are refused: both sides are
 * one build.
 *
 * `id` pairs a reply with its request. `session` is drawn by each hub at its start and comes back
 * in replies: the pair outlives both sides, and a new hub must not take the replies to an old one.
 * Events carry neither.
 */
enum {
	REQUEST_VERSION = 1,
	REQUEST_HEADER = 24,
	REQUEST_MAX = 200 * 1024, /* below the kernel's default socket buffer of 208 KiB */
	REQUEST_ARGV_MAX = 256,
	REQUEST_ENV_MAX = 1024,
	REQUEST_FIELDS_MAX = REQUEST_ARGV_MAX + REQUEST_ENV_MAX + 64,
};

enum request_kind {
	/* hub → runner */
	REQUEST_SUBMIT = 1, /* a spec */
	REQUEST_OBSERVE,    /* answered by one REQUEST_RUN for each run, then the reply */
	REQUEST_STOP,       /* key, grace */
	REQUEST_SUSPEND,    /* key */
	REQUEST_RESUME,     /* key */
	REQUEST_FORGET,     /* key */
	REQUEST_PREPARE,    /* answered when the base system is there */
	REQUEST_DROP_DATA,  /* space; answered when its disk is gone */
	REQUEST_MEASURE,    /* key; answered by REQUEST_METRICS or an error's reply */
	REQUEST_PAGE_OUT,   /* key */
	/* runner → hub */
	REQUEST_REPLY = 64, /* error kind and text; kind 0 is success */
	REQUEST_RUN,        /* a run, in answer to OBSERVE */
	REQUEST_CHANGED,    /* event: a run has changed */
	REQUEST_HELLO,      /* event: the runner has started, or had to drop events: observe anew */
	REQUEST_METRICS,    /* metrics of a run, in answer to MEASURE */
};

enum request_tag {
	REQUEST_TAG_KIND = 1, /* number: enum engine_kind */
	REQUEST_TAG_KEY,
	REQUEST_TAG_SPACE,
	REQUEST_TAG_LOG,
	REQUEST_TAG_LAYER, /* list */
	REQUEST_TAG_ARGV,  /* list */
	REQUEST_TAG_ENV,   /* list */
	REQUEST_TAG_CWD,
	REQUEST_TAG_PORT,
	REQUEST_TAG_CPU,
	REQUEST_TAG_MEMORY,
	REQUEST_TAG_PIDS,
	REQUEST_TAG_DISK,
	REQUEST_TAG_RESULT,
	REQUEST_TAG_CACHE,
	REQUEST_TAG_GRACE,
	REQUEST_TAG_STATE,
	REQUEST_TAG_ADDRESS,
	REQUEST_TAG_STATUS,
	REQUEST_TAG_OOM,
	REQUEST_TAG_STARTED,
	REQUEST_TAG_ENDED,
	REQUEST_TAG_REASON,
	REQUEST_TAG_ERROR, /* number: enum err_kind */
	REQUEST_TAG_TEXT,
	REQUEST_TAG_CLOSED,  /* number: 0 or 1 */
	REQUEST_TAG_SECRETS, /* number: where secrets begin in env */
	REQUEST_TAG_DATA,    /* number: bytes of the disk at /data */
	REQUEST_TAG_AT,      /* metrics: the moment, and … */
	REQUEST_TAG_CPU_USED,
	REQUEST_TAG_MEMORY_USED,
	REQUEST_TAG_RECEIVED,
	REQUEST_TAG_SENT,
	REQUEST_TAG_DEVICE, /* list */
	REQUEST_TAG_PAGED,  /* number: 0 or 1 */
	REQUEST_TAG_COUNT
};

/* Writing: begin, add fields, and look once at the end with str_check(). */
struct str request_begin(enum request_kind kind, uint64_t id, uint64_t session);
void request_add_text(struct str *message, enum request_tag tag, const char *text); /* NULL: none */
void request_add_number(struct str *message, enum request_tag tag, uint64_t number);
void request_add_spec(struct str *message, const struct engine_spec *spec);
void request_add_run(struct str *message, const struct engine_run *run);

void request_add_metrics(struct str *message, const struct engine_metrics *metrics);

/* A message taken apart. Texts are borrowed from its bytes, which must outlive it. */
struct request_field {
	uint16_t tag;
	const char *text; /* NULL where it is a number */
	uint64_t number;
};

struct request {
	enum request_kind kind;
	uint64_t id;
	uint64_t session;
	struct request_field *fields;
	size_t field_count;
};

#define REQUEST_INIT ((struct request){0})

/* Take a datagram apart. Errors: ERR_INVALID for anything that is not the format above. */
must_check int request_parse(const void *bytes, size_t length, struct request *out,
			     struct err *err);
void request_done(struct request *request);
static inline void own_request_done(struct request *held)
{
	request_done(held);
}

/* A field; NULL or `fallback` where it is missing. */
const char *request_text(const struct request *request, enum request_tag tag);
uint64_t request_number(const struct request *request, enum request_tag tag, uint64_t fallback);

/* A spec and the arrays that it points to; the texts stay borrowed from the message. */
struct request_spec {
	struct engine_spec spec;
	const char **lists; /* argv and env, each with its NULL */
};

#define REQUEST_SPEC_INIT ((struct request_spec){0})

/* Errors: ERR_INVALID for a missing or overlong field. What the fields say is not looked at. */
must_check int request_get_spec(const struct request *request, struct request_spec *out,
				struct err *err);
void request_spec_done(struct request_spec *spec);
static inline void own_request_spec_done(struct request_spec *held)
{
	request_spec_done(held);
}

must_check int request_get_run(const struct request *request, struct engine_run *out,
			       struct err *err);

must_check int request_get_metrics(const struct request *request, struct engine_metrics *out,
				   struct err *err);

/* The outcome that a REQUEST_REPLY carries: 0, or -1 with the other side's error. */
int request_get_reply(const struct request *request, struct err *err);
