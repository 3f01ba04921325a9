#include "api/metrics.h"

#include <string.h>

enum { BYTE_BITS = 8, SECOND_MS = 1000, MS_NS = 1000 * 1000, MILLI = 1000, PERCENT = 100 };

/* Counters only grow; one that doesn't was read at a bad moment. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static json_t *bits_in_a_second(uint64_t bytes, int64_t span_ms)
{
	return json_integer((json_int_t)(bytes * BYTE_BITS * SECOND_MS / (uint64_t)span_ms));
}

/* Rounded; without a limit, of one processor. */
static json_t *cpu_share(uint64_t used_ns, uint64_t cpu_milli, int64_t span_ms)
{
	uint64_t may_ns = (uint64_t)span_ms * MS_NS * (cpu_milli ? cpu_milli : MILLI) / MILLI;
	uint64_t percent = may_ns ? (used_ns * PERCENT + may_ns / 2) / may_ns : 0;

	/* The kernel lets it catch up on what it left in the time slice before. */
	return json_integer(cpu_milli && percent > PERCENT ? PERCENT : (json_int_t)percent);
}

json_t *metrics_json(const struct engine_metrics *before, const struct engine_metrics *now)
{
	const char *number = strchr(now->key, '-');
	int64_t span_ms = now->at_ms - before->at_ms;
	json_t *json;

	if (strcmp(before->key, now->key) != 0 || span_ms <= 0)
		return NULL;
	json = json_object();
	json_object_set_new(json, "cpu_usage_pct",
			    cpu_share(grown(before->cpu_ns, now->cpu_ns), now->cpu_milli, span_ms));
	json_object_set_new(json, "cpu_millicores", json_integer((json_int_t)now->cpu_milli));
	json_object_set_new(json, "memory_used_bytes", json_integer((json_int_t)now->memory_bytes));
	json_object_set_new(json, "memory_total_bytes",
			    json_integer((json_int_t)now->memory_limit));
	json_object_set_new(
		json, "rx_bps",
		bits_in_a_second(grown(before->received_bytes, now->received_bytes), span_ms));
	json_object_set_new(json, "tx_bps",
			    bits_in_a_second(grown(before->sent_bytes, now->sent_bytes), span_ms));
	json_object_set_new(json, "gpus", json_object());
	json_object_set_new(json, "replica", json_string(number ? number + 1 : now->key));
	return json;
}
