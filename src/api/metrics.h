#pragma once

#include "base/json.h"
#include "base/own.h"
#include "space/loop.h"

/*
 * What a run uses, as one event of GET …/metrics has it: memory as it is, processors and network by
 * what two measurements differ in.
 *
 * Wire: A12. `cpu_usage_pct` is the share of the processors that it may use, 0 to 100; `…_bps` are
 * bits in a second; `replica` tells one run of a Space from the next.
 */

/* NULL where the two are not of one run, or no time lies between them. Belongs to the caller. */
json_t *metrics_json(const struct engine_metrics *before, const struct engine_metrics *now);
