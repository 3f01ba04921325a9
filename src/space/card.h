#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "base/own.h"

/*
 * The card: YAML front matter at the start of a repository's README.md, between two lines "---".
 *
 * It is read by events, with limits of size, depth and number of nodes; aliases are refused, for a
 * few hundred bytes of them can stand for gigabytes. Whether the values make sense for this hub is
 * the caller's question; here they have the right type and fit.
 *
 * Wire: A6 `cardData`. What to say about a card before its upload (B9) is advice.h.
 */
enum {
	CARD_README_MAX = 8 << 20,  /* bytes of a README that is read: people put pictures inside */
	CARD_BYTES_MAX = 64 * 1024, /* of its front matter */
	CARD_DEPTH_MAX = 16,
	CARD_NODES_MAX = 10000,
	CARD_WORD_ROOM = 64,
	CARD_TITLE_ROOM = 256,
};

/* A Space listens here, if the card does not say otherwise. */
enum { CARD_PORT_DEFAULT = 7860, CARD_PORT_STREAMLIT = 8501 };

/* How long an app may take from its start to its first answer. */
enum { CARD_STARTUP_DEFAULT_S = 30 * 60, CARD_STARTUP_MAX_S = 24 * 60 * 60 };

struct card {
	char sdk[CARD_WORD_ROOM]; /* "" where it is not stated: the repository's row knows */
	char sdk_version[CARD_WORD_ROOM];    /* as written, "4.10" and not 4.1; "" for the newest */
	char python_version[CARD_WORD_ROOM]; /* "" for the base system's */
	char app_file[NAME_PATH_MAX + 1];    /* "app.py" by default */
	char title[CARD_TITLE_ROOM];
	char suggested_hardware[CARD_WORD_ROOM];
	uint16_t app_port; /* 0 where it is not stated: card_port() */
	int64_t startup_s;
	bool hf_oauth;
	bool closed;  /* `espace_egress: none`, a key of ours: the app calls nothing outside */
	json_t *data; /* the whole front matter, an object */
};

#define CARD_INIT ((struct card){0})

/*
 * Read the card of a README. No front matter is an empty card, with the defaults.
 * Errors: ERR_INVALID with the line, ERR_TOO_LARGE.
 */
must_check int card_parse(const char *text, size_t length, struct card *out, struct err *err);
void card_done(struct card *card);
static inline void own_card_done(struct card *held)
{
	card_done(held);
}

/*
 * The front matter alone, an object, whatever its values are; empty where there is none.
 * Errors: ERR_INVALID with the line, ERR_TOO_LARGE.
 */
must_check int card_data(const char *text, size_t length, json_t **out, struct err *err);

/* gradio, streamlit, docker or static. */
bool card_sdk_is_known(const char *sdk);

/* Where an app of this SDK listens by default. */
uint16_t card_port(const char *sdk);
