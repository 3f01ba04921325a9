#include "space/card.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* The front matter inside of a README. */
struct matter {
	const char *text;
	size_t length;
};

/* The front matter starts in the README's second line; YAML's marks count from 0. */
enum { FIRST_LINE = 2 };

struct reader {
	yaml_parser_t parser;
	size_t nodes;
};

static void own_reader_done(struct reader *reader)
{
	yaml_parser_delete(&reader->parser);
}

static void own_event_done(yaml_event_t *event)
{
	yaml_event_delete(event);
}

/* A line that is "---" but for white space behind it? *next is where the following line starts. */
static bool is_fence(const char *at, const char *end, const char **next)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));
	const char *line_end = stop ? stop : end;

	*next = stop ? stop + 1 : end;
	if (line_end - at < 3 || memcmp(at, "---", 3) != 0)
		return false;
	for (at += 3; at < line_end; at++)
		if (*at != ' ' && *at != '\t' && *at != '\r')
			return false;
	return true;
}

/* Find the front matter; *found is false where the text has none. */
static int find_matter(const char *text, size_t length, struct matter *out, bool *found,
		       struct err *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors write a byte order mark */
	const char *end = text + length;
	const char *at = text;
	const char *start;
	const char *next;

	*found = false;
	if (length >= 3 && memcmp(text, mark, 3) == 0)
		at += 3;
	if (!is_fence(at, end, &start))
		return 0;
	for (at = start; at < end; at = next) {
		if (at - start > CARD_BYTES_MAX)
			return err_set(err, ERR_TOO_LARGE,
				       "the front matter of README.md is larger than %d KiB",
				       CARD_BYTES_MAX / 1024);
		if (is_fence(at, end, &next)) {
			*out = (struct matter){start, (size_t)(at - start)};
			*found = true;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID,
		       "the front matter of README.md starts in line 1 and has no closing ---");
}

static size_t line_of(const yaml_event_t *event)
{
	return event->start_mark.line + FIRST_LINE;
}

static int next_event(struct reader *reader, yaml_event_t *out, struct err *err)
{
	if (!yaml_parser_parse(&reader->parser, out))
		return err_set(err, ERR_INVALID, "README.md line %zu: %s",
			       reader->parser.problem_mark.line + FIRST_LINE,
			       reader->parser.problem ? reader->parser.problem : "no valid YAML");
	if (out->type != YAML_ALIAS_EVENT && ++reader->nodes <= CARD_NODES_MAX)
		return 0;
	if (out->type == YAML_ALIAS_EVENT)
		err_set(err, ERR_INVALID, "README.md line %zu: aliases (*%.40s) are not accepted",
			line_of(out), (const char *)out->data.alias.anchor);
	else
		err_set(err, ERR_TOO_LARGE, "the front matter of README.md has more than %d nodes",
			CARD_NODES_MAX);
	yaml_event_delete(out);
	return -1;
}

/* A number by YAML's core schema (YAML 1.2.2, section 10.3.2); NULL if the text is none. */
static json_t *number(const char *text)
{
	const char *at = text + (*text == '-' || *text == '+');
	char *end = NULL;
	long long whole;
	double real;

	if (!isdigit((unsigned char)*at) && *at != '.')
		return NULL; /* strtod() knows "inf", "nan" and hexadecimal, too */
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
		return NULL;
	errno = 0;
	whole = strtoll(text, &end, 10);
	if (*end == '\0' && errno == 0)
		return json_integer(whole);
	real = strtod(text, &end);
	if (*end != '\0' || end == text || !isfinite(real))
		return NULL;
	return json_real(real);
}

/* The value of a plain scalar by YAML's core schema; NULL if it is text. */
static json_t *plain(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	static const char *const trues[] = {"true", "True", "TRUE"};
	static const char *const falses[] = {"false", "False", "FALSE"};

	for (size_t i = 0; i < sizeof(nulls) / sizeof(*nulls); i++)
		if (strcmp(text, nulls[i]) == 0)
			return json_null();
	for (size_t i = 0; i < sizeof(trues) / sizeof(*trues); i++)
		if (strcmp(text, trues[i]) == 0)
			return json_true();
	for (size_t i = 0; i < sizeof(falses) / sizeof(*falses); i++)
		if (strcmp(text, falses[i]) == 0)
			return json_false();
	return number(text);
}

/* `as_text` keeps a plain scalar as it is written. */
static int scalar(const yaml_event_t *event, bool as_text, json_t **out, struct err *err)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	json_t *value = NULL;

	if (strlen(text) != length)
		return err_set(err, ERR_INVALID, "README.md line %zu: a NUL character",
			       line_of(event));
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !as_text)
		value = plain(text);
	if (!value)
		value = json_stringn(text, length);
	if (!value)
		return err_set(err, ERR_INVALID, "README.md line %zu: no valid UTF-8",
			       line_of(event));
	*out = value;
	return 0;
}

static int node(struct reader *reader, const yaml_event_t *event, unsigned depth, json_t **out,
		struct err *err);

static int sequence(struct reader *reader, unsigned depth, json_t **out, struct err *err)
{
	owned(json_decref) json_t *array = json_array();

	for (;;) {
		owned(event_done) yaml_event_t event = {0};
		json_t *value = NULL;

		if (next_event(reader, &event, err) < 0)
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (node(reader, &event, depth, &value, err) < 0)
			return -1;
		json_array_append_new(array, value);
	}
	*out = take(array);
	return 0;
}

/* Versions stay text: 4.10 as a number would become 4.1. */
static bool is_version(const char *key, unsigned depth)
{
	return depth == 1 &&
	       (strcmp(key, "sdk_version") == 0 || strcmp(key, "python_version") == 0);
}

static int mapping_value(struct reader *reader, const char *key, unsigned depth, json_t **out,
			 struct err *err)
{
	owned(event_done) yaml_event_t event = {0};

	if (next_event(reader, &event, err) < 0)
		return -1;
	if (event.type == YAML_SCALAR_EVENT && is_version(key, depth))
		return scalar(&event, event.data.scalar.length > 0, out, err);
	return node(reader, &event, depth, out, err);
}

static int mapping(struct reader *reader, unsigned depth, json_t **out, struct err *err)
{
	owned(json_decref) json_t *object = json_object();

	for (;;) {
		owned(event_done) yaml_event_t event = {0};
		owned(json_decref) json_t *key = NULL;
		json_t *value = NULL;

		if (next_event(reader, &event, err) < 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		if (event.type != YAML_SCALAR_EVENT)
			return err_set(err, ERR_INVALID,
				       "README.md line %zu: a key that is no text",
				       line_of(&event));
		if (scalar(&event, true, &key, err) < 0)
			return -1;
		if (json_object_get(object, json_string_value(key)))
			return err_set(err, ERR_INVALID, "README.md line %zu: %.60s stands twice",
				       line_of(&event), json_string_value(key));
		if (mapping_value(reader, json_string_value(key), depth, &value, err) < 0)
			return -1;
		json_object_set_new(object, json_string_value(key), value);
	}
	*out = take(object);
	return 0;
}

static int node(struct reader *reader, const yaml_event_t *event, unsigned depth, json_t **out,
		struct err *err)
{
	if (event->type == YAML_SCALAR_EVENT)
		return scalar(event, false, out, err);
	if (depth >= CARD_DEPTH_MAX)
		return err_set(err, ERR_INVALID, "README.md line %zu: nested deeper than %d levels",
			       line_of(event), CARD_DEPTH_MAX);
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return sequence(reader, depth + 1, out, err);
	if (event->type == YAML_MAPPING_START_EVENT)
		return mapping(reader, depth + 1, out, err);
	return err_set(err, ERR_INVALID, "README.md line %zu: no valid YAML", line_of(event));
}

/* Read up to the first event of the document; *empty where it has none. */
static int first_event(struct reader *reader, yaml_event_t *out, bool *empty, struct err *err)
{
	*empty = false;
	for (;;) {
		if (next_event(reader, out, err) < 0)
			return -1;
		if (out->type == YAML_STREAM_END_EVENT)
			*empty = true;
		if (out->type != YAML_STREAM_START_EVENT && out->type != YAML_DOCUMENT_START_EVENT)
			return 0;
		yaml_event_delete(out);
		*out = (yaml_event_t){0};
	}
}

/* The front matter as one JSON object. */
static int read_matter(struct matter matter, json_t **out, struct err *err)
{
	owned(reader_done) struct reader reader = {0};
	owned(event_done) yaml_event_t event = {0};
	owned(json_decref) json_t *data = NULL;
	bool empty;

	if (!yaml_parser_initialize(&reader.parser))
		abort(); /* out of memory, as everywhere */
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)matter.text,
				     matter.length);
	if (first_event(&reader, &event, &empty, err) < 0)
		return -1;
	if (empty)
		data = json_object();
	else if (node(&reader, &event, 0, &data, err) < 0)
		return -1;
	if (json_is_null(data)) {
		json_decref(data);
		data = json_object();
	}
	if (!json_is_object(data))
		return err_set(err, ERR_INVALID,
			       "the front matter of README.md must be a list of key: value");
	*out = take(data);
	return 0;
}

static int get_word(const json_t *data, const char *key, char *out, size_t room, struct err *err)
{
	const char *text = NULL;
	size_t length;

	if (json_get_text(data, key, &text, err) < 0)
		return err_in(err, "README.md");
	if (!text)
		return 0;
	length = strlen(text);
	if (length >= room)
		return err_set(err, ERR_INVALID, "README.md: %s is longer than %zu characters", key,
			       room - 1);
	memcpy(out, text, length + 1);
	return 0;
}

static int get_port(const json_t *data, uint16_t *out, struct err *err)
{
	const int64_t unstated = INT64_MIN;
	int64_t port = unstated;

	if (json_get_int(data, "app_port", &port, err) < 0)
		return err_in(err, "README.md");
	if (port == unstated)
		return 0;
	if (port < 1 || port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "README.md: app_port must be from 1 to 65535");
	*out = (uint16_t)port;
	return 0;
}

/* "30m", "1h", "90s", or a number of seconds. */
static int get_startup(const json_t *data, int64_t *out, struct err *err)
{
	static const char key[] = "startup_duration_timeout";
	const json_t *value = json_object_get(data, key);
	long long count;
	long long unit = 1;
	char *end = NULL;

	if (!value || json_is_null(value))
		return 0;
	if (json_is_integer(value)) {
		count = json_integer_value(value);
	} else if (json_is_string(value)) {
		count = strtoll(json_string_value(value), &end, 10);
		if (strcmp(end, "h") == 0)
			unit = 3600;
		else if (strcmp(end, "m") == 0 || strcmp(end, "min") == 0)
			unit = 60;
		else if (strcmp(end, "s") != 0)
			count = 0;
	} else {
		count = 0;
	}
	if (count < 1 || count > CARD_STARTUP_MAX_S / unit)
		return err_set(err, ERR_INVALID,
			       "README.md: %s must be a time such as 30m or 1h, at most 24h", key);
	*out = count * unit;
	return 0;
}

static int get_egress(const json_t *data, bool *closed, struct err *err)
{
	const char *text = NULL;

	if (json_get_text(data, "espace_egress", &text, err) < 0)
		return err_in(err, "README.md");
	*closed = text && strcmp(text, "none") == 0;
	if (text && !*closed && strcmp(text, "default") != 0)
		return err_set(err, ERR_INVALID,
			       "README.md: espace_egress must be none or default");
	return 0;
}

static int get_fields(struct card *card, struct err *err)
{
	const json_t *data = card->data;

	if (get_word(data, "sdk", card->sdk, sizeof(card->sdk), err) < 0 ||
	    get_word(data, "sdk_version", card->sdk_version, sizeof(card->sdk_version), err) < 0 ||
	    get_word(data, "python_version", card->python_version, sizeof(card->python_version),
		     err) < 0 ||
	    get_word(data, "app_file", card->app_file, sizeof(card->app_file), err) < 0 ||
	    get_word(data, "title", card->title, sizeof(card->title), err) < 0 ||
	    get_word(data, "suggested_hardware", card->suggested_hardware,
		     sizeof(card->suggested_hardware), err) < 0 ||
	    get_port(data, &card->app_port, err) < 0 ||
	    get_startup(data, &card->startup_s, err) < 0 ||
	    get_egress(data, &card->closed, err) < 0)
		return -1;
	if (json_get_bool(data, "hf_oauth", &card->hf_oauth, err) < 0)
		return err_in(err, "README.md");
	if (!name_path_is_valid(card->app_file))
		return err_set(err, ERR_INVALID,
			       "README.md: app_file must be a path inside of the repository");
	return 0;
}

int card_data(const char *text, size_t length, json_t **out, struct err *err)
{
	struct matter matter = {0};
	bool found;

	if (find_matter(text, length, &matter, &found, err) < 0)
		return -1;
	if (found)
		return read_matter(matter, out, err);
	*out = json_object();
	return 0;
}

int card_parse(const char *text, size_t length, struct card *out, struct err *err)
{
	owned(card_done) struct card card = CARD_INIT;

	card.startup_s = CARD_STARTUP_DEFAULT_S;
	memcpy(card.app_file, "app.py", sizeof("app.py"));
	if (card_data(text, length, &card.data, err) < 0)
		return -1;
	if (get_fields(&card, err) < 0)
		return -1;
	*out = card;
	card.data = NULL;
	return 0;
}

void card_done(struct card *card)
{
	json_decref(card->data);
	card->data = NULL;
}

bool card_sdk_is_known(const char *sdk)
{
	static const char *const sdks[] = {"gradio", "streamlit", "docker", "static"};

	for (size_t i = 0; i < sizeof(sdks) / sizeof(*sdks); i++)
		if (strcmp(sdk, sdks[i]) == 0)
			return true;
	return false;
}

uint16_t card_port(const char *sdk)
{
	return strcmp(sdk, "streamlit") == 0 ? CARD_PORT_STREAMLIT : CARD_PORT_DEFAULT;
}
