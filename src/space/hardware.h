#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"

/*
 * Hardware: the flavors that Spaces can ask for, from DIR/hardware.yaml. A flavor is what a run may
 * use at most. One with an accelerator that this machine does not have is simulated: it runs on
 * processors, and its title says so.
 *
 * A counted flavor is also what a run has for itself: one of `count` places, or as many of the
 * listed cards as its accelerator's quantity. What is taken is waited for (space/place.h). Cards
 * are named as CDI devices, "vendor.com/gpu=0"; flavors that list the same ones share them.
 *
 * Threads: any; a catalogue never changes.
 * Wire:    A13.
 */
enum {
	HARDWARE_TEXT_MAX = 64 * 1024, /* of the file */
	HARDWARE_FLAVORS_MAX = 64,
	HARDWARE_NAME_ROOM = 40,
	HARDWARE_TITLE_ROOM = 96,
	HARDWARE_WORD_ROOM = 32,
	HARDWARE_COUNT_MAX = 1024,
	HARDWARE_CARDS_MAX = ENGINE_DEVICES_MAX,
	HARDWARE_PLACE_ROOM = ENGINE_DEVICE_ROOM,
};

/* What a Space has that asks for nothing; every catalogue has it. */
#define HARDWARE_BASIC "cpu-basic"

struct hardware_flavor {
	char name[HARDWARE_NAME_ROOM];
	char title[HARDWARE_TITLE_ROOM];
	int64_t cpu_milli;
	int64_t memory_bytes;
	int64_t disk_bytes; /* of files that a run writes until its end */
	int64_t pids;
	int64_t micro_usd; /* for a minute */
	bool simulated;
	/* the accelerator; quantity 0 for none */
	char type[HARDWARE_WORD_ROOM];
	char model[HARDWARE_WORD_ROOM];
	char manufacturer[HARDWARE_WORD_ROOM];
	int64_t quantity;
	int64_t vram_bytes; /* of all together */
	int64_t count;      /* runs at once; 0: any number */
	size_t card_count;  /* 0: it gives no card */
	char cards[HARDWARE_CARDS_MAX][HARDWARE_PLACE_ROOM];
};

struct hardware;

/* Read the text of the file. Errors: ERR_INVALID that names the line, and quotes no value. */
must_check int hardware_parse(const char *text, size_t length, struct hardware **out,
			      struct err *err);
void hardware_free(struct hardware *hardware);
DEFINE_OWNED(struct hardware *, hardware_free);

/* NULL where there is none; `cpu-classic` is an old name of cpu-basic. */
const struct hardware_flavor *hardware_find(const struct hardware *hardware, const char *name);

/* The same for what a client asks for. Errors: ERR_INVALID that names those that there are. */
must_check int hardware_need(const struct hardware *hardware, const char *name,
			     const struct hardware_flavor **out, struct err *err);

/* What a run of this flavor may use; of cpu-basic where the flavor is no longer there. */
struct engine_limits hardware_limits(const struct hardware *hardware, const char *name);

/* Places that its runs share, and how many of them one run needs; both 0 where it is not counted.
 */
size_t hardware_places(const struct hardware_flavor *flavor);
size_t hardware_places_needed(const struct hardware_flavor *flavor);
/* The name of one of them: a card, or "t4-small#3". */
void hardware_place(const struct hardware_flavor *flavor, size_t index,
		    char out[static HARDWARE_PLACE_ROOM]);
/* Do two flavors share a place? */
bool hardware_share(const struct hardware_flavor *a, const struct hardware_flavor *b);

/* What a minute of it costs, in micro-USD; nothing where it is no longer there. */
int64_t hardware_price(const struct hardware *hardware, const char *name);

/* The catalogue as clients list it. Belongs to the caller. */
json_t *hardware_json(const struct hardware *hardware);
