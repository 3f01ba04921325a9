#include "space/bill.h"

#include "base/clock.h"

struct bill {
	json_t *uses;
	int64_t used_ms;
	int64_t cost;
};

static void add_sums(json_t *object, int64_t used_ms, int64_t cost)
{
	char seconds[LEDGER_TEXT_ROOM];
	char usd[LEDGER_TEXT_ROOM];

	json_object_set_new(object, "milliseconds", json_integer(used_ms));
	json_object_set_new(object, "seconds", json_string(ledger_seconds(used_ms, seconds)));
	json_object_set_new(object, "costMicroUSD", json_integer(cost));
	json_object_set_new(object, "costUSD", json_string(ledger_usd(cost, usd)));
}

static void add_use(void *arg, const struct ledger_use *use)
{
	struct bill *bill = arg;
	json_t *object = json_object();

	json_object_set_new(object, "space", json_string(use->space));
	json_object_set_new(object, "flavor", json_string(use->flavor));
	json_object_set_new(object, "unitCostMicroUSD", json_integer(use->price));
	add_sums(object, use->used_ms, use->cost);
	json_array_append_new(bill->uses, object);
	bill->used_ms += use->used_ms;
	bill->cost += use->cost;
}

static json_t *stamp(int64_t wall_ms)
{
	char text[CLOCK_STAMP_MAX];

	return json_string(clock_stamp(wall_ms, text));
}

int bill_json(struct store_db *db, const struct ledger_filter *filter,
	      const struct ledger_moment *now, json_t **out, struct err *err)
{
	owned(json_decref) json_t *uses = json_array();
	struct bill bill = {.uses = uses};
	struct ledger_filter until = *filter;
	json_t *total;

	if (until.to_ms == 0 || until.to_ms > now->wall_ms)
		until.to_ms = now->wall_ms;
	if (until.from_ms > until.to_ms)
		return err_set(err, ERR_INVALID, "from must not lie behind to, nor in the future");
	if (ledger_each(db, filter, now, add_use, &bill, err) < 0)
		return -1;
	total = json_object();
	add_sums(total, bill.used_ms, bill.cost);
	*out = json_object();
	json_object_set_new(*out, "from", until.from_ms ? stamp(until.from_ms) : json_null());
	json_object_set_new(*out, "to", stamp(until.to_ms));
	json_object_set(*out, "uses", uses);
	json_object_set_new(*out, "total", total);
	return 0;
}
