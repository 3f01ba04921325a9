#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "space/hardware.h"

#define BASIC "- {name: cpu-basic, title: CPU basic, cpu: 2, memory: 16}\n"

static struct hardware *parse(const char *text)
{
	struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	if (hardware_parse(text, strlen(text), &hardware, &err) < 0)
		fail_msg("%s", err.text);
	return hardware;
}

static void expect_refused(const char *text, const char *part)
{
	struct hardware *hardware = NULL;
	struct err err = ERR_INIT;

	if (hardware_parse(text, strlen(text), &hardware, &err) == 0)
		fail_msg("%s was taken", text);
	assert_int_equal(err.kind, ERR_INVALID);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void reads_what_a_flavor_may_use(void **state)
{
	owned(hardware_free) struct hardware *hardware =
		parse(BASIC "- name: half\n  title: Half\n  cpu: 0.5\n  memory: 0.25\n  disk: 3\n"
			    "  pids: 100\n  price: 0.6\n");
	const struct hardware_flavor *half = hardware_find(hardware, "half");
	struct engine_limits limits = hardware_limits(hardware, "half");

	assert_int_equal(limits.cpu_milli, 500);
	assert_int_equal(limits.memory_bytes, 256 << 20);
	assert_int_equal(limits.disk_bytes, INT64_C(3) << 30);
	assert_int_equal(limits.pids, 100);
	assert_int_equal(half->micro_usd, 10000);
	assert_int_equal(hardware_price(hardware, "half"), 10000);
	assert_int_equal(hardware_price(hardware, "gone"), 0);
	assert_int_equal(hardware_limits(hardware, "cpu-basic").pids, 512);
	/* One that an operator took away while a Space has it. */
	assert_int_equal(hardware_limits(hardware, "gone").cpu_milli, 2000);
}

static void knows_an_old_name_and_names_the_others(void **state)
{
	owned(hardware_free) struct hardware *hardware =
		parse(BASIC "- {name: big, title: Big, cpu: 4, memory: 32}\n");
	const struct hardware_flavor *flavor = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(hardware_need(hardware, "cpu-classic", &flavor, &err), 0);
	assert_string_equal(flavor->name, "cpu-basic");
	assert_int_equal(hardware_need(hardware, "huge", &flavor, &err), -1);
	assert_string_equal(err.text, "unknown hardware \"huge\", there is [cpu-basic, big]");
}

static void lists_all_that_clients_demand(void **state)
{
	owned(hardware_free) struct hardware *hardware = parse(
		BASIC "- name: t4-small\n  title: T4\n  cpu: 4\n  memory: 15\n  price: 0.4\n"
		      "  accelerator: {type: gpu, model: T4, manufacturer: Nvidia, quantity: 1,"
		      " vram: 16}\n  simulated: true\n");
	owned(json_decref) json_t *list = hardware_json(hardware);
	owned(free) char *text = json_text(list);

	assert_string_equal(
		text, "[{\"name\":\"cpu-basic\",\"prettyName\":\"CPU basic\",\"cpu\":\"2 vCPU\","
		      "\"ram\":\"16 GB\",\"ephemeralStorage\":\"50 GB\",\"accelerator\":null,"
		      "\"unitCostMicroUSD\":0,\"unitCostUSD\":0.0,\"unitLabel\":\"minute\"},"
		      "{\"name\":\"t4-small\",\"prettyName\":\"T4\",\"cpu\":\"4 vCPU\","
		      "\"ram\":\"15 GB\",\"ephemeralStorage\":\"50 GB\",\"accelerator\":"
		      "{\"type\":\"gpu\",\"model\":\"T4\",\"quantity\":\"1\",\"vram\":\"16 GB\","
		      "\"manufacturer\":\"Nvidia\"},\"unitCostMicroUSD\":6667,"
		      "\"unitCostUSD\":0.0066670000000000002,\"unitLabel\":\"minute\"}]");
	assert_true(hardware_find(hardware, "t4-small")->simulated);
}

static void names_the_line_of_a_mistake(void **state)
{
	expect_refused("", "line 1: a list of flavors");
	expect_refused("name: x\n", "line 1: a list of flavors");
	expect_refused("- 1\n", "line 1: \"key: value\"");
	expect_refused("[", "line ");
	expect_refused("- {name: x, title: X, cpu: 1, memory: 1}\n", "cpu-basic is missing");
	expect_refused(BASIC "- {name: x, title: X, cpu: 1}\n", "line 2: memory is missing");
	expect_refused(BASIC "- name: x\n  colour: red\n", "line 3: no such key");
	expect_refused(BASIC "- name: x\n  name: y\n", "line 3: name stands twice");
	expect_refused(BASIC BASIC, "line 2: cpu-basic stands twice");
	expect_refused(BASIC "- {name: X, title: X, cpu: 1, memory: 1}\n", "line 2: a name is");
	expect_refused(BASIC "- {name: '', title: X, cpu: 1, memory: 1}\n", "name must be a text");
	expect_refused(BASIC "- {name: \"a\\0b\", title: X, cpu: 1, memory: 1}\n", "name must be");
	expect_refused(BASIC "- {name: x, title: [X], cpu: 1, memory: 1}\n", "title must be");
	expect_refused(BASIC "- {name: x, title: X, cpu: 0, memory: 1}\n",
		       "line 2: cpu must be a number from 0.1 to 1024");
	expect_refused(BASIC "- {name: x, title: X, cpu: nan, memory: 1}\n", "cpu must be");
	expect_refused(BASIC "- {name: x, title: X, cpu: 0x10, memory: 1}\n", "cpu must be");
	expect_refused(BASIC "- {name: x, title: X, cpu: 1.2.3, memory: 1}\n", "cpu must be");
	expect_refused(BASIC "- {name: x, title: X, cpu: 1, memory: 1, price: -1}\n", "price must");
	expect_refused(BASIC "- {name: x, title: X, cpu: 1, memory: 1, simulated: yes}\n",
		       "simulated must be true or false");
	expect_refused(BASIC "- {name: x, title: X, cpu: 1, memory: 1, accelerator: gpu}\n",
		       "\"key: value\"");
	expect_refused(BASIC "- {name: x, title: X, cpu: 1, memory: 1, accelerator: {type: g}}\n",
		       "model is missing");
}

#define GPU "accelerator: {type: gpu, model: m, manufacturer: x, quantity: 2, vram: 1}"
#define ONE "- {name: x, title: X, cpu: 1, memory: 1"

static void counts_places_or_cards(void **state)
{
	owned(hardware_free) struct hardware *hardware =
		parse(BASIC ONE
		      ", count: 3}\n"
		      "- {name: y, title: Y, cpu: 1, memory: 1, cards: [a.b/gpu=0, a.b/gpu=1, "
		      "a.b/gpu=u:2], " GPU "}\n"
		      "- {name: z, title: Z, cpu: 1, memory: 1, cards: [a.b/gpu=3, a.b/gpu=1], " GPU
		      "}\n");
	const struct hardware_flavor *x = hardware_find(hardware, "x");
	const struct hardware_flavor *y = hardware_find(hardware, "y");
	const struct hardware_flavor *z = hardware_find(hardware, "z");
	char name[HARDWARE_PLACE_ROOM];

	assert_int_equal(hardware_places(hardware_find(hardware, "cpu-basic")), 0);
	assert_int_equal(hardware_places_needed(hardware_find(hardware, "cpu-basic")), 0);
	assert_int_equal(hardware_places(x), 3);
	assert_int_equal(hardware_places_needed(x), 1);
	hardware_place(x, 2, name);
	assert_string_equal(name, "x#3");
	assert_int_equal(hardware_places(y), 3);
	assert_int_equal(hardware_places_needed(y), 2);
	hardware_place(y, 2, name);
	assert_string_equal(name, "a.b/gpu=u:2");
	assert_true(hardware_share(y, z));
	assert_true(hardware_share(x, x));
	assert_false(hardware_share(x, y));
}

static void refuses_counts_that_cannot_be(void **state)
{
	expect_refused("- {name: cpu-basic, title: b, cpu: 1, memory: 1, count: 1}\n",
		       "cpu-basic is for all and can't be counted");
	expect_refused(BASIC ONE ", count: 0}\n", "count must be a number from 1 to 1024");
	expect_refused(BASIC ONE ", cards: gpu}\n", "line 2: cards must be a list");
	expect_refused(BASIC ONE ", cards: [gpu0]}\n", "line 2: a card is named as in CDI");
	expect_refused(BASIC ONE ", cards: [[a.b/c=0]]}\n", "line 2: a card is named as in CDI");
	expect_refused(BASIC ONE ", cards: [a.b/c=0, a.b/c=0]}\n", "a.b/c=0 stands twice");
	expect_refused(BASIC ONE ", cards: [a.b/c=0, a.b/c=1]}\n", "line 2: x lists 2 cards");
	expect_refused(BASIC ONE ", cards: [a.b/c=0], " GPU "}\n", "line 2: x lists 1 cards");
	expect_refused(BASIC ONE ", count: 1, cards: [a.b/c=0, a.b/c=1], " GPU "}\n",
		       "x has count and cards, choose one");
	expect_refused(BASIC ONE ", simulated: true, cards: [a.b/c=0, a.b/c=1], " GPU "}\n",
		       "x has cards and is simulated");
}

static void limits_how_long_and_how_many(void **state)
{
	owned(free) char *text = mem_alloc(HARDWARE_TEXT_MAX + 2);
	size_t length;

	memset(text, '#', HARDWARE_TEXT_MAX + 1);
	expect_refused(text, "longer than 64 KiB");
	length = (size_t)snprintf(text, HARDWARE_TEXT_MAX, BASIC);
	for (int i = 0; i < HARDWARE_FLAVORS_MAX; i++)
		length += (size_t)snprintf(text + length, HARDWARE_TEXT_MAX - length,
					   "- {name: x%d, title: X, cpu: 1, memory: 1}\n", i);
	expect_refused(text, "line 65: more than 64 flavors");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_a_flavor_may_use),
		cmocka_unit_test(knows_an_old_name_and_names_the_others),
		cmocka_unit_test(lists_all_that_clients_demand),
		cmocka_unit_test(names_the_line_of_a_mistake),
		cmocka_unit_test(counts_places_or_cards),
		cmocka_unit_test(refuses_counts_that_cannot_be),
		cmocka_unit_test(limits_how_long_and_how_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
