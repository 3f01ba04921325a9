#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"

/*
 * CDI, the Container Device Interface (specification 0.6): files in which drivers say what a
 * container needs to use a card. Read here; what they say is put into a container's configuration
 * by runner/devices.h. Of two files that describe the same device the one in the later folder
 * counts.
 *
 * A hook runs as root, so only files of root, or of our own user, that nobody else may write are
 * read. What is wrong with one file is logged, and is no reason to do without the others. JSON
 * alone: of YAML, which CDI allows as well, the log says so.
 *
 * Threads: one at a time.
 */
enum {
	CDI_FILE_MAX = 1024 * 1024, /* bytes */
	CDI_FILES_MAX = 64,
	CDI_DEVICES_MAX = 256, /* of a file */
};

struct cdi;

/* Read what is in these folders, NULL-terminated; one that is missing is empty. */
struct cdi *cdi_read(const char *const *folders);
void cdi_free(struct cdi *cdi);
DEFINE_OWNED(struct cdi *, cdi_free);

/* What a device needs: the edits of its file and its own, borrowed; NULL for none. */
struct cdi_edits {
	const json_t *common;
	const json_t *own;
};

/* Errors: ERR_INVALID where there is no such device. */
must_check int cdi_find(const struct cdi *cdi, const char *name, struct cdi_edits *out,
			struct err *err);

/*
 * Graphics cards: the devices of class "gpu" and one vendor, each card once; names of several at
 * once, such as "all", left out. Writes at most ENGINE_DEVICES_MAX names and returns how many.
 */
size_t cdi_cards(const struct cdi *cdi, char out[static ENGINE_DEVICES_MAX][ENGINE_DEVICE_ROOM]);
