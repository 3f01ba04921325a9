#include "repo/packed.h"

#include <string.h>

#include "base/file.h"
#include "repo/git.h"

#define PACKED "packed-refs"

/* A million references. */
enum { PACKED_MAX_BYTES = 128 << 20 };

static char *next_line(char *line)
{
	char *end = strchrnul(line, '\n');

	return end + (*end == '\n');
}

/*
 * A reference is a line "ID NAME"; behind that of an annotated tag stands "^ID", the commit.
 * Returns where the line begins, NULL where there is none.
 */
static char *find_line(char *text, const char *name)
{
	size_t length = strlen(name);

	for (char *line = text; *line; line = next_line(line))
		if (strcspn(line, "\n") == GIT_HEX + length && line[GIT_HEX - 1] == ' ' &&
		    memcmp(line + GIT_HEX, name, length) == 0)
			return line;
	return NULL;
}

int packed_remove(int repo_fd, const char *name, struct err *err)
{
	owned(str_done) struct str text = str_new(PACKED_MAX_BYTES);
	char *line, *next;

	if (file_read(repo_fd, PACKED, &text, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	line = find_line(text.data, name);
	if (!line)
		return 0;
	next = next_line(line);
	if (*next == '^')
		next = next_line(next);
	memmove(line, next, strlen(next) + 1);
	return file_write(repo_fd, PACKED, text.data, strlen(text.data), 0600, err);
}
