#include "api/path.h"

#include <string.h>
#include <strings.h>

#include "base/name.h"

static bool has_component(const char *path, const char *name)
{
	size_t length = strlen(name);

	while (path) {
		if (strncasecmp(path, name, length) == 0 &&
		    (path[length] == '/' || path[length] == '\0'))
			return true;
		path = strchr(path, '/');
		if (path)
			path++;
	}
	return false;
}

int path_check(const char *path, struct err *err)
{
	if (name_path_is_valid(path) && !has_component(path, ".cache"))
		return 0;
	return err_set(err, ERR_UNPROCESSED, "the path \"%.200s\" is not allowed in a repository",
		       path);
}
