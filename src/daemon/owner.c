#include "daemon/owner.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

int owner_become(const char *data, struct err *err)
{
	struct stat info;

	if (stat(data, &info) < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND,
			       "there is no data directory %s: make it by espaced --data %s init",
			       data, data);
	if (stat(data, &info) < 0)
		return err_sys(err, "look at %s", data);
	if (geteuid() != 0)
		return 0;
	if (info.st_uid == 0)
		return err_set(err, ERR_INVALID,
			       "%s belongs to root and is no data directory: make one by espaced "
			       "--data DIR init",
			       data);
	if (setgroups(0, NULL) < 0 || setresgid(info.st_gid, info.st_gid, info.st_gid) < 0 ||
	    setresuid(info.st_uid, info.st_uid, info.st_uid) < 0)
		return err_sys(err, "become the owner of %s", data);
	return 0;
}
