#include "http/logline.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

/* What is left of a line. */
struct reader {
	const char *at;
	const char *end;
};

static bool read_char(struct reader *reader, char expected)
{
	if (reader->at == reader->end || *reader->at != expected)
		return false;
	reader->at++;
	return true;
}

static bool read_word(struct reader *reader, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

/* Exactly `count` digits. */
static bool read_digits(struct reader *reader, int count, int *out)
{
	int value = 0;

	for (; count > 0; count--, reader->at++) {
		if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
			return false;
		value = value * 10 + (*reader->at - '0');
	}
	*out = value;
	return true;
}

/* ".358791030", as many digits as there are; milliseconds are kept. */
static bool read_fraction(struct reader *reader, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (!read_char(reader, '.'))
		return true;
	if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
		return false;
	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
		*ms += (*reader->at - '0') * scale;
		scale /= 10;
	}
	return true;
}

/* "Z" or "+02:00". */
static bool read_offset(struct reader *reader, int *minutes)
{
	int hours, rest, sign;

	*minutes = 0;
	if (read_char(reader, 'Z'))
		return true;
	sign = read_char(reader, '+') ? 1 : -1;
	if (sign < 0 && !read_char(reader, '-'))
		return false;
	if (!read_digits(reader, 2, &hours) || !read_char(reader, ':') ||
	    !read_digits(reader, 2, &rest) || hours > 23 || rest > 59)
		return false;
	*minutes = sign * (hours * 60 + rest);
	return true;
}

/* A date and time of RFC 3339. */
static bool read_stamp(struct reader *reader, int64_t *out)
{
	struct tm tm = {0};
	int ms, offset;

	if (!read_digits(reader, 4, &tm.tm_year) || !read_char(reader, '-') ||
	    !read_digits(reader, 2, &tm.tm_mon) || !read_char(reader, '-') ||
	    !read_digits(reader, 2, &tm.tm_mday) || !read_char(reader, 'T') ||
	    !read_digits(reader, 2, &tm.tm_hour) || !read_char(reader, ':') ||
	    !read_digits(reader, 2, &tm.tm_min) || !read_char(reader, ':') ||
	    !read_digits(reader, 2, &tm.tm_sec) || !read_fraction(reader, &ms) ||
	    !read_offset(reader, &offset))
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*out = ((int64_t)timegm(&tm) - (int64_t)offset * 60) * 1000 + ms;
	return true;
}

bool logline_parse(const char *line, size_t length, struct logline *out)
{
	struct reader reader = {.at = line, .end = line + length};
	struct logline parsed = {0};

	if (!read_stamp(&reader, &parsed.wall_ms))
		return false;
	parsed.is_stderr = read_word(&reader, " stderr ");
	if (!parsed.is_stderr && !read_word(&reader, " stdout "))
		return false;
	parsed.is_partial = read_word(&reader, "P ");
	if (!parsed.is_partial && !read_word(&reader, "F "))
		return false;
	parsed.text = reader.at;
	parsed.length = (size_t)(reader.end - reader.at);
	*out = parsed;
	return true;
}

/* One line of the text, in as many parts as it needs. `stamp` is without its "Z". */
static void add_line(struct str *out, const char *stamp, const char *text, size_t length)
{
	size_t part;

	do {
		part = length < LOGLINE_TEXT_MAX ? length : LOGLINE_TEXT_MAX;
		str_addf(out, "%s000000+00:00 stdout %c ", stamp, part < length ? 'P' : 'F');
		str_add_n(out, text, part);
		str_add_char(out, '\n');
		text += part;
		length -= part;
	} while (length > 0);
}

int logline_write(int fd, const char *text, struct err *err)
{
	owned(str_done) struct str lines = str_new(SIZE_MAX / 2);
	char stamp[CLOCK_STAMP_MAX];

	clock_stamp(clock_wall_ms(), stamp);
	stamp[strlen(stamp) - 1] = '\0';
	do {
		size_t length = strcspn(text, "\n");

		add_line(&lines, stamp, text, length);
		text += length;
		if (*text)
			text++;
	} while (*text);
	return file_put(fd, lines.data, lines.length, err);
}
