#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#include "fuzz.h"

/*
 * Gives each file of the folders on the command line to a fuzzer, once: so every corpus is an
 * ordinary test too, with any compiler.
 */
enum { INPUT_MAX_BYTES = 16 << 20 };

static int replay_file(DIR *dir, const char *name, struct err *err)
{
	owned(str_done) struct str text = str_new(INPUT_MAX_BYTES);

	if (file_read(dirfd(dir), name, &text, err) < 0)
		return -1;

	/* An allocation of just that size, so that AddressSanitizer sees what is read behind it. */
	owned(free) uint8_t *bytes = malloc(text.length ? text.length : 1);

	for (size_t i = 0; i < text.length; i++)
		bytes[i] = (uint8_t)text.data[i];
	LLVMFuzzerTestOneInput(bytes, text.length);
	return 0;
}

static int replay_folder(const char *path, struct err *err)
{
	owned(closedir) DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		return err_sys(err, "open %s", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay_file(dir, entry->d_name, err) < 0)
			return -1;
		count++;
	}
	printf("%zu inputs of %s\n", count, path);
	return count ? 0 : err_set(err, ERR_NOT_FOUND, "%s is empty", path);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	for (int i = 1; i < argc; i++) {
		if (replay_folder(argv[i], &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
	}
	return 0;
}
