#include "http/tail.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/logline.h"
#include "http/utf8.h"

enum {
	READ_BYTES = 16384,
	/* conmon and logline_write() stay far below; what is longer is no line of theirs. */
	LINE_MAX_BYTES = 65536,
	/* Parts are joined up to here; the rest of such a line is an event of its own. */
	TEXT_MAX_BYTES = 65536,
	/* Each byte may become \uXXXX; and one read may hold many short lines beside a long one. */
	PENDING_MAX_BYTES = 16 * TEXT_MAX_BYTES,
	/* Usual length of a line: a first guess where the last N lines begin. */
	LINE_GUESS_BYTES = 128,
};

struct tail {
	int root_fd;
	int dir_fd;
	int fd;
	char *dir;
	char *file;
	char *end_file;
	size_t lines;
	uint64_t offset;  /* of the next byte to read */
	bool is_counting; /* events are counted, not given out */
	size_t counted;
	size_t skip;   /* so many events are not given out */
	bool is_torn;  /* inside of a line whose beginning we don't have */
	bool end_seen; /* no byte will be added any more */
	bool is_finished;
	int64_t line_ms;     /* stamp of the last line */
	int64_t last_ms;     /* stamp of the last event */
	struct str line;     /* a line that is not complete yet */
	struct str parts[2]; /* parts of a line of stdout, of stderr */
	struct str pending;  /* events */
	size_t pending_sent;
};

struct tail *tail_new(int root_fd, const char *dir, const char *file, size_t lines)
{
	struct tail *tail = mem_new(struct tail);

	tail->root_fd = root_fd;
	tail->dir_fd = -1;
	tail->fd = -1;
	tail->dir = mem_text(dir);
	tail->file = mem_text(file);
	tail->end_file = mem_format("%s.end", file);
	tail->lines = lines;
	tail->line = str_new(LINE_MAX_BYTES);
	tail->parts[0] = str_new(TEXT_MAX_BYTES);
	tail->parts[1] = str_new(TEXT_MAX_BYTES);
	tail->pending = str_new(PENDING_MAX_BYTES);
	return tail;
}

void tail_free(struct tail *tail)
{
	if (!tail)
		return;
	str_done(&tail->pending);
	str_done(&tail->parts[1]);
	str_done(&tail->parts[0]);
	str_done(&tail->line);
	free(tail->end_file);
	free(tail->file);
	free(tail->dir);
	own_close(&tail->fd);
	own_close(&tail->dir_fd);
	free(tail);
}

int tail_dir_fd(const struct tail *tail)
{
	return tail->dir_fd;
}

static int open_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* The log, if it is there and a plain file. */
static bool open_log(struct tail *tail)
{
	owned(close) int fd = -1;
	struct stat stat;

	if (tail->dir_fd < 0)
		tail->dir_fd = open_beneath(tail->root_fd, tail->dir, O_DIRECTORY);
	if (tail->dir_fd < 0)
		return false;
	fd = open_beneath(tail->dir_fd, tail->file, 0);
	if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return false;
	tail->fd = take_fd(&fd);
	return true;
}

/* Has the writer said that the log is complete, or has somebody removed or cut it? */
static bool is_over(const struct tail *tail)
{
	struct stat stat;

	if (tail->dir_fd < 0)
		return false;
	if (fstatat(tail->dir_fd, tail->end_file, &stat, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (tail->fd < 0)
		return fstat(tail->dir_fd, &stat) == 0 && stat.st_nlink == 0;
	return fstat(tail->fd, &stat) == 0 &&
	       (stat.st_nlink == 0 || (uint64_t)stat.st_size < tail->offset);
}

static void add_escaped(struct str *out, const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		int32_t code = utf8_next(&text, end);

		if (code < 0)
			code = 0xfffd;
		if (code == '"' || code == '\\')
			str_addf(out, "\\%c", (char)code);
		else if (code >= 0x20 && code < 0x7f)
			str_add_char(out, (char)code);
		else if (code == '\n')
			str_add(out, "\\n");
		else if (code < 0x10000)
			str_addf(out, "\\u%04x", (unsigned)code);
		else
			str_addf(out, "\\u%04x\\u%04x", 0xd800 | (unsigned)(code - 0x10000) >> 10,
				 0xdc00 | (unsigned)(code & 0x3ff));
	}
}

/* A stamp that neither goes back nor lies ahead: the latter makes clients cut off the backlog. */
static int64_t stamp_of(struct tail *tail, int64_t wall_ms)
{
	int64_t now_ms = clock_wall_ms();

	if (wall_ms > now_ms)
		wall_ms = now_ms;
	if (wall_ms > tail->last_ms)
		tail->last_ms = wall_ms;
	return tail->last_ms;
}

static void emit(struct tail *tail, struct str *text, int64_t wall_ms)
{
	char stamp[CLOCK_STAMP_MAX];

	if (tail->is_counting) {
		tail->counted++;
	} else if (tail->skip > 0) {
		tail->skip--;
	} else {
		str_add(&tail->pending, "data: {\"data\":\"");
		add_escaped(&tail->pending, text->data, text->length);
		str_addf(&tail->pending, "\",\"timestamp\":\"%s\"}\n\n",
			 clock_stamp(stamp_of(tail, wall_ms), stamp));
	}
	str_clear(text);
}

static void take_line(struct tail *tail, const char *line, size_t length)
{
	struct logline parsed;
	struct str *text;

	/* What is no line of a log can only be torn, by a crash in the middle of a write. */
	if (!logline_parse(line, length, &parsed))
		return;
	text = &tail->parts[parsed.is_stderr];
	tail->line_ms = parsed.wall_ms;
	if (text->length + parsed.length + 1 > TEXT_MAX_BYTES)
		emit(tail, text, parsed.wall_ms);
	str_add_n(text, parsed.text, parsed.length);
	if (parsed.is_partial)
		return;
	str_add_char(text, '\n');
	emit(tail, text, parsed.wall_ms);
}

/* The bytes up to a line feed, or up to the end of what was read. */
static void take_piece(struct tail *tail, const char *bytes, size_t length, bool is_complete)
{
	if (!tail->is_torn && is_complete && tail->line.length == 0) {
		take_line(tail, bytes, length);
		return;
	}
	if (!tail->is_torn)
		str_add_n(&tail->line, bytes, length);
	tail->is_torn = tail->is_torn || tail->line.failed;
	if (!is_complete)
		return;
	if (!tail->is_torn)
		take_line(tail, tail->line.data, tail->line.length);
	str_clear(&tail->line);
	tail->is_torn = false;
}

/* Read a piece of the file into events. False: there is nothing more at the moment. */
static bool read_more(struct tail *tail)
{
	char buffer[READ_BYTES];
	ssize_t length = pread(tail->fd, buffer, sizeof(buffer), (off_t)tail->offset);
	const char *at = buffer, *end = buffer + length;

	if (length <= 0)
		return false;
	tail->offset += (uint64_t)length;
	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		const char *stop = feed ? feed : end;

		take_piece(tail, at, (size_t)(stop - at), feed != NULL);
		at = feed ? feed + 1 : end;
	}
	return true;
}

static void restart_at(struct tail *tail, uint64_t offset)
{
	tail->offset = offset;
	tail->is_torn = offset > 0;
	tail->counted = 0;
	str_clear(&tail->line);
	str_clear(&tail->parts[0]);
	str_clear(&tail->parts[1]);
}

/*
 * Find where the last `lines` events begin: read a window at the end, twice as large each time,
 * until it holds two more, since the first of each stream may have lost its beginning.
 */
static void seek_lines(struct tail *tail)
{
	size_t lines = tail->lines < TAIL_LINES_MAX ? tail->lines : TAIL_LINES_MAX;
	uint64_t window = (lines + 2) * LINE_GUESS_BYTES, size, start;
	struct stat stat;

	if (fstat(tail->fd, &stat) < 0)
		return;
	size = (uint64_t)stat.st_size;
	tail->is_counting = true;
	do {
		start = window < size ? size - window : 0;
		restart_at(tail, start);
		while (read_more(tail))
			;
		window *= 2;
	} while (tail->counted < lines + 2 && start > 0);
	tail->is_counting = false;
	tail->skip = tail->counted > lines ? tail->counted - lines : 0;
	restart_at(tail, start);
}

static bool open_and_seek(struct tail *tail)
{
	if (!open_log(tail))
		return false;
	if (tail->lines != TAIL_ALL)
		seek_lines(tail);
	return true;
}

/* The app died in the middle of a line: show what there is of it. */
static void finish(struct tail *tail)
{
	if (tail->line.length > 0 && !tail->is_torn)
		take_line(tail, tail->line.data, tail->line.length);
	for (int i = 0; i < 2; i++)
		if (tail->parts[i].length > 0)
			emit(tail, &tail->parts[i], tail->line_ms);
	tail->is_finished = true;
}

static size_t give(struct tail *tail, char *out, size_t max)
{
	size_t length = tail->pending.length - tail->pending_sent;

	if (length > max)
		length = max;
	memcpy(out, tail->pending.data + tail->pending_sent, length);
	tail->pending_sent += length;
	if (tail->pending_sent < tail->pending.length)
		return length;
	/* A stream that waits keeps no buffer: there may be thousands. */
	str_done(&tail->pending);
	tail->pending = str_new(PENDING_MAX_BYTES);
	tail->pending_sent = 0;
	return length;
}

enum tail_state tail_read(struct tail *tail, char *out, size_t max, size_t *length)
{
	while (tail->pending.length == 0) {
		if (tail->is_finished)
			return TAIL_END;
		if ((tail->fd >= 0 || open_and_seek(tail)) && read_more(tail))
			continue;
		if (tail->end_seen)
			finish(tail);
		else if (is_over(tail))
			tail->end_seen = true; /* and look once more: it was written before that */
		else
			return TAIL_WAIT;
	}
	*length = give(tail, out, max);
	return TAIL_DATA;
}
