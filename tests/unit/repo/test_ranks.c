#include "repo/ranks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void ranks_are_in_the_order_of_the_texts(void **state)
{
	owned(ranks_free) struct ranks *ranks = ranks_new();

	ranks_add(ranks, 7, "b");
	ranks_add(ranks, 3, "c");
	ranks_add(ranks, 5, "a");
	ranks_settle(ranks);
	assert_int_equal(ranks_of(ranks, 5), 0);
	assert_int_equal(ranks_of(ranks, 7), 1);
	assert_int_equal(ranks_of(ranks, 3), 2);
}

static void equal_texts_are_side_by_side(void **state)
{
	owned(ranks_free) struct ranks *ranks = ranks_new();

	ranks_add(ranks, 1, "a");
	ranks_add(ranks, 9, "b");
	ranks_settle(ranks);
	ranks_add(ranks, 4, "b");
	ranks_add(ranks, 2, "c");
	ranks_settle(ranks);
	assert_int_equal(ranks_of(ranks, 4), 1);
	assert_int_equal(ranks_of(ranks, 9), 2);
	assert_int_equal(ranks_before(ranks, "b"), 1);
	assert_int_equal(ranks_up_to(ranks, "b"), 3);
}

static void a_text_that_nothing_has_is_between_two(void **state)
{
	owned(ranks_free) struct ranks *ranks = ranks_new();

	assert_int_equal(ranks_before(ranks, "x"), 0);
	assert_int_equal(ranks_up_to(ranks, "x"), 0);
	ranks_add(ranks, 0, "a");
	ranks_add(ranks, 1, "c");
	ranks_settle(ranks);
	assert_int_equal(ranks_before(ranks, "b"), 1);
	assert_int_equal(ranks_up_to(ranks, "b"), 1);
}

enum { ITEMS = 300, ROUNDS = 2000, TEXT_ROOM = 8 };

struct model {
	bool in[ITEMS];
	char text[ITEMS][TEXT_ROOM];
};

/* Every rank is the number of items that come before. */
static void check(const struct ranks *ranks, const struct model *model)
{
	for (size_t i = 0; i < ITEMS; i++) {
		unsigned before = 0;

		if (!model->in[i])
			continue;
		for (size_t other = 0; other < ITEMS; other++) {
			int order = strcmp(model->text[other], model->text[i]);

			before += model->in[other] && (order < 0 || (order == 0 && other < i));
		}
		assert_int_equal(ranks_of(ranks, i), before);
	}
}

static void change_one(struct ranks *ranks, struct model *model, unsigned *seed)
{
	size_t item = (size_t)rand_r(seed) % ITEMS;
	bool same = rand_r(seed) % 4 == 0;

	if (model->in[item] && same) {
		ranks_replace(ranks, item, model->text[item]);
		return;
	}
	if (model->in[item])
		ranks_drop(ranks, item);
	model->in[item] = !model->in[item] || rand_r(seed) % 2;
	if (!model->in[item])
		return;
	snprintf(model->text[item], TEXT_ROOM, "%d", rand_r(seed) % 200);
	ranks_add(ranks, item, model->text[item]);
}

static void any_number_of_changes_may_settle_at_once(void **state)
{
	owned(ranks_free) struct ranks *ranks = ranks_new();
	struct model model = {0};
	unsigned seed = 1;

	for (int round = 0; round < ROUNDS; round++) {
		for (int change = rand_r(&seed) % 20; change > 0; change--)
			change_one(ranks, &model, &seed);
		ranks_settle(ranks);
		if (round % 50 == 0)
			check(ranks, &model);
	}
	check(ranks, &model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranks_are_in_the_order_of_the_texts),
		cmocka_unit_test(equal_texts_are_side_by_side),
		cmocka_unit_test(a_text_that_nothing_has_is_between_two),
		cmocka_unit_test(any_number_of_changes_may_settle_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
