#include "daemon/check/checkup.h"

#include "base/mem.h"
#include "daemon/keeper.h"
#include "daemon/words/usage.h"

/* Until the word ends no hub may start where things are mended; and none runs now. */
static int find_hub(struct checkup *checkup, int *locked, struct err *err)
{
	int fd = -1;

	if (keeper_lock(checkup->dir->path, &fd, err) < 0) {
		checkup->hub_runs = true;
		return err->kind == ERR_BUSY ? 0 : -1;
	}
	if (checkup->repairs)
		*locked = fd;
	else
		close(fd);
	return 0;
}

int checkup_word(const struct options *options, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(close) int locked = -1;
	owned(free) char *caller = mem_format("uid %lu", (unsigned long)getuid());
	struct checkup checkup = {.settings = &options->settings,
				  .dir = &dir,
				  .is_root = geteuid() == 0,
				  .out = stdout,
				  .caller = caller};
	const struct usage_option flags[] = {{"--repair", USAGE_FLAG, &checkup.repairs}};
	const struct usage usage = {"check [--repair]", flags, 1, NULL, 0};
	int result;

	if (usage_parse(&usage, options->rest_count - 1, options->rest + 1, err) < 0 ||
	    datadir_open(options->data, &dir, err) < 0 || find_hub(&checkup, &locked, err) < 0)
		return -1;
	result = checkup_run(&checkup, checkup_areas, err);
	checkup_done(&checkup);
	return result;
}
