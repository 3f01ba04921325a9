#include "daemon/options.h"

#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define DATA_DEFAULT "/var/lib/espace"

enum { CONF_MAX = 1 << 20 };

/* Options that are no setting. */
static int other_option(void *arg, int argc, char **argv, struct err *err)
{
	struct options *options = arg;

	if (!strcmp(argv[0], "--help"))
		return (options->help = true);
	if (!strcmp(argv[0], "--version"))
		return (options->version = true);
	if (!strcmp(argv[0], "--manual"))
		return (options->manual = true);
	if (str_starts(argv[0], "--data=")) {
		options->data = argv[0] + strlen("--data=");
		return 1;
	}
	if (strcmp(argv[0], "--data") != 0)
		return 0;
	if (argc < 2)
		return err_set(err, ERR_INVALID, "--data needs a directory");
	options->data = argv[1];
	return 2;
}

static int read_conf(struct options *options, struct err *err)
{
	owned(free) char *path = mem_format("%s/espace.conf", options->data);
	owned(str_done) struct str text = str_new(CONF_MAX);

	if (file_read(AT_FDCWD, path, &text, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	return settings_parse(&options->settings, "espace.conf", text.data, err);
}

int options_parse(int argc, char **argv, struct options *out, struct err *err)
{
	owned(options_done) struct options options = {.data = DATA_DEFAULT};
	int used;

	/* Twice: the first look finds the directory whose file comes before the options. */
	settings_init(&options.settings);
	if (settings_options(&options.settings, argc - 1, argv + 1, other_option, &options, &used,
			     err) < 0)
		return -1;
	settings_done(&options.settings);
	settings_init(&options.settings);
	if (read_conf(&options, err) < 0 ||
	    settings_options(&options.settings, argc - 1, argv + 1, other_option, &options, &used,
			     err) < 0)
		return -1;
	options.words_before = mem_array((size_t)used + 1, sizeof(*options.words_before));
	for (int i = 0; i < used; i++)
		options.words_before[i] = argv[1 + i];
	options.rest = argv + 1 + used;
	options.rest_count = argc - 1 - used;
	*out = options;
	options = (struct options){0};
	return 0;
}

void options_done(struct options *options)
{
	settings_done(&options->settings);
	free(options->words_before);
	*options = (struct options){0};
}
