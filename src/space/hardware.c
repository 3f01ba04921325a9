#include "space/hardware.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define GIB (INT64_C(1) << 30)

enum { KNOWN_TEXT_MAX = 4096 };

struct hardware {
	size_t count;
	struct hardware_flavor flavors[HARDWARE_FLAVORS_MAX];
};

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_BOOL, FIELD_ACCELERATOR, FIELD_CARDS };

/* A key of the file, and where its value belongs. */
struct field {
	const char *name;
	enum field_type type;
	bool needed;
	size_t offset;
	size_t room;        /* of a text */
	double least, most; /* of a number */
	double unit;        /* what a number is multiplied by */
};

#define AT(member) offsetof(struct hardware_flavor, member)

static const struct field flavor_fields[] = {
	{"name", FIELD_TEXT, true, AT(name), HARDWARE_NAME_ROOM, 0, 0, 0},
	{"title", FIELD_TEXT, true, AT(title), HARDWARE_TITLE_ROOM, 0, 0, 0},
	{"cpu", FIELD_NUMBER, true, AT(cpu_milli), 0, 0.1, 1024, 1000},
	{"memory", FIELD_NUMBER, true, AT(memory_bytes), 0, 0.0625, 65536, (double)GIB},
	{"disk", FIELD_NUMBER, false, AT(disk_bytes), 0, 1, 10240, (double)GIB},
	{"pids", FIELD_NUMBER, false, AT(pids), 0, 32, 65536, 1},
	{"price", FIELD_NUMBER, false, AT(micro_usd), 0, 0, 10000, 1e6 / 60},
	{"simulated", FIELD_BOOL, false, AT(simulated), 0, 0, 0, 0},
	{"accelerator", FIELD_ACCELERATOR, false, 0, 0, 0, 0, 0},
	{"count", FIELD_NUMBER, false, AT(count), 0, 1, HARDWARE_COUNT_MAX, 1},
	{"cards", FIELD_CARDS, false, 0, 0, 0, 0, 0},
	{0},
};

static const struct field accelerator_fields[] = {
	{"type", FIELD_TEXT, true, AT(type), HARDWARE_WORD_ROOM, 0, 0, 0},
	{"model", FIELD_TEXT, true, AT(model), HARDWARE_WORD_ROOM, 0, 0, 0},
	{"manufacturer", FIELD_TEXT, true, AT(manufacturer), HARDWARE_WORD_ROOM, 0, 0, 0},
	{"quantity", FIELD_NUMBER, true, AT(quantity), 0, 1, 64, 1},
	{"vram", FIELD_NUMBER, true, AT(vram_bytes), 0, 1, 65536, (double)GIB},
	{0},
};

static void own_document_done(yaml_document_t *held)
{
	yaml_document_delete(held);
}

static size_t line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

/* The text of a node; NULL where it is no plain one. */
static const char *text_of(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || strlen(text) != node->data.scalar.length)
		return NULL;
	for (const char *at = text; *at; at++)
		if (iscntrl((unsigned char)*at))
			return NULL;
	return text;
}

static int read_text(const yaml_node_t *node, const struct field *field, char *out, struct err *err)
{
	const char *text = text_of(node);

	if (!text || !*text || strlen(text) >= field->room)
		return err_set(err, ERR_INVALID, "line %zu: %s must be a text of 1 to %zu bytes",
			       line_of(node), field->name, field->room - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int read_number(const yaml_node_t *node, const struct field *field, int64_t *out,
		       struct err *err)
{
	const char *text = text_of(node);
	bool plain = text && *text && strspn(text, "0123456789.") == strlen(text);
	char *end = NULL;
	double value = plain ? strtod(text, &end) : -1;

	if (!plain || *end || value < field->least || value > field->most)
		return err_set(err, ERR_INVALID, "line %zu: %s must be a number from %g to %g",
			       line_of(node), field->name, field->least, field->most);
	*out = (int64_t)(value * field->unit + 0.5);
	return 0;
}

static int read_bool(const yaml_node_t *node, const struct field *field, bool *out, struct err *err)
{
	const char *text = text_of(node);

	if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
		return err_set(err, ERR_INVALID, "line %zu: %s must be true or false",
			       line_of(node), field->name);
	*out = strcmp(text, "true") == 0;
	return 0;
}

static int read_cards(yaml_document_t *document, const yaml_node_t *node,
		      struct hardware_flavor *out, struct err *err)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return err_set(err, ERR_INVALID, "line %zu: cards must be a list", line_of(node));
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		const yaml_node_t *one = yaml_document_get_node(document, *item);
		const char *text = text_of(one);

		if (!text || !engine_device_is(text))
			return err_set(err, ERR_INVALID,
				       "line %zu: a card is named as in CDI, vendor.com/gpu=0",
				       line_of(one));
		if (out->card_count == HARDWARE_CARDS_MAX)
			return err_set(err, ERR_INVALID, "line %zu: more than %d cards",
				       line_of(one), HARDWARE_CARDS_MAX);
		for (size_t i = 0; i < out->card_count; i++)
			if (strcmp(out->cards[i], text) == 0)
				return err_set(err, ERR_INVALID, "line %zu: %s stands twice",
					       line_of(one), text);
		memcpy(out->cards[out->card_count++], text, strlen(text) + 1);
	}
	return 0;
}

static int read_fields(yaml_document_t *document, const yaml_node_t *node,
		       const struct field *fields, struct hardware_flavor *out, struct err *err);

static int read_value(yaml_document_t *document, const yaml_node_t *node, const struct field *field,
		      struct hardware_flavor *out, struct err *err)
{
	void *place = (char *)out + field->offset;

	switch (field->type) {
	case FIELD_TEXT:
		return read_text(node, field, place, err);
	case FIELD_NUMBER:
		return read_number(node, field, place, err);
	case FIELD_BOOL:
		return read_bool(node, field, place, err);
	case FIELD_ACCELERATOR:
		return read_fields(document, node, accelerator_fields, out, err);
	case FIELD_CARDS:
		return read_cards(document, node, out, err);
	}
	abort();
}

static const struct field *find_field(const struct field *fields, const char *name)
{
	for (; name && fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

static int check_needed(const yaml_node_t *node, const struct field *fields, unsigned seen,
			struct err *err)
{
	for (size_t i = 0; fields[i].name; i++)
		if (fields[i].needed && !(seen & 1U << i))
			return err_set(err, ERR_INVALID, "line %zu: %s is missing", line_of(node),
				       fields[i].name);
	return 0;
}

/* A mapping with these keys, each at most once. */
static int read_fields(yaml_document_t *document, const yaml_node_t *node,
		       const struct field *fields, struct hardware_flavor *out, struct err *err)
{
	unsigned seen = 0;

	if (node->type != YAML_MAPPING_NODE)
		return err_set(err, ERR_INVALID, "line %zu: \"key: value\" is expected",
			       line_of(node));
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(document, pair->key);
		const struct field *field = find_field(fields, text_of(key));
		unsigned bit = field ? 1U << (field - fields) : 0;

		if (!field)
			return err_set(err, ERR_INVALID, "line %zu: no such key", line_of(key));
		if (seen & bit)
			return err_set(err, ERR_INVALID, "line %zu: %s stands twice", line_of(key),
				       field->name);
		seen |= bit;
		if (read_value(document, yaml_document_get_node(document, pair->value), field, out,
			       err) < 0)
			return -1;
	}
	return check_needed(node, fields, seen, err);
}

static bool is_name(const char *name)
{
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '-')
			return false;
	return true;
}

/* What one key says must agree with what another says. */
static int check_counts(const struct hardware_flavor *flavor, size_t line, struct err *err)
{
	if (strcmp(flavor->name, HARDWARE_BASIC) == 0 && hardware_places(flavor) > 0)
		return err_set(err, ERR_INVALID, "line %zu: %s is for all and can't be counted",
			       line, HARDWARE_BASIC);
	if (flavor->count > 0 && flavor->card_count > 0)
		return err_set(err, ERR_INVALID, "line %zu: %s has count and cards, choose one",
			       line, flavor->name);
	if (flavor->card_count > 0 && flavor->simulated)
		return err_set(err, ERR_INVALID, "line %zu: %s has cards and is simulated", line,
			       flavor->name);
	if (flavor->card_count > 0 &&
	    (flavor->quantity == 0 || (size_t)flavor->quantity > flavor->card_count))
		return err_set(err, ERR_INVALID,
			       "line %zu: %s lists %zu cards: its accelerator's quantity must be "
			       "from 1 to that",
			       line, flavor->name, flavor->card_count);
	return 0;
}

static int add_flavor(struct hardware *hardware, yaml_document_t *document, const yaml_node_t *node,
		      struct err *err)
{
	struct hardware_flavor flavor = {.disk_bytes = 50 * GIB, .pids = 512};

	if (hardware->count == HARDWARE_FLAVORS_MAX)
		return err_set(err, ERR_INVALID, "line %zu: more than %d flavors", line_of(node),
			       HARDWARE_FLAVORS_MAX);
	if (read_fields(document, node, flavor_fields, &flavor, err) < 0)
		return -1;
	if (!is_name(flavor.name))
		return err_set(err, ERR_INVALID,
			       "line %zu: a name is made of small letters, digits and -",
			       line_of(node));
	for (size_t i = 0; i < hardware->count; i++)
		if (strcmp(hardware->flavors[i].name, flavor.name) == 0)
			return err_set(err, ERR_INVALID, "line %zu: %s stands twice", line_of(node),
				       flavor.name);
	if (check_counts(&flavor, line_of(node), err) < 0)
		return -1;
	hardware->flavors[hardware->count++] = flavor;
	return 0;
}

static int read_document(yaml_document_t *document, struct hardware *hardware, struct err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(document);

	if (!root || root->type != YAML_SEQUENCE_NODE)
		return err_set(err, ERR_INVALID, "line 1: a list of flavors is expected");
	for (const yaml_node_item_t *item = root->data.sequence.items.start;
	     item < root->data.sequence.items.top; item++)
		if (add_flavor(hardware, document, yaml_document_get_node(document, *item), err) <
		    0)
			return -1;
	if (!hardware_find(hardware, HARDWARE_BASIC))
		return err_set(err, ERR_INVALID, "%s is missing: Spaces begin with it",
			       HARDWARE_BASIC);
	return 0;
}

static int load_document(const char *text, size_t length, yaml_document_t *out, struct err *err)
{
	yaml_parser_t parser;
	int loaded;

	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory, as everywhere */
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	loaded = yaml_parser_load(&parser, out);
	if (!loaded)
		err_set(err, ERR_INVALID, "line %zu: %s", parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "no valid YAML");
	yaml_parser_delete(&parser);
	return loaded ? 0 : -1;
}

int hardware_parse(const char *text, size_t length, struct hardware **out, struct err *err)
{
	owned(document_done) yaml_document_t document = {0};
	owned(hardware_free) struct hardware *hardware = mem_new(struct hardware);

	if (length > HARDWARE_TEXT_MAX)
		return err_set(err, ERR_INVALID, "longer than %d KiB", HARDWARE_TEXT_MAX / 1024);
	if (load_document(text, length, &document, err) < 0 ||
	    read_document(&document, hardware, err) < 0)
		return -1;
	*out = take(hardware);
	return 0;
}

void hardware_free(struct hardware *hardware)
{
	free(hardware);
}

const struct hardware_flavor *hardware_find(const struct hardware *hardware, const char *name)
{
	for (size_t i = 0; i < hardware->count; i++)
		if (strcmp(hardware->flavors[i].name, name) == 0)
			return &hardware->flavors[i];
	return strcmp(name, "cpu-classic") == 0 ? hardware_find(hardware, HARDWARE_BASIC) : NULL;
}

int hardware_need(const struct hardware *hardware, const char *name,
		  const struct hardware_flavor **out, struct err *err)
{
	const struct hardware_flavor *flavor = hardware_find(hardware, name);
	owned(str_done) struct str known = str_new(KNOWN_TEXT_MAX);

	if (flavor) {
		*out = flavor;
		return 0;
	}
	for (size_t i = 0; i < hardware->count; i++)
		str_addf(&known, "%s%s", i ? ", " : "", hardware->flavors[i].name);
	return err_set(err, ERR_INVALID, "unknown hardware \"%.60s\", there is [%s]", name,
		       known.data);
}

struct engine_limits hardware_limits(const struct hardware *hardware, const char *name)
{
	const struct hardware_flavor *flavor = hardware_find(hardware, name);

	if (!flavor)
		flavor = hardware_find(hardware, HARDWARE_BASIC);
	assert(flavor); /* hardware_parse() has seen to it */
	return (struct engine_limits){
		.cpu_milli = (uint32_t)flavor->cpu_milli,
		.memory_bytes = (uint64_t)flavor->memory_bytes,
		.pids = (uint32_t)flavor->pids,
		.disk_bytes = (uint64_t)flavor->disk_bytes,
	};
}

size_t hardware_places(const struct hardware_flavor *flavor)
{
	return flavor->card_count ? flavor->card_count : (size_t)flavor->count;
}

size_t hardware_places_needed(const struct hardware_flavor *flavor)
{
	return flavor->card_count ? (size_t)flavor->quantity : flavor->count > 0;
}

void hardware_place(const struct hardware_flavor *flavor, size_t index,
		    char out[static HARDWARE_PLACE_ROOM])
{
	if (flavor->card_count)
		snprintf(out, HARDWARE_PLACE_ROOM, "%s", flavor->cards[index]);
	else
		snprintf(out, HARDWARE_PLACE_ROOM, "%s#%zu", flavor->name, index + 1);
}

bool hardware_share(const struct hardware_flavor *a, const struct hardware_flavor *b)
{
	if (a == b)
		return hardware_places(a) > 0;
	for (size_t i = 0; i < a->card_count; i++)
		for (size_t j = 0; j < b->card_count; j++)
			if (strcmp(a->cards[i], b->cards[j]) == 0)
				return true;
	return false;
}

int64_t hardware_price(const struct hardware *hardware, const char *name)
{
	const struct hardware_flavor *flavor = hardware_find(hardware, name);

	return flavor ? flavor->micro_usd : 0;
}

/* "16 GB", as the real hub writes it. */
static json_t *gigabytes(int64_t bytes)
{
	return json_sprintf("%g GB", (double)bytes / (double)GIB);
}

static json_t *accelerator_json(const struct hardware_flavor *flavor)
{
	if (flavor->quantity == 0)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:s}", "type", flavor->type, "model", flavor->model,
			 "quantity", json_sprintf("%lld", (long long)flavor->quantity), "vram",
			 gigabytes(flavor->vram_bytes), "manufacturer", flavor->manufacturer);
}

/* Clients print 60 times the cost as that of an hour, so the unit is a minute. */
static json_t *flavor_json(const struct hardware_flavor *flavor)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:f, s:s}", "name", flavor->name,
			 "prettyName", flavor->title, "cpu",
			 json_sprintf("%g vCPU", (double)flavor->cpu_milli / 1000), "ram",
			 gigabytes(flavor->memory_bytes), "ephemeralStorage",
			 gigabytes(flavor->disk_bytes), "accelerator", accelerator_json(flavor),
			 "unitCostMicroUSD", (json_int_t)flavor->micro_usd, "unitCostUSD",
			 (double)flavor->micro_usd / 1e6, "unitLabel", "minute");
}

json_t *hardware_json(const struct hardware *hardware)
{
	json_t *list = json_array();

	for (size_t i = 0; i < hardware->count; i++)
		json_array_append_new(list, flavor_json(&hardware->flavors[i]));
	return list;
}
