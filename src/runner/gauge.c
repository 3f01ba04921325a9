#include "runner/gauge.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "runner/cgroup.h"
#include "runner/network.h"

enum { FILE_MAX_BYTES = 16 * 1024, MILLI = 1000, US_NS = 1000 };

/* A file of the run's cgroup; a hierarchy is meant by version 1 only. */
struct source {
	const char *hierarchy;
	const char *file;
};

struct reading {
	const struct datadir *dir;
	const char *key;
	struct str text;
};

static void own_reading_done(struct reading *held)
{
	str_done(&held->text);
}

static int read_text(struct reading *reading, struct source from, struct err *err)
{
	str_clear(&reading->text);
	return cgroup_read(reading->dir, reading->key, from.hierarchy, from.file, &reading->text,
			   err);
}

/* "max" is no number: 0. */
static int read_number(struct reading *reading, struct source from, uint64_t *out, struct err *err)
{
	if (read_text(reading, from, err) < 0)
		return -1;
	*out = strtoull(reading->text.data, NULL, 10);
	return 0;
}

uint64_t gauge_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text && *text) {
		if (strncmp(text, name, length) == 0 && text[length] == ' ')
			return strtoull(text + length, NULL, 10);
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return 0;
}

uint64_t gauge_cpu_milli(const char *quota, const char *period)
{
	long long quota_us = strtoll(quota, NULL, 10);
	long long period_us = strtoll(period, NULL, 10);

	if (quota_us <= 0 || period_us <= 0 || quota_us > INT64_MAX / MILLI)
		return 0;
	return (uint64_t)(quota_us * MILLI / period_us);
}

/* What of `used` is in use. */
static uint64_t without(uint64_t used, uint64_t idle)
{
	return idle < used ? used - idle : 0;
}

static int read_v1(struct reading *reading, struct engine_metrics *out, struct err *err)
{
	char quota[32];

	if (read_number(reading, (struct source){"cpuacct", "cpuacct.usage"}, &out->cpu_ns, err) <
		    0 ||
	    read_number(reading, (struct source){"memory", "memory.usage_in_bytes"},
			&out->memory_bytes, err) < 0 ||
	    read_number(reading, (struct source){"memory", "memory.limit_in_bytes"},
			&out->memory_limit, err) < 0 ||
	    read_text(reading, (struct source){"memory", "memory.stat"}, err) < 0)
		return -1;
	out->memory_bytes =
		without(out->memory_bytes, gauge_field(reading->text.data, "total_inactive_file"));
	if (read_text(reading, (struct source){"cpu", "cpu.cfs_quota_us"}, err) < 0)
		return -1;
	snprintf(quota, sizeof(quota), "%s", reading->text.data);
	if (read_text(reading, (struct source){"cpu", "cpu.cfs_period_us"}, err) < 0)
		return -1;
	out->cpu_milli = gauge_cpu_milli(quota, reading->text.data);
	return 0;
}

static int read_v2(struct reading *reading, struct engine_metrics *out, struct err *err)
{
	if (read_number(reading, (struct source){NULL, "memory.current"}, &out->memory_bytes, err) <
		    0 ||
	    read_number(reading, (struct source){NULL, "memory.max"}, &out->memory_limit, err) <
		    0 ||
	    read_text(reading, (struct source){NULL, "memory.stat"}, err) < 0)
		return -1;
	out->memory_bytes =
		without(out->memory_bytes, gauge_field(reading->text.data, "inactive_file"));
	if (read_text(reading, (struct source){NULL, "cpu.stat"}, err) < 0)
		return -1;
	out->cpu_ns = gauge_field(reading->text.data, "usage_usec") * US_NS;
	if (read_text(reading, (struct source){NULL, "cpu.max"}, err) < 0)
		return -1;
	out->cpu_milli = gauge_cpu_milli(reading->text.data,
					 reading->text.data + strcspn(reading->text.data, " "));
	return 0;
}

int gauge_read(const struct datadir *dir, const char *key, unsigned slot,
	       struct engine_metrics *out, struct err *err)
{
	owned(reading_done) struct reading reading = {dir, key, str_new(FILE_MAX_BYTES)};
	struct engine_metrics got = {.at_ms = clock_mono_ms()};

	if ((cgroup_is_v2() ? read_v2 : read_v1)(&reading, &got, err) < 0 ||
	    network_counts(dir, slot, &got.received_bytes, &got.sent_bytes, err) < 0)
		return err_in(err, "run %s", key);
	snprintf(got.key, sizeof(got.key), "%s", key);
	*out = got;
	return 0;
}
