#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/rights.h"
#include "outcome.h"

enum { FAILED = 255 };

/* A line of proc(5) status of this process, as a number. */
static unsigned long long read_status(const char *name)
{
	char line[256];
	unsigned long long value = ~0ULL;
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name) + 1, NULL, 16);
	if (file)
		fclose(file);
	return value;
}

static int keep_the_machine(const void *arg)
{
	struct err err = ERR_INIT;
	unsigned long long before = read_status("CapEff:");
	unsigned long long lost = 1ULL << CAP_SYS_MODULE | 1ULL << CAP_SYS_TIME |
				  1ULL << CAP_SYS_RAWIO | 1ULL << CAP_NET_RAW | 1ULL << CAP_SYSLOG;

	if (rights_keep(RIGHTS_MACHINE, &err) < 0)
		return FAILED;
	return (read_status("CapBnd:") & lost) == 0 && (read_status("CapEff:") & lost) == 0 &&
			       (read_status("CapEff:") & 1ULL << CAP_SYS_ADMIN) ==
				       (before & 1ULL << CAP_SYS_ADMIN) &&
			       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
		       ? 0
		       : 1;
}

static void a_keeper_loses_what_no_container_needs(void **state)
{
	assert_int_equal(outcome_of(keep_the_machine, NULL), 0);
}

static int bound_to_nothing(const void *arg)
{
	struct err err = ERR_INIT;

	if (rights_bound(RIGHTS_NONE, &err) < 0)
		return FAILED;
	return read_status("CapBnd:") == 0 && setgid(getgid()) == 0 && setuid(getuid()) == 0 ? 0
											     : 1;
}

static void the_own_user_may_change_after_the_bound(void **state)
{
	assert_int_equal(outcome_of(bound_to_nothing, NULL), 0);
}

static int run_as_root_again(const void *arg)
{
	char *const argv[] = {"grep", "-q", "^CapEff:.0000000000000000$", "/proc/self/status",
			      NULL};
	char *const env[] = {NULL};
	struct err err = ERR_INIT;

	if (rights_bound(RIGHTS_NONE, &err) < 0)
		return FAILED;
	execve("/usr/bin/grep", argv, env);
	return FAILED;
}

static void root_gets_nothing_back_by_a_program(void **state)
{
	assert_int_equal(outcome_of(run_as_root_again, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_keeper_loses_what_no_container_needs),
		cmocka_unit_test(the_own_user_may_change_after_the_bound),
		cmocka_unit_test(root_gets_nothing_back_by_a_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
