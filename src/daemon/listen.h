#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The listening sockets that nginx inherits, bound by the keeper so that a restarted nginx loses no
 * connection that waits in their queues, and so that a taken port is told in one clear sentence.
 */
enum { LISTEN_MAX = 18, LISTEN_TEXT_ROOM = 64 };

struct listen_address {
	char text[LISTEN_TEXT_ROOM]; /* "127.0.0.1:8080", "[::1]:8080", as nginx writes it */
	struct sockaddr_storage address;
	socklen_t length;
	uint16_t port;
};

/* Errors: ERR_INVALID. */
must_check int listen_parse(const char *text, struct listen_address *out, struct err *err);

/* The bridge's gateway; it may be bound before the bridge exists. */
void listen_ipv4(uint32_t address, uint16_t port, struct listen_address *out);

/* A wildcard address that already takes every IPv4 address of this port. */
int listen_covers_ipv4(const struct listen_address *address, uint16_t port);

/* Errors: an address that is taken. */
must_check int listen_open(const struct listen_address *address, int *out, struct err *err);

/* Is this a socket that listens there? It may have come from another process. */
bool listen_is_at(int fd, const struct listen_address *address);
