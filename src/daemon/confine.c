#include "daemon/confine.h"

#include "base/log.h"
#include "daemon/callfilter.h"
#include "daemon/fence.h"
#include "daemon/settings.h"

enum { PATHS_MAX = 32 + SETTINGS_LIST_MAX };

int confine_hub(const struct datadir *dir, char *const *folders, struct err *err)
{
	struct fence_path paths[PATHS_MAX] = {
		{dir->path, FENCE_WRITE},
		{"/proc", FENCE_READ},                   /* which workers of nginx live */
		{"/sys/devices/system/cpu", FENCE_READ}, /* how many processors there are */
		{"/dev/null", FENCE_WRITE},
		{"/dev/urandom", FENCE_READ},
		{"/etc/ssl/openssl.cnf", FENCE_READ}, /* libgit2 and libcrypto, at their start */
		{"/etc/ssl/certs", FENCE_READ},
		/* git, its libraries, and what starts a program (elf(5): PT_INTERP) */
		{"/usr/bin/git", FENCE_RUN},
		{"/usr/lib/git-core", FENCE_RUN},
		{"/lib64/ld-linux-x86-64.so.2", FENCE_RUN},
		{"/lib/ld-linux-aarch64.so.1", FENCE_RUN},
		{"/usr", FENCE_READ},
		{"/etc/ld.so.cache", FENCE_READ},
		{"/etc/gitconfig", FENCE_READ},
		{"/etc/gitattributes", FENCE_READ},
		{"/etc/localtime", FENCE_READ},
	};
	size_t count = 0;
	int version;

	while (paths[count].path)
		count++;
	for (; *folders; folders++)
		paths[count++] = (struct fence_path){*folders, FENCE_READ};
	if (fence_enter(paths, count, &version, err) < 0 || callfilter_enter(err) < 0)
		return err_in(err, "confine the hub");
	if (!version)
		log_info("hub.open", "files=\"this kernel has no Landlock\"");
	log_info("hub.confined", "files=%d calls=yes", version);
	return 0;
}
