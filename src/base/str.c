#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* What `data` points to until the first byte arrives; never written. */
static char empty[1];

enum { FIRST_ROOM = 64 };

struct str str_new(size_t max)
{
	return (struct str){.data = empty, .max = max};
}

struct str str_new_wiping(size_t max)
{
	return (struct str){.data = empty, .max = max, .wipes = true};
}

static void drop(struct str *str)
{
	if (str->room && str->wipes)
		explicit_bzero(str->data, str->room);
	if (str->room)
		free(str->data);
}

void str_done(struct str *str)
{
	drop(str);
	*str = (struct str){.data = empty, .max = str->max, .wipes = str->wipes};
}

/* realloc() would leave the bytes where they were. */
static void move(struct str *str, size_t room)
{
	char *data = mem_alloc(room);

	memcpy(data, str->data, str->length + 1);
	drop(str);
	str->data = data;
}

/* Room for `more` bytes and the NUL. False, and failed from now on, where that passes the limit. */
static bool reserve(struct str *str, size_t more)
{
	if (str->failed || more > str->max - str->length) {
		str->failed = true;
		return false;
	}

	size_t need = str->length + more + 1;

	if (need <= str->room)
		return true;

	size_t room = str->room ? str->room : FIRST_ROOM;

	while (room < need)
		room = room > SIZE_MAX / 2 ? need : room * 2;
	if (str->wipes)
		move(str, room);
	else
		str->data = mem_grow(str->room ? str->data : NULL, room, 1);
	str->room = room;
	return true;
}

void str_add(struct str *str, const char *text)
{
	str_add_n(str, text, strlen(text));
}

void str_add_n(struct str *str, const void *bytes, size_t length)
{
	if (!length || !reserve(str, length))
		return;
	memcpy(str->data + str->length, bytes, length);
	str->length += length;
	str->data[str->length] = '\0';
}

void str_add_char(struct str *str, char c)
{
	str_add_n(str, &c, 1);
}

void str_addf(struct str *str, const char *format, ...)
{
	size_t left = str->room ? str->room - str->length : 0;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(left ? str->data + str->length : NULL, left, format, args);
	va_end(args);
	if (length > 0 && (size_t)length >= left && reserve(str, (size_t)length)) {
		va_start(args, format);
		vsnprintf(str->data + str->length, (size_t)length + 1, format, args);
		va_end(args);
	}
	/* What does not fit into the limit is not there at all. */
	if (length < 0 || str->failed || (size_t)length > str->max - str->length) {
		str->failed = true;
		if (str->room)
			str->data[str->length] = '\0';
		return;
	}
	str->length += (size_t)length;
}

void str_cut(struct str *str, size_t length)
{
	if (str->length <= length)
		return;
	str->length = length;
	str->data[length] = '\0';
}

void str_clear(struct str *str)
{
	str->length = 0;
	str->failed = false;
	if (str->room)
		str->data[0] = '\0';
}

int str_check(const struct str *str, const char *what, struct err *err)
{
	if (!str->failed)
		return 0;
	return err_set(err, ERR_TOO_LARGE, "%s is longer than %zu bytes", what, str->max);
}

char *str_take(struct str *str)
{
	char *text = str->room ? str->data : mem_text("");

	*str = (struct str){.data = empty, .max = str->max, .wipes = str->wipes};
	return text;
}

bool str_starts(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

bool str_ends(const char *text, const char *end)
{
	size_t length = strlen(text);
	size_t tail = strlen(end);

	return length >= tail && memcmp(text + length - tail, end, tail) == 0;
}
