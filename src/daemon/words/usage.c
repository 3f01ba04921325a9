#include "daemon/words/usage.h"

#include <string.h>

static int refuse(const struct usage *usage, const char *what, const char *which, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s %.100s; usage: %s", what, which, usage->line);
}

/* Does the argument name this option? *value is what stands behind its '=', or NULL. */
static bool is_option(const struct usage_option *option, const char *argument, const char **value)
{
	size_t length = strlen(option->name);

	if (strncmp(argument, option->name, length) != 0)
		return false;
	*value = argument[length] == '=' ? argument + length + 1 : NULL;
	return argument[length] == '=' || argument[length] == '\0';
}

static int set_text(const struct usage *usage, const struct usage_option *option, const char *value,
		    struct err *err)
{
	const char **text = option->out;

	if (*text)
		return refuse(usage, "given twice:", option->name, err);
	*text = value;
	return 0;
}

static int add_text(const struct usage *usage, const struct usage_option *option, const char *value,
		    struct err *err)
{
	struct usage_list *list = option->out;

	if (list->count == USAGE_LIST_MAX)
		return refuse(usage, "too often:", option->name, err);
	list->values[list->count++] = value;
	return 0;
}

/* Take the option at argv[*at], and its value with it. */
static int take_option(const struct usage *usage, int argc, char **argv, int *at, struct err *err)
{
	for (size_t i = 0; i < usage->option_count; i++) {
		const struct usage_option *option = &usage->options[i];
		const char *value;

		if (!is_option(option, argv[*at], &value))
			continue;
		if (option->kind == USAGE_FLAG) {
			if (value)
				return refuse(usage, "takes no value:", option->name, err);
			*(bool *)option->out = true;
			return 0;
		}
		if (!value && *at + 1 >= argc)
			return refuse(usage, "needs a value:", option->name, err);
		if (!value)
			value = argv[++*at];
		return option->kind == USAGE_TEXT ? set_text(usage, option, value, err)
						  : add_text(usage, option, value, err);
	}
	return refuse(usage, "no such option:", argv[*at], err);
}

int usage_parse(const struct usage *usage, int argc, char **argv, struct err *err)
{
	size_t names = 0;
	bool only_names = false;

	for (int i = 0; i < argc; i++) {
		if (!only_names && strcmp(argv[i], "--") == 0) {
			only_names = true;
		} else if (!only_names && strncmp(argv[i], "--", 2) == 0) {
			if (take_option(usage, argc, argv, &i, err) < 0)
				return -1;
		} else if (names == usage->name_count) {
			return refuse(usage, "too much:", argv[i], err);
		} else {
			usage->names[names++] = argv[i];
		}
	}
	if (names + usage->optional_count < usage->name_count)
		return err_set(err, ERR_INVALID, "something is missing; usage: %s", usage->line);
	return 0;
}
