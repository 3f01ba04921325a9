#include "daemon/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { LISTEN_QUEUE = 4096 };

static int parse_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || *end || port < 1 || port > 65535)
		return -1;
	*out = (uint16_t)port;
	return 0;
}

static void fill_ipv6(const struct in6_addr *address, uint16_t port, struct listen_address *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->address;
	char text[INET6_ADDRSTRLEN];

	*out = (struct listen_address){.port = port, .length = sizeof(*in6)};
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = *address;
	in6->sin6_port = htons(port);
	inet_ntop(AF_INET6, address, text, sizeof(text));
	snprintf(out->text, sizeof(out->text), "[%s]:%u", text, port);
}

void listen_ipv4(uint32_t address, uint16_t port, struct listen_address *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->address;
	char text[INET_ADDRSTRLEN];

	*out = (struct listen_address){.port = port, .length = sizeof(*in)};
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(address);
	in->sin_port = htons(port);
	inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
	snprintf(out->text, sizeof(out->text), "%s:%u", text, port);
}

int listen_parse(const char *text, struct listen_address *out, struct err *err)
{
	char host[LISTEN_TEXT_ROOM];
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	struct in6_addr in6;
	struct in_addr in;
	uint16_t port;

	if (!length || length >= sizeof(host) || parse_port(colon + 1, &port) < 0)
		return err_set(err, ERR_INVALID, "\"%s\" is not of the form ADDRESS:PORT", text);
	memcpy(host, text, length);
	host[length] = '\0';
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &in6) != 1)
			return err_set(err, ERR_INVALID, "\"%s\" is no IPv6 address", host + 1);
		fill_ipv6(&in6, port, out);
		return 0;
	}
	if (inet_pton(AF_INET, host, &in) != 1)
		return err_set(err, ERR_INVALID,
			       "\"%s\" is no IP address (write 0.0.0.0 for all of them)", host);
	listen_ipv4(ntohl(in.s_addr), port, out);
	return 0;
}

int listen_covers_ipv4(const struct listen_address *address, uint16_t port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->address;

	return address->port == port && in->sin_family == AF_INET &&
	       in->sin_addr.s_addr == htonl(INADDR_ANY);
}

int listen_open(const struct listen_address *address, int *out, struct err *err)
{
	int family = address->address.ss_family;
	owned(close) int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return err_sys(err, "make a socket for %s", address->text);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	else /* the gateway's address comes with the bridge, later */
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&address->address, address->length) < 0)
		return err_sys(err, "listen on %s", address->text);
	if (listen(fd, LISTEN_QUEUE) < 0)
		return err_sys(err, "listen on %s", address->text);
	*out = take_fd(&fd);
	return 0;
}

bool listen_is_at(int fd, const struct listen_address *address)
{
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof(bound);
	int listens = 0;
	socklen_t size = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       getsockname(fd, (struct sockaddr *)&bound, &length) == 0 &&
	       length == address->length && memcmp(&bound, &address->address, length) == 0;
}
