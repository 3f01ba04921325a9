#include "base/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now); /* can't fail for the clocks that we name */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

/* The years that have four digits. */
static const int64_t first_ms = -62167219200000; /* 0000-01-01T00:00:00.000Z */
static const int64_t last_ms = 253402300799999;  /* 9999-12-31T23:59:59.999Z */

static char *put_digits(char *at, int value, int count, char behind)
{
	for (int i = count; i-- > 0; value /= 10)
		at[i] = (char)('0' + value % 10);
	at[count] = behind;
	return at + count + 1;
}

enum {
	DAY_MS = 24 * 60 * 60 * 1000,
	DAYS_OF_4 = 4 * 365 + 1, /* years, the leap day with them */
	DAYS_OF_100 = 25 * DAYS_OF_4 - 1,
	DAYS_OF_400 = 4 * DAYS_OF_100 + 1, /* the calendar repeats */
	DAYS_TO_1970 = 719468,             /* from 1 March of the year 0 */
};

/*
 * The date of a day since then. Years begin in March here, so that a leap day is the last of its
 * year; their months have 31, 30, 31, 30, 31 days over and over, 153 in five.
 */
static void date_of(int days, int *year, int *month, int *day)
{
	int of_400 = days % DAYS_OF_400;
	int years = (of_400 - of_400 / (DAYS_OF_4 - 1) + of_400 / DAYS_OF_100 -
		     of_400 / (DAYS_OF_400 - 1)) /
		    365;
	int of_year = of_400 - (365 * years + years / 4 - years / 100);
	int march = (5 * of_year + 2) / 153;

	*year = days / DAYS_OF_400 * 400 + years + (march >= 10);
	*month = march < 10 ? march + 3 : march - 9;
	*day = of_year - (153 * march + 2) / 5 + 1;
}

/*
 * By hand: strftime() and printf() took a sixth of the time that a list takes, and gmtime_r() takes
 * a lock, which who logs from a signal must not.
 */
const char *clock_stamp(int64_t wall_ms, char out[static CLOCK_STAMP_MAX])
{
	char *at = out;
	int year, month, day;

	if (wall_ms < first_ms)
		wall_ms = first_ms;
	if (wall_ms > last_ms)
		wall_ms = last_ms;
	/* From 1 March of the year -400: nothing is negative, and the calendar is the same. */
	int64_t since_ms = wall_ms + (int64_t)(DAYS_TO_1970 + DAYS_OF_400) * DAY_MS;
	int of_day = (int)(since_ms % DAY_MS);
	date_of((int)(since_ms / DAY_MS), &year, &month, &day);
	at = put_digits(at, year - 400, 4, '-');
	at = put_digits(at, month, 2, '-');
	at = put_digits(at, day, 2, 'T');
	at = put_digits(at, of_day / 3600000, 2, ':');
	at = put_digits(at, of_day / 60000 % 60, 2, ':');
	at = put_digits(at, of_day / 1000 % 60, 2, '.');
	at = put_digits(at, of_day % 1000, 3, 'Z');
	*at = '\0';
	return out;
}
