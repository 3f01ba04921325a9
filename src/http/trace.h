#pragma once

/*
 * The id of a request, which a client prints beside an error and which each line of the log names
 * (Wire: 0.3): "Root=1-<8 hex of time>-<24 hex of chance>;<the client's own trace id>".
 */
enum {
	TRACE_CLIENT_MAX = 128,
	TRACE_ROOM = 5 + 2 + 8 + 1 + 24 + 1 + TRACE_CLIENT_MAX + 1,
};

/* `client` may be NULL; of it, what is harmless in a header and in a log line is kept. */
void trace_make(const char *client, char out[static TRACE_ROOM]);
