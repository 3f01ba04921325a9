#include "daemon/exe.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define DELETED " (deleted)"

int exe_self(char **out, struct err *err)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return err_sys(err, "find this program");
	path[length] = '\0';
	/* An upgrade has replaced us: the name is the new program's (proc(5)). */
	if (str_ends(path, DELETED))
		path[length - (ssize_t)strlen(DELETED)] = '\0';
	*out = mem_text(path);
	return 0;
}

int exe_companion(const char *name, char **out, struct err *err)
{
	static const char *const folders[] = {"", "../lib/espace/"};
	owned(free) char *self = NULL;

	if (exe_self(&self, err) < 0)
		return -1;
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		owned(free) char *path = mem_format("%s/%s%s", self, folders[i], name);
		char real[PATH_MAX];

		if (realpath(path, real) && !access(real, R_OK)) {
			*out = mem_text(real);
			return 0;
		}
	}
	return err_set(err, ERR_NOT_FOUND, "%s is missing beside espaced: run scripts/build", name);
}
