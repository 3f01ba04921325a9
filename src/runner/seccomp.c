#include "runner/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

#define PROFILE "/usr/share/containers/seccomp.json"

enum { PROFILE_MAX_BYTES = 1024 * 1024 };

/* Machines: uname(2), libseccomp's name, and the names that the profile has for it. */
static const struct machine {
	const char *name;
	const char *architecture;
	const char *aliases[3];
} machines[] = {
	{"x86_64", "SCMP_ARCH_X86_64", {"amd64", "x32", "x86"}},
	{"aarch64", "SCMP_ARCH_AARCH64", {"arm64", "arm", NULL}},
};

/*
 * Refused although the profile allows them: EPERM, as the kernel says to those without the right.
 * Mounts, namespaces, keys; the machine's own log (syslog), which holds what concerns others; and
 * reboot.
 */
static const char *const refused[] = {
	"mount",      "umount",        "umount2", "pivot_root", "open_tree",
	"move_mount", "mount_setattr", "fsopen",  "fsmount",    "fspick",
	"fsconfig",   "unshare",       "setns",   "add_key",    "keyctl",
	"syslog",     "request_key",   "reboot",  NULL,
};

/*
 * ENOSYS, the profile's default: the C library then takes the older call. A filter can't look into
 * the structure that clone3() points to.
 */
static const char *const unknown[] = {
	"clone",
	"clone3",
	"socket",
	"socketcall",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	NULL,
};

/* Kinds of sockets that an app needs (socket.h): all others are large, rarely used parts of the
 * kernel, and AF_VSOCK leads to the host of a virtual machine. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
enum { FAMILY_LAST = AF_NETLINK };

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (sched.h). */
enum { CLONE_NEW_FLAGS = 0x7e020000 };

static bool is_in(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static bool is_allowed_family(int family)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i] == family)
			return true;
	return false;
}

static bool fits_architecture(const json_t *arches, const struct machine *machine)
{
	size_t i;
	json_t *arch;

	if (json_array_size(arches) == 0)
		return true;
	json_array_foreach (arches, i, arch)
		for (size_t k = 0; k < 3 && machine->aliases[k]; k++)
			if (json_is_string(arch) &&
			    strcmp(json_string_value(arch), machine->aliases[k]) == 0)
				return true;
	return false;
}

/* A run has no capability: rules for those who have one don't fit, rules for those without do. */
static bool fits(const json_t *rule, const struct machine *machine)
{
	const json_t *includes = json_object_get(rule, "includes");

	return json_array_size(json_object_get(includes, "caps")) == 0 &&
	       fits_architecture(json_object_get(includes, "arches"), machine);
}

static json_t *kept_names(const json_t *rule)
{
	json_t *names = json_array();
	size_t i;
	json_t *name;

	json_array_foreach (json_object_get(rule, "names"), i, name)
		if (json_is_string(name) && !is_in(refused, json_string_value(name)) &&
		    !is_in(unknown, json_string_value(name)))
			json_array_append(names, name);
	return names;
}

static void add_rule(json_t *rules, const json_t *rule)
{
	static const char *const keys[] = {"action", "args", "errnoRet"};
	json_t *names = kept_names(rule);
	json_t *copy;

	if (json_array_size(names) == 0) {
		json_decref(names);
		return;
	}
	copy = json_pack("{so}", "names", names);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(rule, keys[i]);

		if (value && !json_is_null(value))
			json_object_set_new(copy, keys[i], json_deep_copy(value));
	}
	json_array_append_new(rules, copy);
}

static void add_refusal(json_t *rules, json_t *args, int number)
{
	json_array_append_new(rules, json_pack("{s[s], ss, si, so}", "names", "socket", "action",
					       "SCMP_ACT_ERRNO", "errnoRet", number, "args", args));
}

static json_t *argument(int index, int64_t value, const char *op)
{
	return json_pack("{si, sI, ss}", "index", index, "value", (json_int_t)value, "op", op);
}

/*
 * A filter can't say "none of these", so each refused family below the last is named. Netlink is
 * for reading one's own addresses and routes; its other protocols are for administrators.
 */
static void add_socket_rules(json_t *rules)
{
	for (int family = 0; family <= FAMILY_LAST; family++) {
		json_t *args = json_pack("[o]", argument(0, family, "SCMP_CMP_EQ"));

		if (!is_allowed_family(family)) {
			add_refusal(rules, args, EAFNOSUPPORT);
			continue;
		}
		if (family == AF_NETLINK)
			json_array_append_new(args, argument(2, NETLINK_ROUTE, "SCMP_CMP_EQ"));
		json_array_append_new(rules, json_pack("{s[s], ss, so}", "names", "socket",
						       "action", "SCMP_ACT_ALLOW", "args", args));
	}
	add_refusal(rules, json_pack("[o]", argument(0, FAMILY_LAST, "SCMP_CMP_GT")), EAFNOSUPPORT);
	add_refusal(rules,
		    json_pack("[o, o]", argument(0, AF_NETLINK, "SCMP_CMP_EQ"),
			      argument(2, NETLINK_ROUTE, "SCMP_CMP_NE")),
		    EPROTONOSUPPORT);
}

static void add_own_rules(json_t *rules)
{
	json_t *names = json_array();

	for (size_t i = 0; refused[i]; i++)
		json_array_append_new(names, json_string(refused[i]));
	json_array_append_new(rules, json_pack("{so, ss, si}", "names", names, "action",
					       "SCMP_ACT_ERRNO", "errnoRet", EPERM));
	json_array_append_new(rules, json_pack("{s[s], ss, s[{si, sI, sI, ss}]}", "names", "clone",
					       "action", "SCMP_ACT_ALLOW", "args", "index", 0,
					       "value", (json_int_t)CLONE_NEW_FLAGS, "valueTwo",
					       (json_int_t)0, "op", "SCMP_CMP_MASKED_EQ"));
	add_socket_rules(rules);
}

static const struct machine *find_machine(const char *architecture)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(machines[i].architecture, architecture) == 0)
			return &machines[i];
	return NULL;
}

int runner_seccomp_convert(const json_t *profile, const char *architecture, json_t **out,
			   struct err *err)
{
	const struct machine *machine = find_machine(architecture);
	const json_t *source = json_object_get(profile, "syscalls");
	json_t *rules;
	size_t i;
	json_t *rule;

	if (!machine)
		return err_set(err, ERR_INVALID, "no system call filter for %s", architecture);
	if (json_array_size(source) == 0)
		return err_set(err, ERR_INVALID, "the profile of system calls is empty");
	rules = json_array();
	json_array_foreach (source, i, rule)
		if (fits(rule, machine))
			add_rule(rules, rule);
	add_own_rules(rules);
	/* The native one alone: calls of 32-bit programs, and of x32, end who makes them. */
	*out = json_pack("{ss, si, s[s], so}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet",
			 ENOSYS, "architectures", architecture, "syscalls", rules);
	return 0;
}

int runner_seccomp_load(json_t **out, struct err *err)
{
	owned(str_done) struct str text = str_new(PROFILE_MAX_BYTES);
	owned(json_decref) json_t *profile = NULL;
	struct utsname name;

	if (file_read(AT_FDCWD, PROFILE, &text, err) < 0 ||
	    json_parse(text.data, text.length, &profile, err) < 0)
		return err_in(err, "profile of system calls");
	uname(&name);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(machines[i].name, name.machine) == 0)
			return runner_seccomp_convert(profile, machines[i].architecture, out, err);
	return err_set(err, ERR_SYSTEM, "no system call filter for %s", name.machine);
}
