#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/http.h"

/* The first eight bytes are the size of the file, the rest is the header. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) char *header = NULL;
	struct err err = ERR_INIT;
	uint64_t total, first, count;
	bool partial;

	if (length < sizeof(total))
		return 0;
	memcpy(&total, bytes, sizeof(total));
	header = mem_text_n((const char *)bytes + sizeof(total), length - sizeof(total));
	if (http_range(header, total, &partial, &first, &count, &err) < 0) {
		assert(err.kind == ERR_RANGE);
		return 0;
	}
	if (!partial) {
		assert(first == 0 && count == total);
		return 0;
	}
	assert(count > 0 && first < total && count <= total - first);
	return 0;
}
