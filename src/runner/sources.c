#include "runner/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"

#define APT "/etc/apt"

enum { FILE_MAX_BYTES = 1024 * 1024, FIELD_MAX_BYTES = 4096 };

/* Debian's and Ubuntu's; who serves others under the same suite is somebody else. */
static const char *const components[] = {"main",       "contrib",  "non-free",  "non-free-firmware",
					 "restricted", "universe", "multiverse"};

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncmp(text, word, length) == 0;
}

static bool is_suite(const char *text, size_t length, const char *codename)
{
	size_t stem = strlen(codename);

	if (length < stem || strncmp(text, codename, stem) != 0)
		return false;
	text += stem;
	length -= stem;
	return length == 0 || is_word(text, length, "-updates") ||
	       is_word(text, length, "-security");
}

static bool is_component(const char *text, size_t length, const char *unused)
{
	for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
		if (is_word(text, length, components[i]))
			return true;
	return false;
}

static bool is_binary(const char *text, size_t length, const char *unused)
{
	return is_word(text, length, "deb");
}

/* Append the words that fit, each with a blank before it. Returns how many. */
static size_t add_words(const char *text, bool (*fits)(const char *, size_t, const char *),
			const char *codename, struct str *out)
{
	static const char blanks[] = " \t\n";
	size_t count = 0;

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);

		if (fits(text, length, codename)) {
			str_add_char(out, ' ');
			str_add_n(out, text, length);
			count++;
		}
		text += length;
	}
	return count;
}

struct stanza {
	struct str types, suites, components, rest;
	bool disabled;
};

static struct stanza stanza_new(void)
{
	return (struct stanza){.types = str_new(FIELD_MAX_BYTES),
			       .suites = str_new(FIELD_MAX_BYTES),
			       .components = str_new(FIELD_MAX_BYTES),
			       .rest = str_new(FILE_MAX_BYTES)};
}

static void stanza_done(struct stanza *stanza)
{
	str_done(&stanza->types);
	str_done(&stanza->suites);
	str_done(&stanza->components);
	str_done(&stanza->rest);
}

static void stanza_end(struct stanza *stanza, const char *codename, struct str *out)
{
	struct stanza fitting = stanza_new();

	if (!stanza->disabled &&
	    add_words(stanza->types.data, is_binary, codename, &fitting.types) &&
	    add_words(stanza->suites.data, is_suite, codename, &fitting.suites) &&
	    add_words(stanza->components.data, is_component, codename, &fitting.components))
		str_addf(out, "Types:%s\nSuites:%s\nComponents:%s\n%s\n", fitting.types.data,
			 fitting.suites.data, fitting.components.data, stanza->rest.data);
	stanza_done(&fitting);
	stanza_done(stanza);
	*stanza = stanza_new();
}

static bool is_field(const char *line, const char *name)
{
	return strncasecmp(line, name, strlen(name)) == 0;
}

/* Take one line; `field` is where continuation lines go. */
static struct str *stanza_line(struct stanza *stanza, const char *line, struct str *field)
{
	const char *value = line;

	if (line[0] != ' ' && line[0] != '\t') {
		value = strchrnul(line, ':');
		value += *value == ':';
		field = is_field(line, "types:")        ? &stanza->types
			: is_field(line, "suites:")     ? &stanza->suites
			: is_field(line, "components:") ? &stanza->components
							: &stanza->rest;
		if (is_field(line, "enabled:") && strcasestr(value, "no"))
			stanza->disabled = true;
	}
	str_addf(field, "%s\n", field == &stanza->rest ? line : value);
	return field;
}

void sources_add_deb822(const char *text, const char *codename, struct str *out)
{
	struct stanza stanza = stanza_new();
	struct str *field = &stanza.rest;

	while (*text) {
		const char *end = strchrnul(text, '\n');
		owned(free) char *line = mem_text_n(text, (size_t)(end - text));

		if (line[strspn(line, " \t\r")] == '\0') {
			stanza_end(&stanza, codename, out);
			field = &stanza.rest;
		} else if (line[0] != '#') {
			field = stanza_line(&stanza, line, field);
		}
		text = *end ? end + 1 : end;
	}
	stanza_end(&stanza, codename, out);
	stanza_done(&stanza);
}

/* deb [options] uri suite component... */
static void add_line(const char *line, const char *codename, struct str *out)
{
	static const char blanks[] = " \t";
	owned(str_done) struct str fitting = str_new(FIELD_MAX_BYTES);
	const char *uri;
	const char *suite;
	size_t suite_length;

	if (strncmp(line, "deb", 3) != 0 || !strchr(blanks, line[3]) || !line[3])
		return;
	uri = line + 3 + strspn(line + 3, blanks);
	if (*uri == '[') {
		uri = strchrnul(uri, ']');
		uri += *uri == ']';
		uri += strspn(uri, blanks);
	}
	suite = uri + strcspn(uri, blanks);
	suite += strspn(suite, blanks);
	suite_length = strcspn(suite, blanks);
	if (is_suite(suite, suite_length, codename) &&
	    add_words(suite + suite_length, is_component, codename, &fitting))
		str_addf(out, "%.*s%s\n", (int)(suite + suite_length - line), line, fitting.data);
}

void sources_add_list(const char *text, const char *codename, struct str *out)
{
	while (*text) {
		size_t length = strcspn(text, "#\n");
		owned(free) char *line = mem_text_n(text, length);
		const char *end = strchrnul(text, '\n');

		add_line(line, codename, out);
		text = *end ? end + 1 : end;
	}
}

static int add_file(int dirfd, const char *name, const char *codename, struct str *deb822,
		    struct str *list, struct err *err)
{
	owned(str_done) struct str text = str_new(FILE_MAX_BYTES);

	if (!str_ends(name, ".sources") && !str_ends(name, ".list"))
		return 0;
	if (file_read(dirfd, name, &text, err) < 0)
		return -1;
	if (str_ends(name, ".sources"))
		sources_add_deb822(text.data, codename, deb822);
	else
		sources_add_list(text.data, codename, list);
	return 0;
}

int sources_read(const char *codename, struct str *deb822, struct str *list, struct err *err)
{
	DIR *parts = opendir(APT "/sources.list.d");
	struct dirent *entry;
	int result = 0;

	if (file_exists(AT_FDCWD, APT "/sources.list"))
		result = add_file(AT_FDCWD, APT "/sources.list", codename, deb822, list, err);
	while (result == 0 && parts && (entry = readdir(parts)))
		result = add_file(dirfd(parts), entry->d_name, codename, deb822, list, err);
	if (parts)
		closedir(parts);
	if (result < 0)
		return err_in(err, "package sources");
	if (deb822->length + list->length == 0)
		return err_set(err, ERR_SYSTEM, "no package source of this machine has suite %s",
			       codename);
	return 0;
}
