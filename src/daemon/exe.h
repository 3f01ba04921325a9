#pragma once

#include "base/err.h"
#include "base/own.h"

/*
 * The files that come with the program: beside it when it runs from the build tree, in
 * ../lib/espace when installed.
 */

/* Path of this program itself. For free(). */
must_check int exe_self(char **out, struct err *err);

/* Path of a companion such as "espace-steps". Errors: ERR_NOT_FOUND. For free(). */
must_check int exe_companion(const char *name, char **out, struct err *err);
