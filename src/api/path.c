#include "api/path.h"

#include <string.h>

#include "base/name.h"
#include "base/str.h"

int path_check(const char *path, struct err *err)
{
	const char *fault = name_path_fault(path);

	if (!fault)
		return 0;
	return err_set(err, ERR_UNPROCESSED,
		       "the path \"%.200s\" is not allowed in a repository: %s", path, fault);
}

/* Does `rest` go on as one of the calls, or end here where that is one? */
static bool is_call(const char *rest, const char *const *calls)
{
	for (; *calls; calls++)
		if (str_starts(rest, *calls))
			return true;
	return false;
}

bool path_names_short_repo(const char *address)
{
	static const char *const kinds[] = {"/api/models/", "/api/datasets/", "/api/spaces/"};
	static const char *const calls[] = {"/revision/", "/tree/", "/paths-info/",
					    "/commits/",  "/refs",  NULL};
	static const char *const files[] = {"/resolve/", "/raw/", NULL};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *rest = address + strlen(kinds[i]);

		if (!str_starts(address, kinds[i]))
			continue;
		rest += strcspn(rest, "/");
		return rest > address + strlen(kinds[i]) && (*rest == '\0' || is_call(rest, calls));
	}
	return *address == '/' && is_call(address + 1 + strcspn(address + 1, "/"), files);
}
