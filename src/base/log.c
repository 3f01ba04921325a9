#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* The longest line with its line break: what a pipe takes in one piece (PIPE_BUF, pipe(7)). */
enum { LINE_MAX_BYTES = 4096 };

static _Atomic(const char *) log_program = "espaced";
static _Atomic(int) log_level = LOG_LEVEL_INFO;
static _Thread_local const char *log_request_id;

struct line {
	char text[LINE_MAX_BYTES];
	size_t length;
};

void log_setup(const char *program, enum log_level level)
{
	atomic_store(&log_program, program);
	atomic_store(&log_level, (int)level);
}

void log_request(const char *request_id)
{
	log_request_id = request_id;
}

/* Leaves room for the line break. */
static void put(struct line *line, const char *text)
{
	size_t length = strlen(text);
	size_t room = sizeof(line->text) - 1 - line->length;

	if (length > room)
		length = room;
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

/* The C1 controls are two bytes in UTF-8, and some terminals obey them. */
static bool is_c1_control(const char *text)
{
	unsigned char second = (unsigned char)text[1];

	return (unsigned char)text[0] == 0xc2 && second >= 0x80 && second <= 0x9f;
}

/*
 * A value from outside must not be able to end the line, to forge another one or to talk to the
 * terminal that shows it. The backslash is escaped too, so that the escapes stay readable.
 */
static void put_escaped(struct line *line, const char *text)
{
	for (; *text; text++) {
		char piece[8] = {*text};
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			memcpy(piece, "\\n", 3);
		else if (c == '\\')
			memcpy(piece, "\\\\", 3);
		else if (is_c1_control(text))
			snprintf(piece, sizeof(piece), "\\x%02x", (unsigned char)*++text);
		else if (c < 0x20 || c == 0x7f)
			snprintf(piece, sizeof(piece), "\\x%02x", c);
		put(line, piece);
	}
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	char message[LINE_MAX_BYTES];
	char stamp[CLOCK_STAMP_MAX];
	struct line line = {.length = 0};
	int saved = errno;
	va_list args;

	if ((int)level > atomic_load(&log_level))
		return;
	va_start(args, format);
	if (vsnprintf(message, sizeof(message), format, args) < 0)
		message[0] = '\0';
	va_end(args);

	const char *const head[] = {clock_stamp(clock_wall_ms(), stamp), names[level],
				    atomic_load(&log_program), event};

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
		put(&line, i ? " " : "");
		put(&line, head[i]);
	}
	if (log_request_id) {
		put(&line, " request=");
		put_escaped(&line, log_request_id);
	}
	if (message[0])
		put(&line, " ");
	put_escaped(&line, message);
	line.text[line.length++] = '\n';
	(void)!write(STDERR_FILENO, line.text, line.length); /* nobody left to tell */
	errno = saved;
}
