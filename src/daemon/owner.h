#pragma once

#include "base/err.h"
#include "base/own.h"

/*
 * Become the owner of a data directory before anything in it is opened: what a program of its user
 * could have planted there is then no danger to root. Who is not root stays who he is.
 * Errors: ERR_NOT_FOUND where there is no such directory, with the words that make one.
 */
must_check int owner_become(const char *data, struct err *err);
