#include "daemon/rights.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (1ULL << (capability))

static const uint64_t sets[] = {
	[RIGHTS_MACHINE] = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |
			   BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_KILL) | BIT(CAP_SETGID) |
			   BIT(CAP_SETUID) | BIT(CAP_SETPCAP) | BIT(CAP_SETFCAP) | BIT(CAP_MKNOD) |
			   BIT(CAP_SYS_CHROOT) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_BIND_SERVICE) |
			   BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_RESOURCE),
	[RIGHTS_DOOR] = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_KILL) | BIT(CAP_SETGID) |
			BIT(CAP_SETUID),
	[RIGHTS_NONE] = 0,
};

int rights_bound(enum rights rights, struct err *err)
{
	int has;

	/* The kernel may know more capabilities than our headers: it says where they end. */

	for (int i = 0; (has = prctl(PR_CAPBSET_READ, i, 0, 0, 0)) >= 0; i++)
		if (has && !(sets[rights] & BIT(i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			return err_sys(err, "give up capability %d", i);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "give up new privileges");
	return 0;
}

static int limit_own(uint64_t kept, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(err, "ask for our capabilities");
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(kept >> 32 * i);
		data[i].effective &= data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return err_sys(err, "give up capabilities");
	return 0;
}

int rights_keep(enum rights rights, struct err *err)
{
	return rights_bound(rights, err) < 0 ? -1 : limit_own(sets[rights], err);
}
