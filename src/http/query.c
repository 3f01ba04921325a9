#include "http/query.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "http/http.h"
#include "http/utf8.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool http_decode(char *text, bool plus)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '%') {
			int high = hex_value(from[1]);
			int low = high < 0 ? -1 : hex_value(from[2]);

			if (low < 0 || high + low == 0)
				return false;
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = (char)(plus && *from == '+' ? ' ' : *from);
		}
	}
	*to = '\0';
	return true;
}

static bool decode_text(char *text)
{
	return http_decode(text, true) && utf8_is_valid(text, strlen(text));
}

static void drop_brackets(char *name)
{
	size_t length = strlen(name);

	if (length > 2 && !strcmp(name + length - 2, "[]"))
		name[length - 2] = '\0';
}

/* One field between two ampersands, in place. */
static int parse_field(char *text, struct query *query, struct err *err)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	else
		value = text + strlen(text);
	if (!decode_text(text) || !decode_text(value))
		return err_set(err, ERR_INVALID, "a field of the query is not properly encoded");
	drop_brackets(text);
	query->fields[query->count++] = (struct query_field){.name = text, .value = value};
	return 0;
}

static size_t count_fields(const char *text)
{
	size_t count = 1;

	while ((text = strchr(text, '&'))) {
		count++;
		text++;
	}
	return count;
}

int query_parse(const char *text, size_t length, size_t field_max, struct query *out,
		struct err *err)
{
	owned(query_done) struct query query = QUERY_INIT;
	char *rest, *field;
	size_t room;

	if (memchr(text, '\0', length))
		return err_set(err, ERR_INVALID, "the query holds a NUL byte");
	query.text = mem_text_n(text, length);
	room = count_fields(query.text);
	if (room > field_max)
		return err_set(err, ERR_TOO_LARGE, "the query has more than %zu fields", field_max);
	query.fields = mem_array(room, sizeof(*query.fields));
	rest = query.text;
	while ((field = strsep(&rest, "&")))
		if (*field && parse_field(field, &query, err) < 0)
			return -1;
	*out = query;
	query = QUERY_INIT;
	return 0;
}

void query_done(struct query *query)
{
	free(query->fields);
	free(query->text);
	*query = QUERY_INIT;
}

const char *query_first(const struct query *query, const char *name)
{
	const char *value = NULL;

	return query_all(query, name, &value, 1) ? value : NULL;
}

size_t query_all(const struct query *query, const char *name, const char **out, size_t max)
{
	size_t found = 0;

	for (size_t i = 0; i < query->count && found < max; i++)
		if (!strcmp(query->fields[i].name, name))
			out[found++] = query->fields[i].value;
	return found;
}
