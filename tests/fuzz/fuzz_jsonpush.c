#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonpush.h"
#include "base/mem.h"
#include "base/str.h"

/* The first byte says how long the pieces are, the rest is the text. */

enum { NOTES_MAX_BYTES = 64 << 20 };

struct outcome {
	bool good;
	struct str notes; /* what happened, the same however the text was cut */
	bool inside;      /* of a key or string */
};

static int note(void *arg, const struct jsonpush_event *event, struct err *err)
{
	struct outcome *outcome = arg;
	bool in_pieces = event->type == JSONPUSH_KEY || event->type == JSONPUSH_STRING;

	if (!outcome->inside)
		str_add_char(&outcome->notes, (char)('A' + event->type));
	if (in_pieces || event->type == JSONPUSH_NUMBER)
		str_add_n(&outcome->notes, event->bytes, event->length);
	outcome->inside = in_pieces && !event->last;
	return 0;
}

/* On failure the notes end at another place for other pieces, and tell nothing. */
static void read_text(struct outcome *outcome, const char *text, size_t length, size_t piece)
{
	owned(jsonpush_free) struct jsonpush *json = jsonpush_new(note, outcome);
	struct err err = ERR_INIT;

	outcome->notes = str_new(NOTES_MAX_BYTES);
	for (size_t done = 0; done < length;) {
		size_t now = length - done < piece ? length - done : piece;
		owned(free) char *bytes = mem_text_n(text + done, now); /* no byte more */

		if (jsonpush_feed(json, bytes, now, &err) < 0)
			return;
		done += now;
	}
	outcome->good = jsonpush_end(json, &err) == 0;
	assert(!outcome->good || !outcome->inside);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct outcome whole = {.good = false};
	struct outcome pieces = {.good = false};

	if (length < 1)
		return 0;
	read_text(&whole, (const char *)bytes + 1, length - 1, length);
	read_text(&pieces, (const char *)bytes + 1, length - 1, bytes[0] % 16 + 1);
	assert(whole.good == pieces.good);
	if (whole.good) {
		assert(whole.notes.length == pieces.notes.length);
		assert(memcmp(whole.notes.data, pieces.notes.data, whole.notes.length) == 0);
	}
	str_done(&whole.notes);
	str_done(&pieces.notes);
	return 0;
}
