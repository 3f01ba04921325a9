#include "daemon/ready.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

/* A call that needs no token and reads nothing (Wire: A15). */
static const char question[] = "GET /api/agent-harnesses HTTP/1.1\r\n"
			       "Host: localhost\r\n"
			       "Connection: close\r\n\r\n";

enum { PROBE_TIMEOUT_S = 2, STATUS_LINE_MAX = 64 };

bool ready_probe(const struct listen_address *address)
{
	owned(close) int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = {.tv_sec = PROBE_TIMEOUT_S};
	char status[STATUS_LINE_MAX] = "";

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&address->address, address->length) < 0 ||
	    send(fd, question, strlen(question), MSG_NOSIGNAL) != (ssize_t)strlen(question) ||
	    recv(fd, status, sizeof(status) - 1, MSG_WAITALL) <= 0)
		return false;
	return str_starts(status, "HTTP/1.1 200 ");
}
