#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <unistd.h>

#include "base/datadir.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/check/checkup.h"
#include "daemon/gc.h"
#include "daemon/hardware_file.h"
#include "daemon/keeper.h"
#include "daemon/machine.h"
#include "daemon/options.h"
#include "daemon/owner.h"
#include "daemon/run_role.h"
#include "daemon/words/words.h"
#include "store/audit.h"
#include "store/store.h"

/* Exit statuses of the words (design 2): 2 for bad input, 3 where something else has the name. */
enum { EXIT_FAILED = 1, EXIT_INVALID = 2, EXIT_TAKEN = 3 };

static int exit_status(enum err_kind kind)
{
	switch (kind) {
	case ERR_INVALID:
		return EXIT_INVALID;
	case ERR_EXISTS:
		return EXIT_TAKEN;
	default:
		return EXIT_FAILED;
	}
}

static void print_help(void)
{
	fputs("usage: espaced [--data DIR] [--SETTING VALUE]... [WORD ...]\n"
	      "\n"
	      "Without a word: serve the hub of DIR (default /var/lib/espace) until SIGTERM, "
	      "which\n"
	      "leaves Spaces running, or SIGINT, which ends everything.\n"
	      "\n"
	      "  init                              make the data directory\n"
	      "  user add NAME [--fullname F] [--email E] [--admin]\n"
	      "  org add NAME [--fullname F] [--private-by-default] [--member USER:ROLE]...\n"
	      "  org member NAME USER:admin|write|contributor|read|none\n"
	      "  token add USER [--role read|write|fine-grained] [--name N] [--value hf_...]\n"
	      "            [--scope repo.read|repo.write:NS[/NAME]]...\n"
	      "  token revoke USER NAME\n"
	      "  grant USER|ORG --hardware FLAVOR [--hours H | --revoke]\n"
	      "  audit [--actor A] [--target NS/NAME] [--action X] [--since T] [--until T]\n"
	      "        [--limit N] [--json]        who changed what, newest first\n"
	      "  audit --verify [--head ID:HASH]   is every row as it was written?\n"
	      "  prepare                           make the base system of Spaces now\n"
	      "  gc                                remove what nothing uses any more\n"
	      "  check [--repair]                  find what is damaged; mend what is safe\n"
	      "  stop                              end everything of DIR\n"
	      "\n"
	      "Settings, in DIR/espace.conf or as options (sleep.min = --sleep-min):\n",
	      stdout);
	settings_help(stdout);
}

/* "add" of "user add NAME"; NULL where a name or an option follows at once. */
static const char *second_word(const struct options *options)
{
	static const char *const seconds[] = {"add", "member", "revoke"};

	for (size_t i = 0; options->rest_count > 1 && i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (strcmp(options->rest[1], seconds[i]) == 0)
			return seconds[i];
	return NULL;
}

/* A word on the store: one of the two. */
struct store_word {
	int (*plain)(struct store *store, int argc, char **argv, FILE *out, struct err *err);
	int (*with_hardware)(const struct words_call *call, struct err *err);
};

static int say_word(const struct store_word *word, const struct options *options,
		    const struct datadir *dir, struct words_call *call, struct err *err)
{
	owned(hardware_free) struct hardware *hardware = NULL;

	if (word->plain)
		return word->plain(call->store, call->argc, call->argv, call->out, err);
	if (hardware_file_open(dir, (const char *const *)options->settings.hardware_cdi.items,
			       &hardware, err) < 0)
		return -1;
	call->hardware = hardware;
	return word->with_hardware(call, err);
}

static int store_word(const struct options *options, const struct store_word *word, struct err *err)
{
	owned(datadir_done) struct datadir dir = {.fd = -1};
	owned(store_close) struct store *store = NULL;
	owned(free) char *path = NULL;
	owned(free) char *via = NULL;
	const char *second = second_word(options);
	struct audit_who who;
	char caller[32];

	/* Before it becomes the owner's. */
	snprintf(caller, sizeof(caller), "uid %lu", (unsigned long)getuid());
	if (owner_become(options->data, err) < 0 || datadir_open(options->data, &dir, err) < 0)
		return -1;
	path = datadir_path(&dir, "espace.db");
	if (store_open(path, &store, err) < 0)
		return -1;
	via = mem_format("espaced %s%s%s", options->rest[0], second ? " " : "",
			 second ? second : "");
	who = (struct audit_who){.actor = caller, .address = "local", .via = via};
	store_sign(store, &who);
	return say_word(word, options, &dir,
			&(struct words_call){.store = store,
					     .argc = options->rest_count - 1,
					     .argv = options->rest + 1,
					     .out = stdout},
			err);
}

/* 0 done, 1 done and its answer is no, -1 failed. */
static int run_word(const struct options *options, struct err *err)
{
	static const struct {
		const char *name;
		int (*plain)(const struct options *options, struct err *err);
		int (*with_words)(const struct options *options, struct err *err);
		struct store_word with_store;
	} words[] = {
		{"init", .plain = machine_init},
		{"prepare", .plain = machine_prepare},
		{"stop", .plain = machine_stop},
		{"@hub", .plain = run_role_hub},
		{"@runner", .plain = run_role_runner},
		{"gc", .plain = gc_word},
		{"check", .with_words = checkup_word},
		{"user", .with_store.plain = words_user},
		{"org", .with_store.plain = words_org},
		{"token", .with_store.plain = words_token},
		{"audit", .with_store.plain = words_audit},
		{"usage", .with_store.plain = words_usage},
		{"grant", .with_store.with_hardware = words_grant},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].name, options->rest[0]) != 0)
			continue;
		if (words[i].with_store.plain || words[i].with_store.with_hardware)
			return store_word(options, &words[i].with_store, err);
		if (words[i].with_words)
			return words[i].with_words(options, err);
		if (options->rest_count > 1)
			return err_set(err, ERR_INVALID, "%s takes no further words",
				       words[i].name);
		return words[i].plain(options, err);
	}
	return err_set(err, ERR_INVALID, "there is no word \"%s\", see espaced --help",
		       options->rest[0]);
}

static int serve(const struct options *options, struct err *err)
{
	owned(close) int locked = -1;
	owned(datadir_done) struct datadir dir = {.fd = -1};
	struct swap_plan swap; /* the runner's; here it would only fail, again and again */

	/* What our starter had open is nothing to any of our children. */
	if (close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		return err_sys(err, "close_range");
	if (swap_parse(options->settings.sleep_swap, &swap, err) < 0 ||
	    machine_claim(options, &locked, err) < 0 ||
	    datadir_open(options->data, &dir, err) < 0 || hardware_file_check(&dir, err) < 0)
		return -1;
	return keeper_run(&(struct keeper_config){.dir = &dir,
						  .settings = &options->settings,
						  .options = options->words_before},
			  err);
}

static int run(const struct options *options, struct err *err)
{
	if (options->help) {
		print_help();
		return 0;
	}
	if (options->version) {
		puts("espaced " ESPACE_VERSION);
		return 0;
	}
	if (options->manual) {
		settings_manual(stdout);
		return 0;
	}
	return options->rest_count ? run_word(options, err) : serve(options, err);
}

/* Which of our processes this is, for the log. */
static const char *process_name(const struct options *options)
{
	if (!options->rest_count)
		return "keeper";
	return options->rest[0][0] == '@' ? options->rest[0] + 1 : "espaced";
}

static int set_log(const struct options *options, struct err *err)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], options->settings.log_level)) {
			log_setup(process_name(options), (enum log_level)i);
			return 0;
		}
	return err_set(err, ERR_INVALID, "log.level: \"%s\" is none of error, warn, info, debug",
		       options->settings.log_level);
}

int main(int argc, char **argv)
{
	owned(options_done) struct options options = {0};
	struct err err = ERR_INIT;

	if (!options_parse(argc, argv, &options, &err) && !set_log(&options, &err)) {
		int result = run(&options, &err);

		if (result >= 0)
			return result > 0 ? EXIT_FAILED : 0;
	}
	fprintf(stderr, "espaced: %s\n", err.text);
	return exit_status(err.kind);
}
