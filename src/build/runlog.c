#include "build/runlog.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

/* Only the hub's group may read along. */
enum { LOG_MODE = 0640, SAY_MAX = 16 * 1024 };

static void add_line(struct str *out, const char *line, size_t length)
{
	char stamp[CLOCK_STAMP_MAX];

	clock_stamp(clock_wall_ms(), stamp);
	/* "…05.678Z" with conmon's nanoseconds and zone */
	str_addf(out, "%.*s000000+00:00 stdout F ", (int)strcspn(stamp, "Z"), stamp);
	str_add_n(out, line, length);
	str_add_char(out, '\n');
}

void runlog_say(const char *path, const char *format, ...)
{
	owned(str_done) struct str said = str_new(SAY_MAX);
	owned(str_done) struct str lines = str_new((size_t)4 * SAY_MAX);
	owned(free) char *text = NULL;
	owned(close) int fd = -1;
	struct err err = ERR_INIT;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	for (const char *at = text; *at;) {
		size_t length = strcspn(at, "\n");

		add_line(&lines, at, length);
		at += length + (at[length] == '\n');
	}
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
	if (fd < 0)
		err_sys(&err, "open");
	else if (str_check(&lines, "line", &err) == 0 &&
		 file_put(fd, lines.data, lines.length, &err) == 0)
		return;
	log_warn("runlog.say", "log=%s error=%s", path, err.text);
}

static char *end_path(const char *path)
{
	return mem_format("%s.end", path);
}

void runlog_end(const char *path)
{
	owned(free) char *end = end_path(path);
	owned(close) int fd = open(end, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);

	if (fd < 0)
		log_warn("runlog.end", "log=%s error=%m", path);
}

bool runlog_is_over(const char *path)
{
	owned(free) char *end = end_path(path);

	return file_exists(AT_FDCWD, end);
}

/* Read the last `max` bytes of a file. */
static size_t read_end(const char *path, char *buffer, size_t max)
{
	owned(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	got = pread(fd, buffer, max, st.st_size > (off_t)max ? st.st_size - (off_t)max : 0);
	return got < 0 ? 0 : (size_t)got;
}

/* The text behind "stamp stream F "; *partial where the line goes on. NULL if it is no such line.
 */
static const char *text_of(const char *line, bool *partial)
{
	const char *at = strchr(line, ' ');

	at = at ? strchr(at + 1, ' ') : NULL;
	if (!at || (at[1] != 'F' && at[1] != 'P') || at[2] != ' ')
		return NULL;
	*partial = at[1] == 'P';
	return at + 3;
}

void runlog_tail(const char *path, size_t max, struct str *out)
{
	owned(free) char *raw = mem_alloc(RUNLOG_TAIL_MAX + 1);
	owned(str_done) struct str text = str_new(RUNLOG_TAIL_MAX);
	size_t length = read_end(path, raw, RUNLOG_TAIL_MAX);
	char *next;
	size_t skip;

	raw[length] = '\0';
	for (char *line = raw; *line; line = next) {
		char *stop = strchrnul(line, '\n');
		bool partial = false;
		const char *said;

		next = *stop ? stop + 1 : stop;
		*stop = '\0';
		said = text_of(line, &partial);
		if (said) {
			str_add(&text, said);
			if (!partial)
				str_add_char(&text, '\n');
		}
	}
	skip = text.length > max ? text.length - max : 0;
	if (skip) { /* begin with a whole line where there is one */
		const char *line = memchr(text.data + skip, '\n', text.length - skip - 1);

		skip = line ? (size_t)(line + 1 - text.data) : skip;
	}
	while ((text.data[skip] & 0xc0) == 0x80)
		skip++; /* never half a character of UTF-8 */
	str_add_n(out, text.data + skip, text.length - skip);
}

static bool number_of(const char *name, const char *prefix, long long *out)
{
	size_t length = strlen(prefix);
	char *end;

	if (strncmp(name, prefix, length) != 0 || name[length] != '-')
		return false;
	*out = strtoll(name + length + 1, &end, 10);
	return end != name + length + 1 &&
	       (strcmp(end, ".log") == 0 || strcmp(end, ".log.end") == 0);
}

void runlog_prune(const char *folder, const char *prefix, long long below)
{
	owned(closedir) DIR *dir = opendir(folder);
	const struct dirent *entry;
	long long number;

	while (dir && (entry = readdir(dir)))
		if (number_of(entry->d_name, prefix, &number) && number < below &&
		    unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			log_warn("runlog.prune", "log=%s error=%m", entry->d_name);
}
