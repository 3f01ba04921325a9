#include "api/quota.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/rate.h"

struct quota {
	struct rate *rate; /* NULL: nothing has a limit */
	int64_t limits[QUOTA_KINDS];
};

static const char *const names[] = {
	[QUOTA_API] = "api",
	[QUOTA_RESOLVERS] = "resolvers",
	[QUOTA_PAGES] = "pages",
};

struct quota *quota_new(const int64_t limits[static QUOTA_KINDS])
{
	struct quota *quota = mem_new(struct quota);

	for (int kind = 0; kind < QUOTA_KINDS; kind++) {
		quota->limits[kind] = limits[kind];
		if (limits[kind] > 0 && !quota->rate)
			quota->rate = rate_new();
	}
	return quota;
}

void quota_free(struct quota *quota)
{
	if (!quota)
		return;
	rate_free(quota->rate);
	free(quota);
}

enum quota_kind quota_kind_of(const char *pattern)
{
	if (strncmp(pattern, "/api/", strlen("/api/")) == 0)
		return QUOTA_API;
	return strstr(pattern, "/resolve/") || strstr(pattern, "/raw/") ? QUOTA_RESOLVERS
									: QUOTA_PAGES;
}

/*
 * The address that nginx saw. One subscriber has 2^64 addresses of IPv6 (RFC 6177): they count as
 * one.
 */
static char *address_of(const struct call *call)
{
	const char *text = http_header(call->request, "X-Forwarded-For");
	char plain[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (!text || inet_pton(AF_INET6, text, &address) != 1 || IN6_IS_ADDR_V4MAPPED(&address))
		return mem_format("address %s", text ? text : "unknown");
	memset(&address.s6_addr[8], 0, 8);
	inet_ntop(AF_INET6, &address, plain, sizeof(plain));
	return mem_format("address %s", plain);
}

char *quota_caller(const struct call *call)
{
	if (call->actor.user_id != 0)
		return mem_format("user %lld", (long long)call->actor.user_id);
	return address_of(call);
}

int quota_take(struct quota *quota, struct call *call, int64_t now_s, struct err *err)
{
	enum quota_kind kind = quota_kind_of(call->row->pattern);
	uint32_t max = (uint32_t)quota->limits[kind];
	struct http_answer *answer = http_answer(call->request);
	owned(free) char *who = NULL;
	struct rate_state state;
	bool passed;

	if (max == 0)
		return 0;
	who = quota_caller(call);
	passed = rate_take(quota->rate, rate_caller(quota->rate, names[kind], who), max, now_s,
			   &state);
	http_add_headerf(answer, "RateLimit", "\"%s\";r=%u;t=%u", names[kind], state.left,
			 state.reset_s);
	http_add_headerf(answer, "RateLimit-Policy", "\"fixed window\";\"%s\";q=%u;w=%d",
			 names[kind], max, RATE_WINDOW_S);
	if (passed)
		return 0;
	http_add_headerf(answer, "Retry-After", "%u", state.reset_s);
	return err_set(err, ERR_SPENT,
		       "the %u requests to \"%s\" of this five minutes are spent, try again in %u "
		       "seconds",
		       max, names[kind], state.reset_s);
}
