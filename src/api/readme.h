#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/own.h"
#include "repo/git.h"

/*
 * The front matter of README.md at a commit as a JSON object: what the API calls cardData. Empty
 * where there is no README, no front matter, or one that is no YAML: whoever reads a repository
 * can't mend it. The README of a Space is judged by space/card.h, at its push.
 *
 * Errors: ERR_SYSTEM where the repository can't be read.
 */
must_check int readme_card(struct git *git, const char *commit, json_t **out, struct err *err);
