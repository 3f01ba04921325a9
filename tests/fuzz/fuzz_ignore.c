#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "api/ignore.h"
#include "base/mem.h"

/* A .gitignore and, in the last line, a path: any answer will do, but soon and the same one twice.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) char *text = mem_text_n((const char *)bytes, length);
	char *path = strrchr(text, '\n');
	owned(ignore_free) struct ignore *ignore = NULL;
	struct err err = ERR_INIT;

	if (!path)
		return 0;
	*path++ = '\0';
	if (ignore_parse(text, strlen(text), &ignore, &err) < 0) {
		assert(err.kind == ERR_TOO_LARGE);
		return 0;
	}
	assert(ignore_match(ignore, path) == ignore_match(ignore, path));
	return 0;
}
