#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/flood.h"

/* The longest line with its line break: what a pipe takes in one piece (PIPE_BUF, pipe(7)). */
enum { LINE_MAX_BYTES = 4096 };

static _Atomic(const char *) log_program = "espaced";
static _Atomic(int) log_level = LOG_LEVEL_INFO;
static _Thread_local const char *log_request_id;

/* Whoever finds it held writes its line: a bound is not worth waiting for. */
static pthread_mutex_t flood_lock = PTHREAD_MUTEX_INITIALIZER;
static struct flood flood; /* under flood_lock */

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

static void write_line(enum log_level level, const char *event, const char *message)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	char stamp[CLOCK_STAMP_MAX];
	struct line line = {.length = 0};
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
}

/* May the line be written? *held and *lines tell what was held back before, or NULL. */
static bool ask_flood(enum log_level level, const char *event, const char **held, unsigned *lines)
{
	int64_t now_ms = clock_mono_ms();
	bool passes = true;

	*held = NULL;
	if (level > LOG_LEVEL_WARN || pthread_mutex_trylock(&flood_lock) != 0)
		return true;
	*held = flood_held(&flood, now_ms, lines);
	passes = flood_pass(&flood, event, now_ms);
	pthread_mutex_unlock(&flood_lock);
	return passes;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
	char message[LINE_MAX_BYTES];
	int saved = errno;
	const char *held;
	unsigned lines;
	va_list args;
	bool passes;

	if ((int)level > atomic_load(&log_level))
		return;
	passes = ask_flood(level, event, &held, &lines);
	if (held) {
		snprintf(message, sizeof(message), "event=%s lines=%u", held, lines);
		write_line(LOG_LEVEL_WARN, "log.held", message);
	}
	if (passes) {
		va_start(args, format);
		if (vsnprintf(message, sizeof(message), format, args) < 0)
			message[0] = '\0';
		va_end(args);
		write_line(level, event, message);
	}
	errno = saved;
}
