#include "api/path.h"

#include "base/name.h"

int path_check(const char *path, struct err *err)
{
	const char *fault = name_path_fault(path);

	if (!fault)
		return 0;
	return err_set(err, ERR_UNPROCESSED,
		       "the path \"%.200s\" is not allowed in a repository: %s", path, fault);
}
