#pragma once

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "space/ledger.h"

/*
 * Bill: what the ledger says, as JSON for programs. Each number is an exact integer; what people
 * read stands beside it as decimal text:
 *
 *     {"from": null, "to": "2026-11-25T10:30:00.000Z",
 *      "uses": [{"space": "acme/demo", "flavor": "cpu-upgrade", "unitCostMicroUSD": 500,
 *                "milliseconds": 90500, "seconds": "90.500",
 *                "costMicroUSD": 754, "costUSD": "0.000754"}, …],
 *      "total": {"milliseconds": …, "seconds": …, "costMicroUSD": …, "costUSD": …}}
 *
 * A use is one flavor of one Space at one price; the total is the sum of the uses. What still runs
 * is counted until `to`, which is never in the future.
 */

/* Errors: ERR_INVALID where the filter's `from` lies behind its `to`. */
must_check int bill_json(struct store_db *db, const struct ledger_filter *filter,
			 const struct ledger_moment *now, json_t **out, struct err *err);
