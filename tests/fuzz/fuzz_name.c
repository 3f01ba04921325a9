#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/name.h"

/* What a path that was accepted must never do, said in another way than name.c says it. */
static void check_path(const char *path)
{
	owned(free) char *copy = mem_text(path);
	char *rest = copy;

	assert(strlen(path) <= NAME_PATH_MAX);
	for (char *part; (part = strsep(&rest, "/"));) {
		assert(*part);
		assert(strcmp(part, ".") != 0 && strcmp(part, "..") != 0);
		assert(strcasecmp(part, ".git") != 0);
	}
	for (; *path; path++)
		assert((unsigned char)*path >= 0x20 && *path != 0x7f && *path != '\\');
}

static void check_name(const char *name)
{
	assert(*name && strlen(name) <= NAME_MAX_LENGTH);
	assert(!strpbrk(name, "/\\ \n\r\t") && !strstr(name, ".."));
	assert(name_path_is_valid(name)); /* a name is safe as a part of a path */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	owned(free) char *text = mem_text_n((const char *)bytes, length);

	if (name_is_valid(text))
		check_name(text);
	if (name_path_is_valid(text))
		check_path(text);
	return 0;
}
