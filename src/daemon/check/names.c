#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/check/checkup.h"

/*
 * Names: SLUG.DOMAIN, by which this machine's own clients reach Spaces, and hub.espace, by which
 * Spaces reach the hub. The second one is known to our name server on the bridge alone.
 */
#define HUB_NAME "hub.espace"

enum { GATEWAY_SLOT = 1, DNS_PORT = 53, ANSWER_MS = 1000, MESSAGE_MAX = 512 /* RFC 1035 */ };

static bool resolves(const char *name)
{
	struct addrinfo *found = NULL;
	bool is_known = getaddrinfo(name, NULL, NULL, &found) == 0;

	if (is_known)
		freeaddrinfo(found);
	return is_known;
}

static void look_at_domain(struct checkup *checkup)
{
	const char *domain = checkup->settings->domain;
	owned(free) char *name = mem_format("espace-check.%s", domain);
	owned(free) char *thing = mem_format("names under %s", domain);
	owned(free) char *todo = mem_format("make a DNS record *.%s", domain);
	bool is_local = strcmp(domain, "localhost") == 0 || str_ends(domain, ".localhost");

	if (!resolves(name))
		checkup_warning(checkup, thing,
				is_local ? "install the package libnss-myhostname" : todo,
				"they do not resolve on this machine");
}

/* RFC 1035, 4.1.1: no error, and at least one record. */
static bool is_good_answer(const unsigned char *message, ssize_t length)
{
	enum { RCODE = 3, RCODE_BITS = 0x0f, ANSWERS = 6, HEADER = 12 };

	return length > HEADER && (message[RCODE] & RCODE_BITS) == 0 &&
	       (message[ANSWERS] | message[ANSWERS + 1]) != 0;
}

static bool ask(uint32_t server, const char *name)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(DNS_PORT),
					    .sin_addr.s_addr = htonl(server)};
	owned(close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd answered = {.fd = fd, .events = POLLIN};
	unsigned char message[MESSAGE_MAX];
	int length = res_mkquery(ns_o_query, name, ns_c_in, ns_t_a, NULL, 0, NULL, message,
				 sizeof(message));

	if (fd < 0 || length < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, message, (size_t)length, 0) != length || poll(&answered, 1, ANSWER_MS) != 1)
		return false;
	return is_good_answer(message, recv(fd, message, sizeof(message), 0));
}

static bool is_unknown_to_spaces(void *arg)
{
	const struct checkup *checkup = arg;

	return !ask(datadir_address(checkup->dir, GATEWAY_SLOT), HUB_NAME);
}

int checkup_names(struct checkup *checkup, struct err *err)
{
	look_at_domain(checkup);
	if (checkup->hub_runs && checkup_settles(checkup, is_unknown_to_spaces, checkup))
		checkup_problem(checkup, HUB_NAME,
				"restart the hub, and look for dnsmasq in its log",
				"the name server of the Spaces does not know it");
	return 0;
}
