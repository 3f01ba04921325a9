#include "api/ignore.h"

#include <string.h>

#include "api/limits.h"
#include "base/mem.h"

/* One line. `text` is the pattern without its marks. */
struct rule {
	char *text;
	bool negated;  /* "!": not ignored after all */
	bool folders;  /* ended in "/": matches folders only */
	bool anchored; /* has a "/" inside: matches from the root, else at any depth */
};

struct ignore {
	struct rule *rules;
	size_t count;
};

/* Blanks at the end do not count, unless a backslash stands before them. */
static size_t trimmed(const char *line, size_t length)
{
	while (length > 0 && line[length - 1] == ' ') {
		size_t slashes = 0;

		while (slashes + 1 < length && line[length - 2 - slashes] == '\\')
			slashes++;
		if (slashes % 2)
			break;
		length--;
	}
	return length;
}

/* False: the line is empty or a comment. */
static bool parse_rule(const char *line, size_t length, struct rule *rule)
{
	*rule = (struct rule){0};
	if (length > 0 && line[length - 1] == '\r')
		length--;
	length = trimmed(line, length);
	if (length == 0 || line[0] == '#')
		return false;
	if (line[0] == '!') {
		rule->negated = true;
		line++;
		length--;
	}
	if (length > 0 && line[length - 1] == '/') {
		rule->folders = true;
		length--;
	}
	rule->anchored = memchr(line, '/', length) != NULL;
	if (length > 0 && line[0] == '/') {
		line++;
		length--;
	}
	if (length == 0)
		return false;
	rule->text = mem_text_n(line, length);
	return true;
}

int ignore_parse(const char *text, size_t length, struct ignore **out, struct err *err)
{
	owned(ignore_free) struct ignore *ignore = mem_new(struct ignore);
	const char *end = text + length;

	if (length > LIMITS_IGNORE_TEXT)
		return err_set(err, ERR_TOO_LARGE, "a .gitignore may have %d bytes",
			       LIMITS_IGNORE_TEXT);
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((stop ? stop : end) - text);
		struct rule rule;

		if (parse_rule(text, line, &rule)) {
			if (ignore->count == LIMITS_IGNORE_RULES) {
				free(rule.text);
				return err_set(err, ERR_TOO_LARGE, "a .gitignore may have %d rules",
					       LIMITS_IGNORE_RULES);
			}
			ignore->rules = mem_grow(ignore->rules, ignore->count + 1, sizeof(rule));
			ignore->rules[ignore->count++] = rule;
		}
		text += line + 1;
	}
	*out = take(ignore);
	return 0;
}

void ignore_free(struct ignore *ignore)
{
	if (!ignore)
		return;
	for (size_t i = 0; i < ignore->count; i++)
		free(ignore->rules[i].text);
	free(ignore->rules);
	free(ignore);
}

/*
 * The set behind a "[" against one character. *next is what follows "]". A set that never ends
 * matches nothing.
 */
static bool match_set(const char *set, const char *end, char c, const char **next)
{
	bool negated = set < end && (*set == '!' || *set == '^');
	bool found = false;
	bool first = true;

	for (set += negated; set < end; first = false) {
		char low = *set++;
		char high;

		if (low == ']' && !first) {
			*next = set;
			return found != negated;
		}
		if (low == '\\' && set < end)
			low = *set++;
		high = low;
		if (end - set >= 2 && set[0] == '-' && set[1] != ']') {
			high = set[1];
			set += 2;
		}
		found = found || ((unsigned char)c >= (unsigned char)low &&
				  (unsigned char)c <= (unsigned char)high);
	}
	*next = end;
	return false;
}

/* One character of a pattern against one of a name. *next is the rest of the pattern. */
static bool match_one(const char *pattern, const char *end, char c, const char **next)
{
	*next = pattern + 1;
	if (*pattern == '?')
		return true;
	if (*pattern == '[')
		return match_set(pattern + 1, end, c, next);
	if (*pattern == '\\' && pattern + 1 < end) {
		*next = pattern + 2;
		return pattern[1] == c;
	}
	return *pattern == c;
}

/* A span of text, between two slashes. */
struct span {
	const char *start;
	const char *end;
};

/* One segment: on a mismatch only the last "*" can take more, so that the time is a product. */
static bool match_segment(struct span pattern, struct span name)
{
	const char *star = NULL;
	const char *retry = NULL;

	while (name.start < name.end) {
		const char *next;

		if (pattern.start < pattern.end && *pattern.start == '*') {
			star = ++pattern.start;
			retry = name.start;
		} else if (pattern.start < pattern.end &&
			   match_one(pattern.start, pattern.end, *name.start, &next)) {
			pattern.start = next;
			name.start++;
		} else if (star) {
			pattern.start = star;
			name.start = ++retry;
		} else {
			return false;
		}
	}
	while (pattern.start < pattern.end && *pattern.start == '*')
		pattern.start++;
	return pattern.start == pattern.end;
}

static struct span first_segment(const char *text, const char *end)
{
	const char *slash = memchr(text, '/', (size_t)(end - text));

	return (struct span){text, slash ? slash : end};
}

static const char *after(struct span segment, const char *end)
{
	return segment.end < end ? segment.end + 1 : end;
}

static bool is_double_star(struct span segment)
{
	return segment.end - segment.start == 2 && memcmp(segment.start, "**", 2) == 0;
}

/* The same once more with segments for characters and "**" for the star. */
static bool match_path(const char *pattern, const char *path, const char *end)
{
	const char *pattern_end = pattern + strlen(pattern);
	const char *star = NULL;
	const char *retry = NULL;

	while (path < end) {
		struct span rule = first_segment(pattern, pattern_end);
		struct span name = first_segment(path, end);

		if (pattern < pattern_end && is_double_star(rule)) {
			star = pattern = after(rule, pattern_end);
			retry = path;
			if (star == pattern_end)
				return true; /* the rest of the rule is "**": all that is inside */
		} else if (pattern < pattern_end && match_segment(rule, name)) {
			pattern = after(rule, pattern_end);
			path = after(name, end);
		} else if (star) {
			pattern = star;
			path = retry = after(first_segment(retry, end), end);
		} else {
			return false;
		}
	}
	return pattern == pattern_end;
}

static bool match_rule(const struct rule *rule, const char *path, const char *end)
{
	const char *name = path;

	if (rule->anchored)
		return match_path(rule->text, path, end);
	for (const char *c = path; c < end; c++)
		if (*c == '/')
			name = c + 1;
	return match_segment((struct span){rule->text, rule->text + strlen(rule->text)},
			     (struct span){name, end});
}

/* The last rule that matches decides. */
static bool is_ignored(const struct ignore *ignore, const char *path, const char *end, bool folder)
{
	for (size_t i = ignore->count; i-- > 0;)
		if ((folder || !ignore->rules[i].folders) &&
		    match_rule(&ignore->rules[i], path, end))
			return !ignore->rules[i].negated;
	return false;
}

/* Git never looks into a folder that is ignored, so no "!" reaches what is below it. */
bool ignore_match(const struct ignore *ignore, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
		if (is_ignored(ignore, path, slash, true))
			return true;
	return is_ignored(ignore, path, path + strlen(path), false);
}
