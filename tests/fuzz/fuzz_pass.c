#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "auth/pass.h"

/* Links and cookies as visitors send them: only what we have written is a pass. */

static const char key_text[] = "0123456789abcdef0123456789abcdef";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(secret_free) struct secret *key = secret_new(key_text, sizeof(key_text) - 1);
	struct pass pass = {.repo_id = 1};
	char text[PASS_ROOM];

	assert(!pass_read((const char *)bytes, length, PASS_LINK, 0, key, &pass));
	assert(!pass_read((const char *)bytes, length, PASS_COOKIE, 0, key, &pass));

	/* One that is genuine but for what the input lays over it. */
	pass_write(&pass, PASS_LINK, 0, key, text);
	if (length > PASS_ROOM - 1)
		length = PASS_ROOM - 1;
	bool same = memcmp(text, bytes, length) == 0;
	memcpy(text, bytes, length);
	assert(pass_read(text, PASS_ROOM - 1, PASS_LINK, 0, key, &pass) == same);
	return 0;
}
