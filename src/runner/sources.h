#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/*
 * The machine's own package sources (sources.list(5)), cut down to what a base system needs: the
 * distribution's suites CODENAME, CODENAME-updates and CODENAME-security with its own components.
 * Whatever else an operator has added, for other programs, must not break or enter it.
 */

/* Append the fitting stanzas of a deb822 file. */
void sources_add_deb822(const char *text, const char *codename, struct str *out);

/* Append the fitting lines of a file in the one-line format. */
void sources_add_list(const char *text, const char *codename, struct str *out);

/* Read /etc/apt: what fits of both formats. */
must_check int sources_read(const char *codename, struct str *deb822, struct str *list,
			    struct err *err);
