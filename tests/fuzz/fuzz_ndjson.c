#include "fuzz.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/ndjson.h"
#include "base/mem.h"
#include "base/str.h"

/*
 * The first byte says how long the pieces are, the rest is the body of a commit. In pieces it must
 * mean what it means in one, and the calls must come in an order that a commit can be made of.
 */
enum { CALLS_MAX_BYTES = 1 << 26 };

struct calls {
	struct str text; /* everything that was told */
	bool header;
	bool open;
	unsigned operations;
};

static int on_header(void *arg, const struct ndjson_header *header, struct err *err)
{
	struct calls *calls = arg;

	assert(!calls->header && calls->operations == 0);
	calls->header = true;
	str_addf(&calls->text, "header %s\n%s\n%s\n", header->summary, header->description,
		 header->parent ? header->parent : "-");
	return 0;
}

static int on_open(void *arg, struct err *err)
{
	struct calls *calls = arg;

	assert(calls->header && !calls->open);
	calls->open = true;
	str_add(&calls->text, "open ");
	return 0;
}

static int on_data(void *arg, const void *bytes, size_t length, struct err *err)
{
	struct calls *calls = arg;

	assert(calls->open && length > 0);
	str_add_n(&calls->text, bytes, length);
	return 0;
}

static int on_path(struct calls *calls, const char *what, const char *path)
{
	assert(calls->header && strlen(path) <= NDJSON_FIELDS_MAX);
	calls->operations++;
	assert(calls->operations <= NDJSON_OPERATIONS_MAX);
	str_addf(&calls->text, "%s %s\n", what, path);
	return 0;
}

static int on_close(void *arg, const char *path, struct err *err)
{
	struct calls *calls = arg;

	assert(calls->open);
	calls->open = false;
	return on_path(calls, "close", path);
}

static int on_file(void *arg, const char *path, struct err *err)
{
	return on_path(arg, "file", path);
}

static int on_folder(void *arg, const char *path, struct err *err)
{
	assert(!((struct calls *)arg)->open);
	return on_path(arg, "folder", path);
}

static int on_lfs(void *arg, const char *path, const char *oid, int64_t size, struct err *err)
{
	assert(!((struct calls *)arg)->open && strlen(oid) == 64 && size >= -1);
	return on_path(arg, oid, path);
}

static const struct ndjson_ops ops = {
	.header = on_header,
	.file_open = on_open,
	.file_data = on_data,
	.file_close = on_close,
	.deleted_file = on_file,
	.deleted_folder = on_folder,
	.lfs_file = on_lfs,
};

/* True where the body was accepted. */
static bool parse(const char *body, size_t length, size_t piece, struct calls *calls)
{
	owned(ndjson_free) struct ndjson *ndjson = ndjson_new(&ops, calls);
	struct err err = ERR_INIT;

	for (size_t done = 0; done < length;) {
		size_t now = length - done < piece ? length - done : piece;
		/* A copy of just that size, so that AddressSanitizer sees what is read behind it.
		 */
		owned(free) char *copy = mem_alloc(now);

		memcpy(copy, body + done, now);
		if (ndjson_feed(ndjson, copy, now, &err) < 0)
			return false;
		done += now;
	}
	return ndjson_end(ndjson, &err) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length < 1)
		return 0;

	const char *body = (const char *)bytes + 1;
	struct calls whole = {.text = str_new(CALLS_MAX_BYTES)};
	struct calls pieces = {.text = str_new(CALLS_MAX_BYTES)};
	bool good = parse(body, length - 1, length, &whole);

	assert(parse(body, length - 1, bytes[0] % 16 + 1, &pieces) == good);
	if (good) {
		assert(whole.header && !whole.open && whole.operations > 0);
		assert(whole.text.length == pieces.text.length);
		assert(memcmp(whole.text.data, pieces.text.data, whole.text.length) == 0);
	}
	str_done(&whole.text);
	str_done(&pieces.text);
	return 0;
}
