#include "fuzz.h"

#include <assert.h>

#include "http/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const char *line = (const char *)bytes;
	struct logline parsed;

	if (!logline_parse(line, length, &parsed))
		return 0;
	assert(parsed.text > line && parsed.text + parsed.length == line + length);
	return 0;
}
