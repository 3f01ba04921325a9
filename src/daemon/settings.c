#include "daemon/settings.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum setting_type {
	SETTING_LIST_TYPE,
	SETTING_TEXT_TYPE,
	SETTING_CHOICE_TYPE,
	SETTING_INT_TYPE,
	SETTING_BOOL_TYPE,
};

struct setting_row {
	enum setting_type type;
	size_t offset;
	const char *name;
	const char *initial; /* as text */
	int64_t least;
	int64_t most;
	const char *unit; /* of a choice: its words */
	const char *sentence;
};

#define SETTING_LIST(field, name, initial, sentence) \
	{SETTING_LIST_TYPE, offsetof(struct settings, field), name, initial, 0, 0, "", sentence},
#define SETTING_TEXT(field, name, initial, sentence) \
	{SETTING_TEXT_TYPE, offsetof(struct settings, field), name, initial, 0, 0, "", sentence},
#define SETTING_CHOICE(field, name, initial, words, sentence) \
	{SETTING_CHOICE_TYPE,                                 \
	 offsetof(struct settings, field),                    \
	 name,                                                \
	 initial,                                             \
	 0,                                                   \
	 0,                                                   \
	 words,                                               \
	 sentence},
#define SETTING_INT(field, name, initial, least, most, unit, sentence)                          \
	{SETTING_INT_TYPE, offsetof(struct settings, field), name, #initial, least, most, unit, \
	 sentence},
#define SETTING_BOOL(field, name, initial, sentence) \
	{SETTING_BOOL_TYPE,                          \
	 offsetof(struct settings, field),           \
	 name,                                       \
	 (initial) ? "yes" : "no",                   \
	 0,                                          \
	 0,                                          \
	 "",                                         \
	 sentence},
static const struct setting_row rows[] = {
#include "daemon/settings.def"
};
#undef SETTING_LIST
#undef SETTING_TEXT
#undef SETTING_CHOICE
#undef SETTING_INT
#undef SETTING_BOOL

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]), VALUE_MAX = 4096 };

static void *row_field(struct settings *settings, const struct setting_row *row)
{
	return (char *)settings + row->offset;
}

static void list_clear(struct settings_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(take(list->items[i]));
	list->count = 0;
}

static int list_add(const struct setting_row *row, struct settings_list *list, const char *text,
		    struct err *err)
{
	owned(free) char *words = mem_text(text);
	char *rest = words;

	for (char *word = strsep(&rest, " \t,"); word; word = strsep(&rest, " \t,")) {
		if (!*word)
			continue;
		if (list->count == SETTINGS_LIST_MAX)
			return err_set(err, ERR_TOO_LARGE, "%s: more than %d values", row->name,
				       SETTINGS_LIST_MAX);
		list->items[list->count++] = mem_text(word);
	}
	return 0;
}

static int row_int(const struct setting_row *row, int64_t *field, const char *text, struct err *err)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < row->least || value > row->most)
		return err_set(err, ERR_INVALID, "%s: \"%s\" is no number from %lld to %lld",
			       row->name, text, (long long)row->least, (long long)row->most);
	*field = value;
	return 0;
}

static int row_bool(const struct setting_row *row, bool *field, const char *text, struct err *err)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return err_set(err, ERR_INVALID, "%s: \"%s\" is neither yes nor no", row->name,
			       text);
	*field = !strcmp(text, "yes");
	return 0;
}

/* Is `text` one of the words? */
static bool is_choice(const char *words, const char *text)
{
	size_t length = strlen(text);

	for (const char *word = words; *word; word += strspn(word, " ")) {
		size_t span = strcspn(word, " ");

		if (span == length && strncmp(word, text, span) == 0)
			return true;
		word += span;
	}
	return false;
}

static void replace_text(char **field, const char *text)
{
	free(*field);
	*field = mem_text(text);
}

/* Set a row from text; lists grow. */
static int row_set(struct settings *settings, const struct setting_row *row, const char *text,
		   struct err *err)
{
	void *field = row_field(settings, row);

	if (strlen(text) > VALUE_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s: longer than %d bytes", row->name,
			       VALUE_MAX);
	switch (row->type) {
	case SETTING_LIST_TYPE:
		return list_add(row, field, text, err);
	case SETTING_INT_TYPE:
		return row_int(row, field, text, err);
	case SETTING_BOOL_TYPE:
		return row_bool(row, field, text, err);
	case SETTING_CHOICE_TYPE:
		if (!is_choice(row->unit, text))
			return err_set(err, ERR_INVALID, "%s: \"%s\" is none of: %s", row->name,
				       text, row->unit);
		replace_text(field, text);
		return 0;
	case SETTING_TEXT_TYPE:
		replace_text(field, text);
		return 0;
	}
	abort();
}

void settings_init(struct settings *settings)
{
	struct err err = ERR_INIT;

	*settings = (struct settings){0};
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (row_set(settings, &rows[i], rows[i].initial, &err) < 0)
			abort(); /* a default that its own row refuses */
}

void settings_done(struct settings *settings)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].type == SETTING_TEXT_TYPE || rows[i].type == SETTING_CHOICE_TYPE)
			free(*(char **)row_field(settings, &rows[i]));
		else if (rows[i].type == SETTING_LIST_TYPE)
			list_clear(row_field(settings, &rows[i]));
	}
	*settings = (struct settings){0};
}

static const struct setting_row *row_find(const char *name)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* Remembers which lists this source has replaced already. */
struct source {
	bool replaced[ROW_COUNT];
};

static int source_set(struct settings *settings, struct source *source,
		      const struct setting_row *row, const char *text, struct err *err)
{
	size_t i = (size_t)(row - rows);

	if (row->type == SETTING_LIST_TYPE && !source->replaced[i])
		list_clear(row_field(settings, row));
	source->replaced[i] = true;
	return row_set(settings, row, text, err);
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int parse_line(struct settings *settings, struct source *source, char *line, struct err *err)
{
	const struct setting_row *row;
	char *value;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	value = strchr(line, '=');
	if (!value)
		return err_set(err, ERR_INVALID, "\"%s\" is not of the form name = value", line);
	*value++ = '\0';
	line = trim(line);
	row = row_find(line);
	if (!row)
		return err_set(err, ERR_INVALID, "there is no setting \"%s\"", line);
	return source_set(settings, source, row, trim(value), err);
}

int settings_parse(struct settings *settings, const char *file, const char *text, struct err *err)
{
	owned(free) char *lines = mem_text(text);
	struct source source = {0};
	char *rest = lines;
	unsigned number = 0;

	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		number++;
		if (parse_line(settings, &source, line, err) < 0)
			return err_in(err, "%s line %u", file, number);
	}
	return 0;
}

/* The row that "--sleep-min" names; *value is set for "--sleep-min=5". */
static const struct setting_row *option_row(const char *word, const char **value)
{
	size_t length = strcspn(word, "=");

	*value = word[length] ? word + length + 1 : NULL;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		owned(free) char *option = mem_format("--%s", rows[i].name);

		for (char *c = option; *c; c++)
			if (*c == '.')
				*c = '-';
		if (strlen(option) == length && !strncmp(option, word, length))
			return &rows[i];
	}
	return NULL;
}

int settings_options(struct settings *settings, int argc, char **argv,
		     int (*other)(void *arg, int argc, char **argv, struct err *err), void *arg,
		     int *used, struct err *err)
{
	struct source source = {0};
	int i = 0;

	while (i < argc && str_starts(argv[i], "--")) {
		const char *value;
		const struct setting_row *row = option_row(argv[i], &value);
		int taken = row ? 0 : other(arg, argc - i, argv + i, err);

		if (taken < 0)
			return -1;
		if (!row && !taken)
			return err_set(err, ERR_INVALID, "there is no option %s, see --help",
				       argv[i]);
		i += taken;
		if (!row)
			continue;
		if (!value && i + 1 >= argc)
			return err_set(err, ERR_INVALID, "%s needs a value", argv[i]);
		if (!value)
			value = argv[++i];
		i++;
		if (source_set(settings, &source, row, value, err) < 0)
			return -1;
	}
	*used = i;
	return 0;
}

void settings_help(FILE *out)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct setting_row *row = &rows[i];

		fprintf(out, "  %s = %s\n      %s", row->name, row->initial, row->sentence);
		if (*row->unit)
			fprintf(out, row->type == SETTING_CHOICE_TYPE ? " (one of: %s)" : " (%s)",
				row->unit);
		fputc('\n', out);
	}
}

void settings_manual(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct setting_row *row = &rows[i];

		fprintf(out, ".It Ic %s No = Ar %s\n%s", row->name,
			*row->initial ? row->initial : "(empty)", row->sentence);
		if (row->type == SETTING_CHOICE_TYPE)
			fprintf(out, "; one of: %s", row->unit);
		else if (*row->unit)
			fprintf(out, ", in %s", row->unit);
		if (row->type == SETTING_INT_TYPE)
			fprintf(out, "; %lld to %lld", (long long)row->least, (long long)row->most);
		fputs(".\n", out);
	}
	fputs(".El\n", out);
}
