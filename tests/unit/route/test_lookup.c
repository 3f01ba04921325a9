#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/own.h"
#include "route/lookup.h"

static size_t label_length(const char *host, const char *suffix)
{
	return route_label_length(host, strlen(host), suffix, strlen(suffix));
}

static struct route_key key_of(const char *slug)
{
	struct route_key key;

	assert_true(route_key_init(&key, slug, strlen(slug)));
	return key;
}

static void put(struct route_entry *entry, const char *slug, enum route_state state)
{
	struct route_key key = key_of(slug);

	for (size_t i = 0; i < ROUTE_SLUG_WORDS; i++)
		atomic_store(&entry->slug[i], key.words[i]);
	atomic_store(&entry->state, state);
}

static struct route_entry *place_of(struct route_table *table, const struct route_key *key,
				    uint32_t i)
{
	return &table->entries[(key->hash + i) % ROUTE_ENTRIES];
}

static void takes_one_label_in_front_of_the_domain(void **state)
{
	assert_int_equal(label_length("me-demo.localhost", "localhost"), 7);
	assert_int_equal(label_length("ME-demo.LocalHost", "localhost"), 7);
	assert_int_equal(label_length("a.hub.espace", "hub.espace"), 1);
}

static void refuses_hosts_that_are_no_name_under_the_domain(void **state)
{
	assert_int_equal(label_length("", "localhost"), 0);
	assert_int_equal(label_length("localhost", "localhost"), 0);
	assert_int_equal(label_length(".localhost", "localhost"), 0);
	assert_int_equal(label_length("a.b.localhost", "localhost"), 0);
	assert_int_equal(label_length("me-demolocalhost", "localhost"), 0);
	assert_int_equal(label_length("me-demo.localhost.org", "localhost"), 0);
	assert_int_equal(label_length("127.0.0.1", "localhost"), 0);
}

static void a_key_is_lower_case_and_a_dns_label(void **state)
{
	char long_label[ROUTE_SLUG_ROOM + 1];
	struct route_key lower = key_of("me-demo-2");
	struct route_key upper = key_of("ME-Demo-2");
	struct route_key key;

	assert_memory_equal(lower.words, upper.words, sizeof(lower.words));
	assert_int_equal(lower.hash, upper.hash);
	memset(long_label, 'a', sizeof(long_label));
	assert_true(route_key_init(&key, long_label, ROUTE_SLUG_ROOM - 1));
	assert_false(route_key_init(&key, long_label, ROUTE_SLUG_ROOM));
	assert_false(route_key_init(&key, "", 0));
	assert_false(route_key_init(&key, "a_b", 3));
	assert_false(route_key_init(&key, "a\0b", 3));
	assert_false(route_key_init(&key, "\xc3\xa9", 2));
}

static void finds_behind_a_collision_and_behind_what_is_gone(void **state)
{
	owned(free) struct route_table *table = mem_new(struct route_table);
	struct route_key key = key_of("me-demo");

	put(place_of(table, &key, 0), "somebody-else", ROUTE_RUNNING);
	put(place_of(table, &key, 1), "old", ROUTE_GONE);
	put(place_of(table, &key, 2), "me-demo", ROUTE_RUNNING);
	assert_ptr_equal(route_find(table, &key), place_of(table, &key, 2));
}

static void a_search_ends_at_the_first_empty_entry_or_after_its_probes(void **state)
{
	owned(free) struct route_table *table = mem_new(struct route_table);
	struct route_key key = key_of("me-demo");

	put(place_of(table, &key, 1), "me-demo", ROUTE_RUNNING);
	assert_null(route_find(table, &key));

	for (uint32_t i = 0; i < ROUTE_PROBES; i++)
		put(place_of(table, &key, i), "full", ROUTE_RUNNING);
	put(place_of(table, &key, ROUTE_PROBES), "me-demo", ROUTE_RUNNING);
	assert_null(route_find(table, &key));
}

static void a_visit_is_counted_until_it_leaves(void **state)
{
	struct route_entry entry = {.side = 1, .places[1] = {0x7f000001, 7860}};
	struct route_counters counters = {0};
	struct route_key key = key_of("me-demo");
	struct route_target target;

	put(&entry, "me-demo", ROUTE_RUNNING);
	assert_true(route_enter(&entry, &counters, &key, 1000, &target));
	assert_int_equal(target.state, ROUTE_RUNNING);
	assert_int_equal(target.address, 0x7f000001);
	assert_int_equal(target.port, 7860);
	assert_int_equal(target.side, 1);
	assert_int_equal(counters.open[1], 1);
	assert_int_equal(counters.requests, 1);

	route_leave(&counters, target.side, 512, 2000);
	assert_int_equal(counters.open[1], 0);
	assert_int_equal(counters.bytes, 512);
	assert_int_equal(counters.activity_ms, 2000);
}

static void an_entry_in_the_middle_of_a_write_is_asked_about(void **state)
{
	struct route_entry entry = {.sequence = 7};
	struct route_counters counters = {0};
	struct route_key key = key_of("me-demo");
	struct route_target target;

	put(&entry, "me-demo", ROUTE_RUNNING);
	assert_false(route_enter(&entry, &counters, &key, 0, &target));
	assert_int_equal(counters.open[0], 0);
	assert_int_equal(counters.open[1], 0);
}

static void an_entry_that_became_another_slugs_is_asked_about(void **state)
{
	struct route_entry entry = {0};
	struct route_counters counters = {0};
	struct route_key key = key_of("me-demo");
	struct route_target target;

	put(&entry, "you-demo", ROUTE_RUNNING);
	assert_false(route_enter(&entry, &counters, &key, 0, &target));
	assert_int_equal(counters.open[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_one_label_in_front_of_the_domain),
		cmocka_unit_test(refuses_hosts_that_are_no_name_under_the_domain),
		cmocka_unit_test(a_key_is_lower_case_and_a_dns_label),
		cmocka_unit_test(finds_behind_a_collision_and_behind_what_is_gone),
		cmocka_unit_test(a_search_ends_at_the_first_empty_entry_or_after_its_probes),
		cmocka_unit_test(a_visit_is_counted_until_it_leaves),
		cmocka_unit_test(an_entry_in_the_middle_of_a_write_is_asked_about),
		cmocka_unit_test(an_entry_that_became_another_slugs_is_asked_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
