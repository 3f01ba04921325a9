#include "api/ndjson.h"

#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/jsonpush.h"
#include "base/mem.h"
#include "base/str.h"

/* The members that mean something to us, those of the line first. */
enum field {
	FIELD_KEY,
	FIELD_VALUE,
	FIELD_SUMMARY,
	FIELD_DESCRIPTION,
	FIELD_PARENT,
	FIELD_PATH,
	FIELD_OLD_PATH,
	FIELD_CONTENT,
	FIELD_ENCODING,
	FIELD_OID,
	FIELD_ALGO,
	FIELD_SIZE,
	FIELD_COUNT,
	FIELD_UNKNOWN = FIELD_COUNT,
};

static const char *const field_names[FIELD_COUNT] = {
	[FIELD_KEY] = "key",
	[FIELD_VALUE] = "value",
	[FIELD_SUMMARY] = "summary",
	[FIELD_DESCRIPTION] = "description",
	[FIELD_PARENT] = "parentCommit",
	[FIELD_PATH] = "path",
	[FIELD_OLD_PATH] = "oldPath",
	[FIELD_CONTENT] = "content",
	[FIELD_ENCODING] = "encoding",
	[FIELD_OID] = "oid",
	[FIELD_ALGO] = "algo",
	[FIELD_SIZE] = "size",
};

#define BIT(field) (1U << (field))

/* How much base64 is decoded at a time. */
enum { CHUNK = 32 << 10 };

/* Longest name of a member that we know, with room to show one that we don't. */
enum { NAME_LENGTH_MAX = 64 };

enum content {
	CONTENT_HELD,   /* in `held`: what to do with it is not known yet */
	CONTENT_BASE64, /* goes to the callbacks */
	CONTENT_UTF8,
};

struct kind {
	const char *name;
	unsigned needs;
	bool is_operation;
	int (*end)(struct ndjson *ndjson, struct err *err);
};

struct ndjson {
	const struct ndjson_ops *ops;
	void *arg;
	struct jsonpush *json;
	unsigned line;
	unsigned operations;
	bool header_seen;

	/* Of the current line. */
	const struct kind *kind; /* NULL until its key is known */
	unsigned depth;
	enum field field;
	unsigned seen;  /* fields whose name came */
	unsigned given; /* fields with a value that isn't null */
	size_t field_bytes;
	struct str name; /* of the current member */
	struct str texts[FIELD_COUNT];
	enum content content;
	struct str held;
	struct base64_reader base64;
	unsigned char decoded[BASE64_ROOM(CHUNK)];
};

static jsonpush_fn on_event;

struct ndjson *ndjson_new(const struct ndjson_ops *ops, void *arg)
{
	struct ndjson *ndjson = mem_new(struct ndjson);

	ndjson->ops = ops;
	ndjson->arg = arg;
	ndjson->json = jsonpush_new(on_event, ndjson);
	ndjson->line = 1;
	ndjson->field = FIELD_UNKNOWN;
	ndjson->name = str_new(NAME_LENGTH_MAX);
	ndjson->held = str_new(NDJSON_HELD_MAX);
	for (int i = 0; i < FIELD_COUNT; i++)
		ndjson->texts[i] = str_new(NDJSON_FIELDS_MAX);
	return ndjson;
}

void ndjson_free(struct ndjson *ndjson)
{
	if (!ndjson)
		return;
	for (int i = 0; i < FIELD_COUNT; i++)
		str_done(&ndjson->texts[i]);
	str_done(&ndjson->held);
	str_done(&ndjson->name);
	jsonpush_free(ndjson->json);
	free(ndjson);
}

static void line_reset(struct ndjson *ndjson)
{
	jsonpush_reset(ndjson->json);
	ndjson->kind = NULL;
	ndjson->depth = 0;
	ndjson->field = FIELD_UNKNOWN;
	ndjson->seen = ndjson->given = 0;
	ndjson->field_bytes = 0;
	for (int i = 0; i < FIELD_COUNT; i++)
		str_clear(&ndjson->texts[i]);
	ndjson->content = CONTENT_HELD;
	str_clear(&ndjson->held);
	ndjson->base64 = BASE64_READER_INIT;
}

static const char *text_of(const struct ndjson *ndjson, enum field field)
{
	return ndjson->texts[field].data;
}

static bool is_given(const struct ndjson *ndjson, enum field field)
{
	return (ndjson->given & BIT(field)) != 0;
}

/* Text from outside, fit for a message of one line. */
static const char *shown(struct str *text)
{
	for (size_t i = 0; i < text->length; i++) {
		if (text->data[i] < 0x20 || text->data[i] > 0x7e)
			text->data[i] = '?';
	}
	return text->data;
}

/* What a header or an operation must not be preceded by. */
static int check_order(struct ndjson *ndjson, struct err *err)
{
	if (ndjson->kind->is_operation != ndjson->header_seen)
		return err_set(err, ERR_INVALID,
			       ndjson->header_seen ? "a second header"
						   : "the first line must be the header");
	if (ndjson->kind->is_operation && ndjson->operations == NDJSON_OPERATIONS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d operations in one commit",
			       NDJSON_OPERATIONS_MAX);
	return 0;
}

/* Content */

static int base64_data(struct ndjson *ndjson, const char *text, size_t length, struct err *err)
{
	while (length > 0) {
		size_t now = length < CHUNK ? length : CHUNK, decoded;

		if (base64_read(&ndjson->base64, text, now, ndjson->decoded, &decoded, err) < 0)
			return err_in(err, "content");
		if (decoded > 0 &&
		    ndjson->ops->file_data(ndjson->arg, ndjson->decoded, decoded, err) < 0)
			return -1;
		text += now;
		length -= now;
	}
	return 0;
}

static int content_data(struct ndjson *ndjson, const char *text, size_t length, struct err *err)
{
	if (length == 0)
		return 0;
	if (ndjson->content == CONTENT_BASE64)
		return base64_data(ndjson, text, length, err);
	return ndjson->ops->file_data(ndjson->arg, text, length, err);
}

/* Open the file and pass on what was held. */
static int content_begin(struct ndjson *ndjson, enum content content, struct err *err)
{
	if (check_order(ndjson, err) < 0 || ndjson->ops->file_open(ndjson->arg, err) < 0)
		return -1;
	ndjson->content = content;
	return content_data(ndjson, ndjson->held.data, ndjson->held.length, err);
}

static int encoding_get(const struct ndjson *ndjson, enum content *out, struct err *err)
{
	const char *name = text_of(ndjson, FIELD_ENCODING);

	if (strcmp(name, "base64") == 0)
		*out = CONTENT_BASE64;
	else if (strcmp(name, "utf-8") == 0)
		*out = CONTENT_UTF8;
	else
		return err_set(err, ERR_INVALID, "encoding must be base64 or utf-8");
	return 0;
}

static const struct kind kind_file;

static int content_piece(struct ndjson *ndjson, const char *text, size_t length, struct err *err)
{
	enum content content = CONTENT_BASE64;
	bool fits = length <= NDJSON_HELD_MAX - ndjson->held.length;

	if (ndjson->content != CONTENT_HELD)
		return content_data(ndjson, text, length, err);
	if (ndjson->kind && ndjson->kind != &kind_file)
		return 0; /* means nothing there */
	if (fits && !(ndjson->kind && is_given(ndjson, FIELD_ENCODING))) {
		str_add_n(&ndjson->held, text, length);
		return 0;
	}
	if (!ndjson->kind)
		return err_set(err, ERR_INVALID,
			       "\"key\" must come before a content of more than %d bytes",
			       NDJSON_HELD_MAX);
	if (is_given(ndjson, FIELD_ENCODING) && encoding_get(ndjson, &content, err) < 0)
		return -1;
	if (content_begin(ndjson, content, err) < 0)
		return -1;
	return content_data(ndjson, text, length, err);
}

/* Ends of lines, by kind */

static int end_header(struct ndjson *ndjson, struct err *err)
{
	struct ndjson_header header = {
		.summary = text_of(ndjson, FIELD_SUMMARY),
		.description = text_of(ndjson, FIELD_DESCRIPTION),
		.parent = is_given(ndjson, FIELD_PARENT) ? text_of(ndjson, FIELD_PARENT) : NULL,
	};

	if (ndjson->texts[FIELD_SUMMARY].length > NDJSON_SUMMARY_MAX)
		return err_set(err, ERR_TOO_LARGE, "the summary is longer than %d bytes",
			       NDJSON_SUMMARY_MAX);
	ndjson->header_seen = true;
	return ndjson->ops->header(ndjson->arg, &header, err);
}

/* The file had another name before: that one goes. */
static int end_old_path(struct ndjson *ndjson, struct err *err)
{
	const char *old = text_of(ndjson, FIELD_OLD_PATH);

	if (!is_given(ndjson, FIELD_OLD_PATH) || strcmp(old, text_of(ndjson, FIELD_PATH)) == 0)
		return 0;
	return ndjson->ops->deleted_file(ndjson->arg, old, err);
}

static int end_file(struct ndjson *ndjson, struct err *err)
{
	enum content content = CONTENT_HELD;

	if (encoding_get(ndjson, &content, err) < 0)
		return -1;
	if (ndjson->content == CONTENT_HELD && content_begin(ndjson, content, err) < 0)
		return -1;
	if (ndjson->content != content)
		return err_set(err, ERR_INVALID,
			       "\"encoding\" must come before a content of more than %d bytes that "
			       "is not base64",
			       NDJSON_HELD_MAX);
	if (content == CONTENT_BASE64 && base64_end(&ndjson->base64, err) < 0)
		return err_in(err, "content");
	if (end_old_path(ndjson, err) < 0)
		return -1;
	return ndjson->ops->file_close(ndjson->arg, text_of(ndjson, FIELD_PATH), err);
}

static int end_deleted_file(struct ndjson *ndjson, struct err *err)
{
	return ndjson->ops->deleted_file(ndjson->arg, text_of(ndjson, FIELD_PATH), err);
}

static int end_deleted_folder(struct ndjson *ndjson, struct err *err)
{
	return ndjson->ops->deleted_folder(ndjson->arg, text_of(ndjson, FIELD_PATH), err);
}

/* A whole number of at most 18 digits: it fits. -1 where it is anything else. */
static int64_t size_parse(const struct str *text)
{
	int64_t size = 0;

	if (text->length == 0 || text->length > 18)
		return -1;
	for (size_t i = 0; i < text->length; i++) {
		if (text->data[i] < '0' || text->data[i] > '9')
			return -1;
		size = size * 10 + (text->data[i] - '0');
	}
	return size;
}

static int end_lfs_file(struct ndjson *ndjson, struct err *err)
{
	const struct str *oid = &ndjson->texts[FIELD_OID];
	int64_t size = -1;

	if (is_given(ndjson, FIELD_ALGO) && strcmp(text_of(ndjson, FIELD_ALGO), "sha256") != 0)
		return err_set(err, ERR_INVALID, "algo must be sha256");
	if (oid->length != HASH_HEX - 1 || !hex_is(oid->data, HASH_HEX - 1))
		return err_set(err, ERR_INVALID, "oid must be 64 hexadecimal digits");
	if (is_given(ndjson, FIELD_SIZE)) {
		size = size_parse(&ndjson->texts[FIELD_SIZE]);
		if (size < 0)
			return err_set(err, ERR_INVALID, "size must be a number of bytes");
	}
	return ndjson->ops->lfs_file(ndjson->arg, text_of(ndjson, FIELD_PATH), oid->data, size,
				     err);
}

static const struct kind kind_header = {"header", 0, false, end_header};
static const struct kind kind_file = {
	"file", BIT(FIELD_PATH) | BIT(FIELD_CONTENT) | BIT(FIELD_ENCODING), true, end_file};
static const struct kind kind_deleted_file = {"deletedFile", BIT(FIELD_PATH), true,
					      end_deleted_file};
static const struct kind kind_deleted_folder = {"deletedFolder", BIT(FIELD_PATH), true,
						end_deleted_folder};
static const struct kind kind_lfs_file = {"lfsFile", BIT(FIELD_PATH) | BIT(FIELD_OID), true,
					  end_lfs_file};

static const struct kind *const kinds[] = {&kind_header, &kind_file, &kind_deleted_file,
					   &kind_deleted_folder, &kind_lfs_file};

static int kind_find(struct ndjson *ndjson, struct err *err)
{
	struct str *name = &ndjson->texts[FIELD_KEY];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name->data, kinds[i]->name) == 0) {
			ndjson->kind = kinds[i];
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "unknown key \"%.64s\"", shown(name));
}

static int line_end(struct ndjson *ndjson, struct err *err)
{
	if (jsonpush_end(ndjson->json, err) < 0)
		return -1;
	if (!ndjson->kind || !is_given(ndjson, FIELD_VALUE))
		return err_set(err, ERR_INVALID, "\"key\" or \"value\" is missing");
	for (int i = 0; i < FIELD_COUNT; i++) {
		if ((ndjson->kind->needs & BIT(i)) != 0 && !is_given(ndjson, i))
			return err_set(err, ERR_INVALID, "%s needs \"%s\"", ndjson->kind->name,
				       field_names[i]);
	}
	if (check_order(ndjson, err) < 0 || ndjson->kind->end(ndjson, err) < 0)
		return -1;
	if (ndjson->kind->is_operation)
		ndjson->operations++;
	return 0;
}

/* Events of a line */

static int count_bytes(struct ndjson *ndjson, size_t length, struct err *err)
{
	if (length > NDJSON_FIELDS_MAX - ndjson->field_bytes)
		return err_set(err, ERR_TOO_LARGE, "more than %d bytes beside the content",
			       NDJSON_FIELDS_MAX);
	ndjson->field_bytes += length;
	return 0;
}

static enum field field_find(const struct str *name, unsigned depth)
{
	int from = depth == 1 ? 0 : FIELD_VALUE + 1;
	int to = depth == 1 ? FIELD_VALUE : FIELD_COUNT - 1;

	for (int i = from; i <= to; i++) {
		if (!name->failed && strlen(field_names[i]) == name->length &&
		    memcmp(name->data, field_names[i], name->length) == 0)
			return (enum field)i;
	}
	return FIELD_UNKNOWN;
}

static int on_key(struct ndjson *ndjson, const struct jsonpush_event *event, struct err *err)
{
	if (count_bytes(ndjson, event->length, err) < 0)
		return -1;
	if (ndjson->depth > 2)
		return 0;
	str_add_n(&ndjson->name, event->bytes, event->length);
	if (!event->last)
		return 0;
	ndjson->field = field_find(&ndjson->name, ndjson->depth);
	if (ndjson->field == FIELD_UNKNOWN && ndjson->depth == 1)
		return err_set(err, ERR_INVALID, "unknown member \"%s\"", shown(&ndjson->name));
	str_clear(&ndjson->name);
	if (ndjson->field == FIELD_UNKNOWN)
		return 0;
	if (ndjson->seen & BIT(ndjson->field))
		return err_set(err, ERR_INVALID, "\"%s\" comes twice", field_names[ndjson->field]);
	ndjson->seen |= BIT(ndjson->field);
	return 0;
}

/* Where a known member holds something of another type. */
static int wrong_type(const struct ndjson *ndjson, struct err *err)
{
	if (ndjson->depth == 0)
		return err_set(err, ERR_INVALID, "a line must be an object");
	return err_set(err, ERR_INVALID, "\"%s\" must be %s", field_names[ndjson->field],
		       ndjson->field == FIELD_VALUE  ? "an object"
		       : ndjson->field == FIELD_SIZE ? "a number"
						     : "a string");
}

/* Inside of something that we don't look at. */
static bool is_skipped(const struct ndjson *ndjson)
{
	return ndjson->depth > 2 || (ndjson->depth == 2 && ndjson->field == FIELD_UNKNOWN);
}

static int on_string(struct ndjson *ndjson, const struct jsonpush_event *event, struct err *err)
{
	enum field field = ndjson->field;

	if (ndjson->depth > 0 && !is_skipped(ndjson) && field == FIELD_CONTENT) {
		if (event->last)
			ndjson->given |= BIT(field);
		return content_piece(ndjson, event->bytes, event->length, err);
	}
	if (count_bytes(ndjson, event->length, err) < 0)
		return -1;
	if (is_skipped(ndjson))
		return 0;
	if (ndjson->depth == 0 || field == FIELD_VALUE || field == FIELD_SIZE)
		return wrong_type(ndjson, err);
	if (memchr(event->bytes, '\0', event->length))
		return err_set(err, ERR_INVALID, "\"%s\" holds a NUL", field_names[field]);
	str_add_n(&ndjson->texts[field], event->bytes, event->length);
	if (!event->last)
		return 0;
	ndjson->given |= BIT(field);
	return field == FIELD_KEY ? kind_find(ndjson, err) : 0;
}

static int on_open(struct ndjson *ndjson, bool object, struct err *err)
{
	bool right = ndjson->depth == 0 || (ndjson->depth == 1 && ndjson->field == FIELD_VALUE);

	if (!is_skipped(ndjson) && !(right && object))
		return wrong_type(ndjson, err);
	if (ndjson->depth == 1)
		ndjson->given |= BIT(FIELD_VALUE);
	ndjson->depth++;
	if (ndjson->depth <= 2)
		ndjson->field = FIELD_UNKNOWN;
	return 0;
}

static int on_scalar(struct ndjson *ndjson, const struct jsonpush_event *event, struct err *err)
{
	if (is_skipped(ndjson))
		return 0;
	if (ndjson->depth > 0 && event->type == JSONPUSH_NULL)
		return 0; /* as if it were not there */
	if (ndjson->depth == 0 || event->type != JSONPUSH_NUMBER || ndjson->field != FIELD_SIZE)
		return wrong_type(ndjson, err);
	str_add_n(&ndjson->texts[FIELD_SIZE], event->bytes, event->length);
	ndjson->given |= BIT(FIELD_SIZE);
	return 0;
}

static int on_event(void *arg, const struct jsonpush_event *event, struct err *err)
{
	struct ndjson *ndjson = arg;

	switch (event->type) {
	case JSONPUSH_KEY:
		return on_key(ndjson, event, err);
	case JSONPUSH_STRING:
		return on_string(ndjson, event, err);
	case JSONPUSH_OBJECT:
	case JSONPUSH_ARRAY:
		return on_open(ndjson, event->type == JSONPUSH_OBJECT, err);
	case JSONPUSH_OBJECT_END:
	case JSONPUSH_ARRAY_END:
		ndjson->depth--;
		return 0;
	default:
		return on_scalar(ndjson, event, err);
	}
}

/* Lines */

static int line_piece(struct ndjson *ndjson, const char *text, size_t length, bool ends,
		      struct err *err)
{
	if (jsonpush_feed(ndjson->json, text, length, err) < 0)
		return err_in(err, "line %u", ndjson->line);
	if (!ends)
		return 0;
	if (!jsonpush_is_blank(ndjson->json) && line_end(ndjson, err) < 0)
		return err_in(err, "line %u", ndjson->line);
	line_reset(ndjson);
	ndjson->line++;
	return 0;
}

int ndjson_feed(struct ndjson *ndjson, const void *bytes, size_t length, struct err *err)
{
	const char *at = bytes, *end = at + length;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		if (line_piece(ndjson, at, (size_t)(stop - at), newline != NULL, err) < 0)
			return -1;
		at = newline ? newline + 1 : end;
	}
	return 0;
}

int ndjson_end(struct ndjson *ndjson, struct err *err)
{
	if (line_piece(ndjson, "", 0, true, err) < 0)
		return -1;
	if (!ndjson->header_seen)
		return err_set(err, ERR_INVALID, "the commit has no header");
	if (ndjson->operations == 0)
		return err_set(err, ERR_INVALID, "the commit is empty");
	return 0;
}
