#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/own.h"

/*
 * Settings: the rows of settings.def, filled from their defaults, then DIR/espace.conf, then
 * options.
 */
enum { SETTINGS_LIST_MAX = 64 };

struct settings_list {
	char *items[SETTINGS_LIST_MAX + 1]; /* NULL-terminated */
	size_t count;
};

struct settings {
#define SETTING_LIST(field, name, initial, sentence)                   struct settings_list field;
#define SETTING_TEXT(field, name, initial, sentence)                   char *field;
#define SETTING_CHOICE(field, name, initial, words, sentence)          char *field;
#define SETTING_INT(field, name, initial, least, most, unit, sentence) int64_t field;
#define SETTING_BOOL(field, name, initial, sentence)                   bool field;
#include "daemon/settings.def"
#undef SETTING_LIST
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_INT
#undef SETTING_BOOL
};

/* All defaults. */
void settings_init(struct settings *settings);
void settings_done(struct settings *settings);
static inline void own_settings_done(struct settings *held)
{
	settings_done(held);
}

/* Read `name = value` lines. Errors: ERR_INVALID that names file and line. */
must_check int settings_parse(struct settings *settings, const char *file, const char *text,
			      struct err *err);

/*
 * Take the options at the front of argv ("--name value", "--name=value"); those that are no setting
 * are left to `other`, which answers how many words it took, 0 for none of its own, -1 for an
 * error. *used counts the words up to the first that is no option.
 */
must_check int settings_options(struct settings *settings, int argc, char **argv,
				int (*other)(void *arg, int argc, char **argv, struct err *err),
				void *arg, int *used, struct err *err);

/* One paragraph for each setting, for --help. */
void settings_help(FILE *out);

/* The same as a man page section, in mdoc. */
void settings_manual(FILE *out);
