#pragma once

#include "api/call.h"

/*
 * Tell for entries of a tree, an array of objects with "path", which commit has changed each last:
 * `lastCommit` of B7. Where that would take too long, an entry goes without.
 */
must_check int lasts_add(struct git *git, const char *commit, json_t *entries, struct err *err);
