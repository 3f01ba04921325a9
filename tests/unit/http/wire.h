#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * A client that writes HTTP by hand to a unix socket, for tests. All waiting ends at a deadline,
 * which is a failure of the test.
 */
struct wire_address {
	struct sockaddr_un name;
	socklen_t length;
};

/* A listening socket at a name that the kernel chooses; there is no file to remove. */
int wire_listen(struct wire_address *out);

int wire_connect(const struct wire_address *address);
void wire_send(int fd, const char *text);
void wire_send_n(int fd, const void *bytes, size_t length);

/* Read until the text ends in, or holds, `needle`. For free(). */
char *wire_read_until(int fd, const char *needle);

/* Read one answer with Content-Length, or without a body where `no_body`. For free(). */
char *wire_read_answer(int fd, int no_body);

/* Read until the other side closes. For free(). */
char *wire_read_all(int fd);

/* Send and read until the other side closes. For free(). */
char *wire_ask(const struct wire_address *address, const char *text);

/* The value of a header, for free(); NULL where it is absent. */
char *wire_header(const char *answer, const char *name);

/* What stands behind the headers. */
const char *wire_body(const char *answer);

/* Does nothing come for so long? */
int wire_is_silent(int fd, int ms);
