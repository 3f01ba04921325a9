#include "base/meminfo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

enum { TEXT_MAX = 64 * 1024 };

static int find_line(const char *text, const char *name, uint64_t *out, struct err *err)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		uint64_t kib;

		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		if (sscanf(line + length + 1, "%" SCNu64 " kB", &kib) != 1 ||
		    kib > UINT64_MAX / 1024)
			break;
		*out = kib * 1024;
		return 0;
	}
	return err_set(err, ERR_INVALID, "/proc/meminfo has no %s", name);
}

int meminfo_parse(const char *text, struct meminfo *out, struct err *err)
{
	if (find_line(text, "MemTotal", &out->memory, err) < 0 ||
	    find_line(text, "MemAvailable", &out->memory_left, err) < 0 ||
	    find_line(text, "SwapTotal", &out->swap, err) < 0)
		return -1;
	return find_line(text, "SwapFree", &out->swap_left, err);
}

int meminfo_read(struct meminfo *out, struct err *err)
{
	owned(str_done) struct str text = str_new(TEXT_MAX);

	if (file_read(AT_FDCWD, "/proc/meminfo", &text, err) < 0)
		return -1;
	return meminfo_parse(text.data, out, err);
}
