#include "base/jsonpush.h"

#include <string.h>

#include "base/mem.h"

/* What the grammar allows next, outside of a token. */
enum state {
	WANT_VALUE,
	WANT_ITEM_OR_END, /* behind '[' */
	WANT_KEY,
	WANT_KEY_OR_END, /* behind '{' */
	WANT_COLON,
	WANT_COMMA_OR_END, /* behind a value inside of an object or array */
	DONE,
};

/* The token that the input stopped in. */
enum token {
	TOKEN_NONE,
	TOKEN_STRING,
	TOKEN_ESCAPE, /* behind a backslash */
	TOKEN_HEX,    /* behind \u */
	TOKEN_LOW,    /* behind a high surrogate: a backslash must follow */
	TOKEN_LOW_U,  /* and then a u */
	TOKEN_NUMBER,
	TOKEN_WORD, /* true, false, null */
};

struct jsonpush {
	jsonpush_fn *event;
	void *arg;
	uint64_t position; /* bytes taken before the current feed */
	enum state state;
	enum token token;
	bool begun;
	bool failed;
	bool in_key;
	unsigned depth;
	uint64_t objects;   /* one bit per open container, the innermost lowest: is it an object? */
	unsigned utf8_left; /* bytes that the current character still needs */
	unsigned char utf8_low, utf8_high; /* what the next one of them may be */
	unsigned hex, hex_count;
	unsigned high; /* a high surrogate that waits for its other half, else 0 */
	const char *word;
	size_t text_length; /* of number or word so far */
	char text[JSONPUSH_NUMBER_MAX];
};

/* The piece that is being fed. */
struct input {
	const char *start;
	const char *at;
	const char *end;
};

struct jsonpush *jsonpush_new(jsonpush_fn *event, void *arg)
{
	struct jsonpush *json = mem_new(struct jsonpush);

	json->event = event;
	json->arg = arg;
	return json;
}

void jsonpush_free(struct jsonpush *json)
{
	free(json);
}

void jsonpush_reset(struct jsonpush *json)
{
	*json = (struct jsonpush){.event = json->event, .arg = json->arg};
}

bool jsonpush_is_blank(const struct jsonpush *json)
{
	return !json->begun && !json->failed;
}

static int bad(const struct jsonpush *json, const struct input *in, const char *what,
	       struct err *err)
{
	return err_set(err, ERR_INVALID, "bad JSON at byte %llu: %s",
		       (unsigned long long)json->position + (size_t)(in->at - in->start), what);
}

static int emit(struct jsonpush *json, enum jsonpush_type type, struct err *err)
{
	struct jsonpush_event event = {.type = type, .bytes = ""};

	return json->event(json->arg, &event, err);
}

static int emit_text(struct jsonpush *json, const char *bytes, size_t length, bool last,
		     struct err *err)
{
	struct jsonpush_event event = {
		.type = json->in_key ? JSONPUSH_KEY : JSONPUSH_STRING,
		.bytes = bytes,
		.length = length,
		.last = last,
	};

	return json->event(json->arg, &event, err);
}

static void value_ends(struct jsonpush *json)
{
	json->state = json->depth > 0 ? WANT_COMMA_OR_END : DONE;
}

static int emit_value(struct jsonpush *json, enum jsonpush_type type, struct err *err)
{
	value_ends(json);
	return emit(json, type, err);
}

/*
 * The end of the run of ordinary ASCII at `at`: no quote, backslash, control character or byte of a
 * longer UTF-8 character. Eight bytes at a time; a byte test by subtraction may also hit a byte
 * above a true hit, which the byte loop then sorts out.
 */
static const char *plain_end(const char *at, const char *end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uint64_t word;

	for (; end - at >= 8; at += 8) {
		memcpy(&word, at, 8);
		uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
		uint64_t hit = (quote - ones) & ~quote;

		hit |= (slash - ones) & ~slash;
		hit |= (word - ones * 0x20) & ~word;
		if ((hit | word) & tops)
			break;
	}
	while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
	       *at != '\\')
		at++;
	return at;
}

/* The first byte of a character of two to four bytes (Unicode 15, table 3-7). */
static bool utf8_begin(struct jsonpush *json, unsigned char byte)
{
	if (byte < 0xc2 || byte > 0xf4)
		return false;
	json->utf8_left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	json->utf8_low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
	json->utf8_high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
	return true;
}

static bool utf8_next(struct jsonpush *json, unsigned char byte)
{
	if (byte < json->utf8_low || byte > json->utf8_high)
		return false;
	json->utf8_left--;
	json->utf8_low = 0x80;
	json->utf8_high = 0xbf;
	return true;
}

/* Up to the next byte that is not the string's own text. */
static int take_text(struct jsonpush *json, struct input *in, struct err *err)
{
	while (in->at < in->end) {
		unsigned char byte = (unsigned char)*in->at;

		if (json->utf8_left > 0 ? !utf8_next(json, byte)
					: byte >= 0x80 && !utf8_begin(json, byte))
			return bad(json, in, "a string is not UTF-8", err);
		if (byte >= 0x80) {
			in->at++;
			continue;
		}
		in->at = plain_end(in->at, in->end);
		if (in->at < in->end && (unsigned char)*in->at < 0x80)
			return 0;
	}
	return 0;
}

static int string_ends(struct jsonpush *json, const char *bytes, size_t length, struct err *err)
{
	json->token = TOKEN_NONE;
	if (json->in_key)
		json->state = WANT_COLON;
	else
		value_ends(json);
	return emit_text(json, bytes, length, true, err);
}

static int take_string(struct jsonpush *json, struct input *in, struct err *err)
{
	const char *from = in->at;

	if (take_text(json, in, err) < 0)
		return -1;
	size_t length = (size_t)(in->at - from);
	if (in->at < in->end && *in->at == '"') {
		in->at++;
		return string_ends(json, from, length, err);
	}
	if (length > 0 && emit_text(json, from, length, false, err) < 0)
		return -1;
	if (in->at == in->end)
		return 0;
	if (*in->at != '\\')
		return bad(json, in, "a control character in a string", err);
	in->at++;
	json->token = TOKEN_ESCAPE;
	return 0;
}

static int take_escape(struct jsonpush *json, struct input *in, struct err *err)
{
	static const char names[] = "\"\\/bfnrt", chars[] = "\"\\/\b\f\n\r\t";
	char c = *in->at;

	if (c == 'u') {
		in->at++;
		json->hex = json->hex_count = 0;
		json->token = TOKEN_HEX;
		return 0;
	}
	const char *name = c != '\0' ? strchr(names, c) : NULL;
	if (!name)
		return bad(json, in, "an unknown escape in a string", err);
	in->at++;
	json->token = TOKEN_STRING;
	return emit_text(json, &chars[name - names], 1, false, err);
}

static int emit_code(struct jsonpush *json, unsigned code, struct err *err)
{
	char out[4];
	size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = length - 1; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(first[length] | code);
	json->token = TOKEN_STRING;
	return emit_text(json, out, length, false, err);
}

/* Four digits are together: half of a pair, its other half, or a character of its own. */
static int take_code(struct jsonpush *json, const struct input *in, struct err *err)
{
	bool is_low = json->hex >= 0xdc00 && json->hex <= 0xdfff;
	unsigned high = json->high;

	if (is_low != (high != 0))
		return bad(json, in, "half of a surrogate pair", err);
	json->high = 0;
	if (high != 0)
		return emit_code(json, 0x10000 + ((high - 0xd800) << 10) + (json->hex - 0xdc00),
				 err);
	if (json->hex >= 0xd800 && json->hex <= 0xdbff) {
		json->high = json->hex;
		json->token = TOKEN_LOW;
		return 0;
	}
	return emit_code(json, json->hex, err);
}

static int take_hex(struct jsonpush *json, struct input *in, struct err *err)
{
	char c = *in->at;
	unsigned digit;

	if (c >= '0' && c <= '9')
		digit = (unsigned)(c - '0');
	else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		digit = (unsigned)((c | 0x20) - 'a') + 10;
	else
		return bad(json, in, "\\u needs four hexadecimal digits", err);
	in->at++;
	json->hex = json->hex << 4 | digit;
	return ++json->hex_count == 4 ? take_code(json, in, err) : 0;
}

static int take_low(struct jsonpush *json, struct input *in, struct err *err)
{
	bool slash = json->token == TOKEN_LOW;

	if (*in->at != (slash ? '\\' : 'u'))
		return bad(json, in, "half of a surrogate pair", err);
	in->at++;
	json->token = slash ? TOKEN_LOW_U : TOKEN_HEX;
	json->hex = json->hex_count = 0;
	return 0;
}

static size_t digits(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? (RFC 8259 section 6) */
static bool number_is_valid(const char *text, size_t length)
{
	size_t i = length > 0 && text[0] == '-' ? 1 : 0;
	size_t n = digits(text + i, length - i);

	if (n == 0 || (n > 1 && text[i] == '0'))
		return false;
	i += n;
	if (i < length && text[i] == '.') {
		i++;
		n = digits(text + i, length - i);
		if (n == 0)
			return false;
		i += n;
	}
	if (i < length && (text[i] == 'e' || text[i] == 'E')) {
		i++;
		if (i < length && (text[i] == '+' || text[i] == '-'))
			i++;
		n = digits(text + i, length - i);
		if (n == 0)
			return false;
		i += n;
	}
	return i == length;
}

static int number_ends(struct jsonpush *json, const struct input *in, struct err *err)
{
	struct jsonpush_event event = {
		.type = JSONPUSH_NUMBER, .bytes = json->text, .length = json->text_length};

	json->token = TOKEN_NONE;
	if (!number_is_valid(json->text, json->text_length))
		return bad(json, in, "not a number", err);
	value_ends(json);
	return json->event(json->arg, &event, err);
}

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static int take_number(struct jsonpush *json, struct input *in, struct err *err)
{
	for (; in->at < in->end && in_number(*in->at); in->at++) {
		if (json->text_length == sizeof(json->text))
			return bad(json, in, "a number is too long", err);
		json->text[json->text_length++] = *in->at;
	}
	return in->at < in->end ? number_ends(json, in, err) : 0;
}

static int take_word(struct jsonpush *json, struct input *in, struct err *err)
{
	if (*in->at != json->word[json->text_length])
		return bad(json, in, "not a value", err);
	in->at++;
	if (json->word[++json->text_length] != '\0')
		return 0;
	json->token = TOKEN_NONE;
	return emit_value(json,
			  json->word[0] == 't'   ? JSONPUSH_TRUE
			  : json->word[0] == 'f' ? JSONPUSH_FALSE
						 : JSONPUSH_NULL,
			  err);
}

static int container_begins(struct jsonpush *json, const struct input *in, bool object,
			    struct err *err)
{
	if (json->depth == JSONPUSH_DEPTH)
		return bad(json, in, "nested too deeply", err);
	json->depth++;
	json->objects = json->objects << 1 | (object ? 1 : 0);
	json->state = object ? WANT_KEY_OR_END : WANT_ITEM_OR_END;
	return emit(json, object ? JSONPUSH_OBJECT : JSONPUSH_ARRAY, err);
}

static int container_ends(struct jsonpush *json, const struct input *in, bool object,
			  struct err *err)
{
	if (json->depth == 0 || ((json->objects & 1) != 0) != object)
		return bad(json, in, "a bracket that closes nothing", err);
	json->depth--;
	json->objects >>= 1;
	return emit_value(json, object ? JSONPUSH_OBJECT_END : JSONPUSH_ARRAY_END, err);
}

static void string_begins(struct jsonpush *json, bool key)
{
	json->in_key = key;
	json->token = TOKEN_STRING;
}

static void text_begins(struct jsonpush *json, enum token token, const char *word)
{
	json->token = token;
	json->word = word;
	json->text_length = 0;
}

/* The first character of a value. Numbers and words keep it: they read it again as a token. */
static int value_begins(struct jsonpush *json, struct input *in, struct err *err)
{
	switch (*in->at) {
	case '{':
	case '[':
		in->at++;
		return container_begins(json, in, in->at[-1] == '{', err);
	case '"':
		in->at++;
		string_begins(json, false);
		return 0;
	case 't':
		text_begins(json, TOKEN_WORD, "true");
		return 0;
	case 'f':
		text_begins(json, TOKEN_WORD, "false");
		return 0;
	case 'n':
		text_begins(json, TOKEN_WORD, "null");
		return 0;
	default:
		if (*in->at != '-' && (*in->at < '0' || *in->at > '9'))
			return bad(json, in, "a value is missing", err);
		text_begins(json, TOKEN_NUMBER, NULL);
		return 0;
	}
}

static int key_begins(struct jsonpush *json, struct input *in, struct err *err)
{
	if (*in->at != '"')
		return bad(json, in, "a key is missing", err);
	in->at++;
	string_begins(json, true);
	return 0;
}

static int comma_or_end(struct jsonpush *json, struct input *in, struct err *err)
{
	char c = *in->at++;

	if (c == '}' || c == ']')
		return container_ends(json, in, c == '}', err);
	if (c != ',')
		return bad(json, in, "a comma or bracket is missing", err);
	json->state = json->objects & 1 ? WANT_KEY : WANT_VALUE;
	return 0;
}

static int colon(struct jsonpush *json, struct input *in, struct err *err)
{
	if (*in->at != ':')
		return bad(json, in, "a colon is missing", err);
	in->at++;
	json->state = WANT_VALUE;
	return 0;
}

/* Between tokens. */
static int take_structure(struct jsonpush *json, struct input *in, struct err *err)
{
	char c = *in->at;

	if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		in->at++;
		return 0;
	}
	json->begun = true;
	switch (json->state) {
	case WANT_VALUE:
		return value_begins(json, in, err);
	case WANT_ITEM_OR_END:
		return c == ']' ? comma_or_end(json, in, err) : value_begins(json, in, err);
	case WANT_KEY:
		return key_begins(json, in, err);
	case WANT_KEY_OR_END:
		return c == '}' ? comma_or_end(json, in, err) : key_begins(json, in, err);
	case WANT_COLON:
		return colon(json, in, err);
	case WANT_COMMA_OR_END:
		return comma_or_end(json, in, err);
	case DONE:
		break;
	}
	return bad(json, in, "text behind the value", err);
}

static int take_next(struct jsonpush *json, struct input *in, struct err *err)
{
	switch (json->token) {
	case TOKEN_NONE:
		return take_structure(json, in, err);
	case TOKEN_STRING:
		return take_string(json, in, err);
	case TOKEN_ESCAPE:
		return take_escape(json, in, err);
	case TOKEN_HEX:
		return take_hex(json, in, err);
	case TOKEN_LOW:
	case TOKEN_LOW_U:
		return take_low(json, in, err);
	case TOKEN_NUMBER:
		return take_number(json, in, err);
	case TOKEN_WORD:
		return take_word(json, in, err);
	}
	return -1;
}

int jsonpush_feed(struct jsonpush *json, const void *bytes, size_t length, struct err *err)
{
	struct input in = {.start = bytes, .at = bytes, .end = (const char *)bytes + length};

	if (json->failed)
		return err_set(err, ERR_INVALID, "bad JSON before byte %llu",
			       (unsigned long long)json->position);
	while (in.at < in.end) {
		if (take_next(json, &in, err) < 0) {
			json->failed = true;
			return -1;
		}
	}
	json->position += length;
	return 0;
}

int jsonpush_end(struct jsonpush *json, struct err *err)
{
	struct input in = {.start = "", .at = "", .end = ""};

	if (!json->failed && json->token == TOKEN_NUMBER && json->depth == 0 &&
	    number_ends(json, &in, err) < 0) {
		json->failed = true;
		return -1;
	}
	if (json->failed || json->state != DONE) {
		json->failed = true;
		return bad(json, &in, "the text ends too early", err);
	}
	return 0;
}
