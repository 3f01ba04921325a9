#include "runner/bundle.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/request.h"
#include "runner/cgroup.h"
#include "runner/devices.h"
#include "runner/toml.h"

enum {
	APP_USER = 1000,
	OPEN_FILES_SOFT = 1024, /* what programs that use select() can bear; they may raise it */
	OPEN_FILES_HARD = 65536,
	OOM_SCORE = 500, /* Spaces are killed before anything of the machine's own */
	CPU_PERIOD_US = 100 * 1000,
	ADDRESS_ROOM = 16,
	HOSTNAME_ROOM = 24,
};

static const char *address_text(uint32_t address, char out[static ADDRESS_ROOM])
{
	struct in_addr in = {.s_addr = htonl(address)};

	return inet_ntop(AF_INET, &in, out, ADDRESS_ROOM);
}

static void hostname(const struct engine_spec *spec, char out[static HOSTNAME_ROOM])
{
	snprintf(out, HOSTNAME_ROOM, "%s-%.8s", spec->kind == ENGINE_APP ? "space" : "build",
		 spec->space);
}

static json_t *strings(const char *const *texts)
{
	json_t *list = json_array();

	for (; texts && *texts; texts++)
		json_array_append_new(list, json_stringn_nocheck(*texts, strlen(*texts)));
	return list;
}

static json_t *arguments(const struct engine_spec *spec)
{
	json_t *list = json_pack("[s, s]", "/run/espace-init", "--");
	json_t *own = strings(spec->argv);

	json_array_extend(list, own);
	json_decref(own);
	return list;
}

/* Without CAP_SYS_RESOURCE nobody can go above what he has himself. */
static json_t *limits(void)
{
	struct rlimit files = {.rlim_max = OPEN_FILES_HARD};

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max > OPEN_FILES_HARD)
		files.rlim_max = OPEN_FILES_HARD;
	return json_pack("[{ss, sI, si}, {ss, si, si}]", "type", "RLIMIT_NOFILE", "hard",
			 (json_int_t)files.rlim_max, "soft", OPEN_FILES_SOFT, "type", "RLIMIT_CORE",
			 "hard", 0, "soft", 0);
}

static int oom_score(void)
{
	owned(str_done) struct str text = str_new(32);
	struct err err = ERR_INIT; /* unreadable: the default will do */
	long own = 0;

	if (file_read(AT_FDCWD, "/proc/self/oom_score_adj", &text, &err) == 0)
		own = strtol(text.data, NULL, 10);
	return own > OOM_SCORE ? (int)own : OOM_SCORE;
}

static json_t *process(const struct engine_spec *spec)
{
	/* A shared build is root of its container, so that its files are, and has no right of root.
	 */
	bool as_root = spec->kind == ENGINE_BUILD && strcmp(spec->cache, "shared") == 0;
	int user = as_root ? 0 : APP_USER;

	return json_pack("{sb, s{si, si}, so, so, ss, sb, si, s{s[], s[], s[], s[], s[]}, so}",
			 "terminal", 0, "user", "uid", user, "gid", user, "args", arguments(spec),
			 "env", strings(spec->env), "cwd", spec->cwd, "noNewPrivileges", 1,
			 "oomScoreAdj", oom_score(), "capabilities", "bounding", "effective",
			 "permitted", "inheritable", "ambient", "rlimits", limits());
}

struct mount_row {
	const char *destination;
	const char *type;
	const char *source; /* a bind: a name in the bundle */
	const char *options[8];
};

static const struct mount_row system_mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=64k"}},
	{"/dev/pts",
	 "devpts",
	 "devpts",
	 {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm",
	 "tmpfs",
	 "shm",
	 {"nosuid", "noexec", "nodev", "mode=1777", "size=256m", "nr_inodes=64k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/run/espace-init", "bind", "init", {"bind", "ro", "nosuid", "nodev"}},
	{"/etc/hosts", "bind", "hosts", {"bind", "ro", "nosuid", "nodev", "noexec"}},
	{"/etc/hostname", "bind", "hostname", {"bind", "ro", "nosuid", "nodev", "noexec"}},
	{"/etc/resolv.conf", "bind", "resolv.conf", {"bind", "ro", "nosuid", "nodev", "noexec"}},
};

/* A build's /tmp is on the bounded disk instead: source builds need more than memory. */
static const struct mount_row app_mounts[] = {
	{"/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", "size=1g", "nr_inodes=256k"}},
};

static const struct mount_row secrets_mounts[] = {
	{"/home/user/.streamlit/secrets.toml",
	 "bind",
	 "secrets.toml",
	 {"bind", "ro", "nosuid", "nodev", "noexec"}},
};

static const struct mount_row data_mounts[] = {
	{"/data", "bind", "data", {"bind", "rw", "nosuid", "nodev", "noatime"}},
};

static const struct mount_row build_mounts[] = {
	{"/build", "bind", "build", {"bind", "rw", "nosuid", "nodev"}},
	{"/in", "bind", "in", {"bind", "ro", "nosuid", "nodev"}},
	{"/usr/local/bin/uv", "bind", "uv", {"bind", "ro", "nosuid", "nodev"}},
	{"/run/steps", "bind", "steps", {"bind", "ro", "nosuid", "nodev"}},
};

static void add_mounts(json_t *list, const struct mount_row *rows, size_t count, const char *bundle)
{
	for (size_t i = 0; i < count; i++) {
		bool is_bind = strcmp(rows[i].type, "bind") == 0;
		owned(free) char *source = is_bind ? mem_format("%s/%s", bundle, rows[i].source)
						   : mem_text(rows[i].source);

		json_array_append_new(list,
				      json_pack("{ss, ss, ss, so}", "destination",
						rows[i].destination, "type", rows[i].type, "source",
						source, "options", strings(rows[i].options)));
	}
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static json_t *mounts(const struct datadir *dir, const struct engine_spec *spec)
{
	owned(free) char *bundle = datadir_path(dir, "run/bundles/%s", spec->key);
	json_t *list = json_array();

	add_mounts(list, system_mounts, COUNT(system_mounts), bundle);
	if (spec->kind == ENGINE_APP)
		add_mounts(list, app_mounts, COUNT(app_mounts), bundle);
	else
		add_mounts(list, build_mounts, COUNT(build_mounts), bundle);
	if (spec->data_bytes > 0)
		add_mounts(list, data_mounts, COUNT(data_mounts), bundle);
	if (spec->secrets_from > 0)
		add_mounts(list, secrets_mounts, COUNT(secrets_mounts), bundle);
	return list;
}

static json_t *namespaces(void)
{
	static const char *const types[] = {"pid",    "ipc",     "uts", "mount",
					    "cgroup", "network", "user"};
	json_t *list = json_array();

	for (size_t i = 0; i < COUNT(types); i++)
		json_array_append_new(list, json_pack("{ss}", "type", types[i]));
	return list;
}

/* `starts`: it is an app, and its first seconds are what somebody waits for. */
static json_t *resources(const struct engine_limits *wanted, bool starts)
{
	json_int_t memory = (json_int_t)wanted->memory_bytes;
	json_int_t quota = (json_int_t)wanted->cpu_milli * CPU_PERIOD_US / 1000;
	json_int_t shares = (json_int_t)cgroup_shares(wanted->cpu_milli, starts);
	json_t *limit = json_pack("{sI}", "limit", memory);

	/* Memory plus swap: nothing is gained by swapping while awake. */
	if (cgroup_counts_swap())
		json_object_set_new(limit, "swap", json_integer(memory));
	return json_pack("{s[{sb, ss}], so, s{sI, si, sI}, s{sI}}", "devices", "allow", 0, "access",
			 "rwm", "memory", limit, "cpu", "quota", quota, "period", CPU_PERIOD_US,
			 "shares", shares, "pids", "limit", (json_int_t)wanted->pids);
}

static json_t *linux_part(const struct datadir *dir, const struct engine_spec *spec, unsigned slot,
			  const json_t *seccomp)
{
	static const char *const masked[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/interrupts", /* when others type, and compute */
		"/proc/kcore",
		"/proc/key-users",
		"/proc/keys",
		"/proc/kmsg",
		"/proc/latency_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/sys/dev/block",
		"/sys/devices/virtual/powercap", /* tells what others compute */
		"/sys/firmware",
		NULL};
	static const char *const read_only[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
	owned(free) char *path = mem_format("/espace-%s/%s", dir->instance, spec->key);
	json_int_t ids = datadir_ids(dir, slot);
	json_t *map =
		json_pack("[{si, sI, si}]", "containerID", 0, "hostID", ids, "size", DATADIR_RANGE);

	return json_pack("{so, sO, so, ss, so, so, so, so}", "namespaces", namespaces(),
			 "uidMappings", map, "gidMappings", map, "cgroupsPath", path, "resources",
			 resources(&spec->limits, spec->kind == ENGINE_APP), "maskedPaths",
			 strings(masked), "readonlyPaths", strings(read_only), "seccomp",
			 json_deep_copy(seccomp));
}

json_t *bundle_config(const struct runner_config *config, const struct engine_spec *spec,
		      unsigned slot, const json_t *seccomp)
{
	char name[HOSTNAME_ROOM];

	hostname(spec, name);
	return json_pack("{ss, ss, s{ss, sb}, so, so, so}", "ociVersion", "1.0.2", "hostname", name,
			 "root", "path", "rootfs", "readonly", 0, "process", process(spec),
			 "mounts", mounts(config->dir, spec), "linux",
			 linux_part(config->dir, spec, slot, seccomp));
}

static int write_file(const struct datadir *dir, const char *key, const char *name,
		      const char *text, mode_t mode, struct err *err)
{
	owned(free) char *path = datadir_path(dir, "run/bundles/%s/%s", key, name);
	owned(close) int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) < 0)
		return err_sys(err, "write %s", name);
	return file_put(fd, text, strlen(text), err);
}

static int write_etc(const struct datadir *dir, const struct engine_spec *spec, unsigned slot,
		     struct err *err)
{
	char name[HOSTNAME_ROOM];
	char own[ADDRESS_ROOM];
	char gateway[ADDRESS_ROOM];
	owned(free) char *hosts = NULL;
	owned(free) char *host = NULL;
	owned(free) char *resolver = NULL;

	hostname(spec, name);
	address_text(datadir_address(dir, slot), own);
	address_text(datadir_address(dir, 1), gateway);
	/* A name server that did not know our own name would cost a start some seconds. */
	hosts = mem_format("127.0.0.1 localhost\n::1 localhost\n%s %s\n%s hub.espace\n", own, name,
			   gateway);
	host = mem_format("%s\n", name);
	resolver = mem_format("nameserver %s\noptions timeout:2 attempts:2\n", gateway);
	if (write_file(dir, spec->key, "hosts", hosts, 0644, err) < 0 ||
	    write_file(dir, spec->key, "hostname", host, 0644, err) < 0)
		return -1;
	return write_file(dir, spec->key, "resolv.conf", resolver, 0644, err);
}

/* For the app's user alone, whose id outside is the slot's. */
static int write_secrets(const struct datadir *dir, const struct engine_spec *spec, unsigned slot,
			 struct err *err)
{
	owned(str_done) struct str text = str_new_wiping((size_t)TOML_GROWTH_MAX * REQUEST_MAX);
	owned(free) char *path = datadir_path(dir, "run/bundles/%s/secrets.toml", spec->key);
	uid_t user = datadir_ids(dir, slot) + APP_USER;

	if (spec->secrets_from == 0)
		return 0;
	for (const char *const *at = spec->env + spec->secrets_from; *at; at++)
		toml_add(&text, *at);
	if (str_check(&text, "secrets.toml", err) < 0 ||
	    write_file(dir, spec->key, "secrets.toml", text.data, 0400, err) < 0)
		return -1;
	return chown(path, user, user) < 0 ? err_sys(err, "give secrets.toml away") : 0;
}

/* Hooks of devices run as the container's root and read it there. */
static int write_config(const struct runner_config *config, const struct engine_spec *spec,
			unsigned slot, json_t *json, struct err *err)
{
	owned(free) char *path = datadir_path(config->dir, "run/bundles/%s/config.json", spec->key);
	owned(free) char *text = NULL;
	uid_t root = datadir_ids(config->dir, slot);
	bool hooks = false;
	int result;

	if (devices_add(config->cdi, spec, json, &hooks, err) < 0)
		return -1;
	text = json_text(json);
	if (!text)
		return err_set(err, ERR_INVALID, "a text of run %s is not UTF-8", spec->key);
	result = write_file(config->dir, spec->key, "config.json", text, 0600, err);
	explicit_bzero(text, strlen(text));
	if (result == 0 && hooks && chown(path, root, root) < 0)
		return err_sys(err, "give config.json away");
	return result;
}

int bundle_write(const struct runner_config *config, const struct engine_spec *spec, unsigned slot,
		 const json_t *seccomp, struct err *err)
{
	owned(json_decref) json_t *json = bundle_config(config, spec, slot, seccomp);

	if (!json)
		return err_set(err, ERR_INVALID, "a text of run %s is not UTF-8", spec->key);
	if (write_config(config, spec, slot, json, err) < 0 ||
	    write_secrets(config->dir, spec, slot, err) < 0)
		return -1;
	return write_etc(config->dir, spec, slot, err);
}
