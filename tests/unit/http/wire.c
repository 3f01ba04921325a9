#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { DEADLINE_MS = 20000 };

int wire_listen(struct wire_address *out)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0);
	memset(&out->name, 0, sizeof(out->name));
	out->name.sun_family = AF_UNIX;
	assert(bind(fd, (struct sockaddr *)&out->name, sizeof(sa_family_t)) == 0);
	out->length = sizeof(out->name);
	assert(getsockname(fd, (struct sockaddr *)&out->name, &out->length) == 0);
	assert(listen(fd, 64) == 0);
	return fd;
}

int wire_connect(const struct wire_address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0);
	assert(connect(fd, (const struct sockaddr *)&address->name, address->length) == 0);
	return fd;
}

void wire_send_n(int fd, const void *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		assert(sent > 0);
		bytes = (const char *)bytes + sent;
		length -= (size_t)sent;
	}
}

void wire_send(int fd, const char *text)
{
	wire_send_n(fd, text, strlen(text));
}

struct reply {
	char *text;
	size_t length;
	size_t room;
};

/* Add what has come. Zero: the other side has closed. */
static size_t read_some(int fd, struct reply *reply, size_t max, int64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t left_ms = deadline_ms - clock_mono_ms();
	ssize_t length;

	if (left_ms <= 0 || poll(&poll_fd, 1, (int)left_ms) != 1) {
		fprintf(stderr, "nothing came behind: %s\n", reply->text ? reply->text : "");
		abort();
	}
	if (reply->room < reply->length + max + 1) {
		reply->room = 2 * (reply->length + max + 1);
		reply->text = mem_grow(reply->text, reply->room, 1);
	}
	length = recv(fd, reply->text + reply->length, max, 0);
	if (length < 0 && errno == ECONNRESET)
		length = 0;
	assert(length >= 0);
	reply->length += (size_t)length;
	reply->text[reply->length] = '\0';
	return (size_t)length;
}

char *wire_read_until(int fd, const char *needle)
{
	struct reply reply = {0};
	int64_t deadline_ms = clock_mono_ms() + DEADLINE_MS;

	do {
		if (read_some(fd, &reply, 1, deadline_ms) == 0) {
			fprintf(stderr, "closed behind: %s\n", reply.text);
			abort();
		}
	} while (!strstr(reply.text, needle));
	return reply.text;
}

char *wire_read_answer(int fd, int no_body)
{
	char *head = wire_read_until(fd, "\r\n\r\n");
	owned(free) char *length = wire_header(head, "Content-Length");
	struct reply reply = {.text = head, .length = strlen(head), .room = strlen(head) + 1};
	size_t left = length && !no_body ? strtoul(length, NULL, 10) : 0;
	int64_t deadline_ms = clock_mono_ms() + DEADLINE_MS;

	while (left > 0) {
		size_t got = read_some(fd, &reply, left, deadline_ms);

		assert(got > 0);
		left -= got;
	}
	return reply.text;
}

char *wire_read_all(int fd)
{
	struct reply reply = {0};
	int64_t deadline_ms = clock_mono_ms() + DEADLINE_MS;

	while (read_some(fd, &reply, 65536, deadline_ms) > 0)
		;
	return reply.text;
}

char *wire_ask(const struct wire_address *address, const char *text)
{
	owned(close) int fd = wire_connect(address);

	wire_send(fd, text);
	return wire_read_all(fd);
}

char *wire_header(const char *answer, const char *name)
{
	const char *end = strstr(answer, "\r\n\r\n");
	size_t length = strlen(name);
	const char *line = answer;

	while ((line = strstr(line, "\r\n")) && line < end) {
		line += 2;
		if (!strncasecmp(line, name, length) && line[length] == ':') {
			line += length + 1;
			line += strspn(line, " ");
			return mem_text_n(line, strcspn(line, "\r"));
		}
	}
	return NULL;
}

const char *wire_body(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert(end);
	return end + 4;
}

int wire_is_silent(int fd, int ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, ms) == 0;
}
