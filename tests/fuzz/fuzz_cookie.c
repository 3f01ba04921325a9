#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "front/cookie.h"
#include "front/enter.h"

/* Headers and addresses of visitors: what is left for the app has nothing of ours any more. */

static void check_cookies(const char *header, size_t length)
{
	owned(free) char *rest = mem_alloc(2 * length + 1);
	owned(free) char *again = mem_alloc(4 * length + 1);
	char ours[64];
	size_t kept = cookie_rest(header, length, rest);

	assert(kept <= 2 * length);
	assert(cookie_ours(header, length, ours, sizeof(ours)) <= sizeof(ours));
	assert(cookie_ours(rest, kept, ours, sizeof(ours)) == 0);
	assert(cookie_rest(rest, kept, again) == kept && memcmp(again, rest, kept) == 0);
}

static void check_address(const char *text)
{
	owned(free) char *sign = enter_sign(text);
	owned(free) char *clean = enter_clean(text);
	owned(free) char *left = enter_sign(clean);

	assert(!sign || strlen(sign) < strlen(text));
	assert(strlen(clean) <= strlen(text));
	assert(!left);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) char *text = mem_text_n((const char *)bytes, length);

	check_cookies((const char *)bytes, length);
	check_address(text);
	return 0;
}
