#include "base/name.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { PATH_LEVELS_MAX = 64, COMPONENT_MAX = 255 };
_Static_assert(NAME_MAX_LENGTH == 96, "name_fault() says so");
_Static_assert(NAME_PATH_MAX == 1024 && PATH_LEVELS_MAX == 64 && COMPONENT_MAX == 255,
	       "name_path_fault() says so");

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What clients refuse (Wire: A2), each with its sentence. */
const char *name_fault(const char *name)
{
	size_t length = strlen(name);

	if (length == 0)
		return "it is empty";
	if (length > NAME_MAX_LENGTH)
		return "it has more than 96 characters";
	for (size_t i = 0; i < length; i++)
		if (!is_alnum(name[i]) && !strchr("_.-", name[i]))
			return "use letters, digits, '-', '_' and '.'";
	if (strchr(".-", name[0]) || strchr(".-", name[length - 1]))
		return "it starts or ends with '-' or '.'";
	if (strstr(name, "--") || strstr(name, ".."))
		return "it has \"--\" or \"..\" in it";
	return str_ends(name, ".git") ? "it ends with \".git\"" : NULL;
}

bool name_is_valid(const char *name)
{
	return !name_fault(name);
}

/*
 * One character of UTF-8 (RFC 3629): its length, or 0 where it is none, such as an overlong form
 * or half of a surrogate pair.
 */
static size_t read_utf8(const char *text, unsigned long *out)
{
	static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)text[0];
	size_t length = first < 0x80             ? 1
			: (first & 0xe0) == 0xc0 ? 2
			: (first & 0xf0) == 0xe0 ? 3
			: (first & 0xf8) == 0xf0 ? 4
						 : 0;
	unsigned long value = length > 1 ? first & (0x7fU >> length) : first;

	for (size_t i = 1; i < length; i++) {
		unsigned char next =
			(unsigned char)text[i]; /* the NUL at the end is refused here */

		if ((next & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (next & 0x3f);
	}
	if (!length || value < least[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*out = value;
	return length;
}

/* What is wrong with a character of the path; NULL: nothing. */
static const char *character_fault(const char *text)
{
	while (*text) {
		unsigned long value;
		size_t length = read_utf8(text, &value);

		if (!length)
			return "it is not UTF-8";
		if (value < 0x20 || (value >= 0x7f && value < 0xa0))
			return "it has a control character";
		if (value == '\\')
			return "it has a backslash";
		text += length;
	}
	return NULL;
}

/* Characters that macOS leaves out of the names of files. */
static bool is_ignored(unsigned long value)
{
	return (value >= 0x200c && value <= 0x200f) || (value >= 0x202a && value <= 0x202e) ||
	       (value >= 0x206a && value <= 0x206f) || value == 0xfeff;
}

/*
 * Would some machine take the component for ".git"? Windows knows it as "git~1" too, and drops
 * spaces, dots and what is behind a colon from the end. git refuses to check such paths out.
 */
static bool means_git(const char *text, size_t length)
{
	static const char *const names[] = {".git", "git~1"};
	char plain[COMPONENT_MAX + 1];
	size_t used = 0, step;

	for (size_t at = 0; at < length; at += step) {
		unsigned long value = 0;

		step = read_utf8(text + at, &value);
		if (is_ignored(value))
			continue;
		memcpy(plain + used, text + at, step);
		used += step;
	}
	plain[used] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t end = strlen(names[i]);

		if (strncasecmp(plain, names[i], end) != 0)
			continue;
		end += strspn(plain + end, " .");
		if (plain[end] == '\0' || plain[end] == ':')
			return true;
	}
	return false;
}

/* The characters have been checked. */
static const char *component_fault(const char *text, size_t length)
{
	if (length == 0)
		return "it has an empty component";
	if (length == 1 && text[0] == '.')
		return "it has a component \".\"";
	if (length == 2 && text[0] == '.' && text[1] == '.')
		return "it has a component \"..\"";
	if (length > COMPONENT_MAX)
		return "it has a component of more than 255 bytes";
	return means_git(text, length) ? "it has a component that means \".git\"" : NULL;
}

const char *name_path_fault(const char *path)
{
	const char *fault;
	size_t levels = 0;

	if (*path == '\0')
		return "it is empty";
	if (*path == '/')
		return "it is absolute";
	if (strlen(path) > NAME_PATH_MAX)
		return "it is longer than 1024 bytes";
	fault = character_fault(path);
	for (const char *at = path; !fault;) {
		const char *end = strchrnul(at, '/');

		fault = component_fault(at, (size_t)(end - at));
		if (!fault && ++levels > PATH_LEVELS_MAX)
			fault = "it is deeper than 64 levels";
		if (!*end)
			break;
		at = end + 1;
	}
	return fault;
}

bool name_path_is_valid(const char *path)
{
	return !name_path_fault(path);
}
