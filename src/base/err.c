#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The functions themselves, where err.h wraps them. */
#undef err_set
#undef err_sys
#undef err_in

/*
 * A text ends up in a header, a log line or a JSON string: it must be one line, and a cut must not
 * leave half a character of UTF-8 at its end.
 */
static void tidy(char *text, bool cut)
{
	size_t length = strlen(text);

	if (cut) {
		size_t start = length;

		while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
			start--;
		if (start > 0 && ((unsigned char)text[start - 1] & 0x80))
			text[start - 1] = '\0';
	}
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
}

static void fill(struct err *err, enum err_kind kind, const char *tail, const char *format,
		 va_list args) like_printf(4, 0);

/* Formats apart from *err, since the arguments may point into err->text. */
static void fill(struct err *err, enum err_kind kind, const char *tail, const char *format,
		 va_list args)
{
	char text[ERR_TEXT_MAX];
	int length = vsnprintf(text, sizeof(text), format, args);
	bool cut = length < 0 || (size_t)length >= sizeof(text);

	if (length < 0)
		text[0] = '\0';
	if (tail && !cut) {
		size_t room = sizeof(text) - (size_t)length;

		cut = (size_t)snprintf(text + length, room, ": %s", tail) >= room;
	}
	tidy(text, cut);
	memcpy(err->text, text, sizeof(text));
	err->kind = kind;
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, kind, NULL, format, args);
	va_end(args);
	return -1;
}

int err_sys(struct err *err, const char *format, ...)
{
	int number = errno;
	char reason[128];
	va_list args;

	va_start(args, format);
	fill(err, err_kind_of(number), strerror_r(number, reason, sizeof(reason)), format, args);
	va_end(args);
	return -1;
}

enum err_kind err_kind_of(int number)
{
	switch (number) {
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case EIO:
	case EROFS:
		return ERR_DISK;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return ERR_BUSY;
	default:
		return ERR_SYSTEM;
	}
}

bool err_may_pass(const struct err *err)
{
	return err->kind == ERR_FULL || err->kind == ERR_DISK || err->kind == ERR_BUSY;
}

int err_in(struct err *err, const char *format, ...)
{
	char inner[ERR_TEXT_MAX];
	va_list args;

	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	fill(err, err->kind, inner, format, args);
	va_end(args);
	return -1;
}

const char *err_kind_name(enum err_kind kind)
{
	static const char *const names[ERR_KIND_COUNT] = {
		[ERR_NONE] = "none",
		[ERR_SYSTEM] = "system",
		[ERR_INVALID] = "invalid",
		[ERR_UNPROCESSED] = "unprocessed",
		[ERR_TOO_LARGE] = "too-large",
		[ERR_BAD_TOKEN] = "bad-token",
		[ERR_ANONYMOUS] = "anonymous",
		[ERR_DENIED] = "denied",
		[ERR_PAYMENT] = "payment",
		[ERR_NO_REPO] = "no-repo",
		[ERR_NO_REVISION] = "no-revision",
		[ERR_NO_ENTRY] = "no-entry",
		[ERR_NO_ROUTE] = "no-route",
		[ERR_NOT_FOUND] = "not-found",
		[ERR_MOVED] = "moved",
		[ERR_EXISTS] = "exists",
		[ERR_STALE] = "stale",
		[ERR_RANGE] = "range",
		[ERR_SPENT] = "spent",
		[ERR_BUSY] = "busy",
		[ERR_FULL] = "full",
		[ERR_DISK] = "disk",
	};

	if ((unsigned)kind >= ERR_KIND_COUNT)
		return "unknown";
	return names[kind];
}
