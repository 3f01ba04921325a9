#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Is the file of a database whole? Looks without changing anything, not even the schema, so it also
 * works for files of older and newer programs. Others may read and write meanwhile.
 */
struct inspect {
	int64_t version; /* schema steps that the database has been through */
	int64_t known;   /* and that this program knows */
};

/*
 * Call `found` with one line for each fault: of SQLite's pages and indexes, of references between
 * rows. Errors: what keeps us from looking, such as ERR_SYSTEM for a file that is no database.
 */
must_check int inspect_database(const char *path, void (*found)(void *arg, const char *fault),
				void *arg, struct inspect *out, struct err *err);
