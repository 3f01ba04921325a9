#include "base/instance.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#define REGISTRY      "/run/espace"
#define INSTANCE_FILE "instance"

enum {
	FILE_MAX_BYTES = 4096,
	ADDRESS_ROOM = 16,
	POOL_MASK = 0xffff, /* of a /16 */
};

static void free_addresses(struct ifaddrs *list)
{
	if (list)
		freeifaddrs(list);
}
DEFINE_OWNED(struct ifaddrs *, free_addresses);

/* A decimal number that fills the text. */
static bool read_number(const char *text, uint32_t max, uint32_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;

	unsigned long value = strtoul(text, &end, 10);

	if (errno || *end || value > max)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool read_line(struct instance *instance, const char *key, const char *value)
{
	struct in_addr address;
	uint32_t block;

	if (strcmp(key, "id") == 0) {
		if (!hex_is(value, INSTANCE_ROOM - 1))
			return false;
		memcpy(instance->id, value, INSTANCE_ROOM);
		return true;
	}
	if (strcmp(key, "network") == 0) {
		if (inet_pton(AF_INET, value, &address) != 1)
			return false;
		instance->network = ntohl(address.s_addr);
		return true;
	}
	if (strcmp(key, "block") == 0) {
		if (!read_number(value, DATADIR_BLOCKS - 1, &block))
			return false;
		instance->block = block;
		return true;
	}
	return strcmp(key, "ids") == 0 && read_number(value, UINT32_MAX, &instance->ids_base);
}

int instance_read(int dirfd, struct instance *out, struct err *err)
{
	owned(str_done) struct str text = str_new(FILE_MAX_BYTES);
	struct instance read = {.id = ""};
	unsigned lines = 0;
	char *rest;

	if (file_read(dirfd, INSTANCE_FILE, &text, err) < 0)
		return -1;
	rest = text.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *equals = strchr(line, '=');

		if (!*line)
			continue;
		if (!equals)
			return err_set(err, ERR_INVALID, "the instance file is damaged");
		*equals = '\0';
		if (!read_line(&read, line, equals + 1))
			return err_set(err, ERR_INVALID, "the instance file has no usable %s",
				       line);
		lines++;
	}
	if (lines != 4 || !read.id[0] || !read.network || !read.ids_base ||
	    read.network % DATADIR_SLOTS)
		return err_set(err, ERR_INVALID, "the instance file is not complete");
	*out = read;
	return 0;
}

static int write_instance(int dirfd, const struct instance *instance, struct err *err)
{
	struct in_addr address = {.s_addr = htonl(instance->network)};
	char network[ADDRESS_ROOM];
	owned(free) char *text = mem_format("id=%s\nnetwork=%s\nblock=%u\nids=%u\n", instance->id,
					    inet_ntop(AF_INET, &address, network, sizeof(network)),
					    instance->block, instance->ids_base);

	return file_write(dirfd, INSTANCE_FILE, text, strlen(text), 0644, err);
}

/* The registry, locked until its descriptor is closed. */
static int open_registry(struct err *err)
{
	owned(close) int fd = -1;

	if (file_make_dirs(AT_FDCWD, REGISTRY, 0755, err) < 0)
		return -1;
	fd = open(REGISTRY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open " REGISTRY);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(err, "lock " REGISTRY);
	}
	return take_fd(&fd);
}

/* The live instance behind an entry of the registry. False where the entry is stale. */
static bool read_entry(int registry, const char *id, struct instance *out, struct stat *where)
{
	owned(str_done) struct str path = str_new(PATH_MAX);
	struct err err = ERR_INIT;

	if (file_read(registry, id, &path, &err) < 0)
		return false;

	owned(close) int fd = open(path.data, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fstat(fd, where) == 0 && instance_read(fd, out, &err) == 0 &&
	       strcmp(out->id, id) == 0;
}

/* What other directories of this machine hold. */
struct others {
	const struct stat *self;
	const char *id;              /* ours */
	bool id_taken;               /* we are a copy */
	bool blocks[DATADIR_BLOCKS]; /* taken ones */
};

static int read_others(int registry, struct others *others, struct err *err)
{
	owned(close) int fd = openat(registry, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	owned(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, "read " REGISTRY);
	take_fd(&fd);
	while ((entry = readdir(dir))) {
		struct instance other;
		struct stat where;

		if (!hex_is(entry->d_name, INSTANCE_ROOM - 1))
			continue; /* not of ours */
		if (!read_entry(registry, entry->d_name, &other, &where)) {
			unlinkat(registry, entry->d_name, 0);
			continue;
		}
		if (where.st_dev == others->self->st_dev && where.st_ino == others->self->st_ino)
			continue;
		others->blocks[other.block] = true;
		if (strcmp(other.id, others->id) == 0)
			others->id_taken = true;
	}
	return 0;
}

/*
 * Does an interface that is not ours lie in the /20? It counts with its whole network; one wider
 * than a pool counts with the /16 around its address, or a host in 10.0.0.0/8 had no free block.
 */
static bool meets(const struct ifaddrs *interface, const char *bridge, uint32_t network)
{
	if (!interface->ifa_addr || !interface->ifa_netmask ||
	    interface->ifa_addr->sa_family != AF_INET || strcmp(interface->ifa_name, bridge) == 0)
		return false;

	const struct sockaddr_in *address = (const void *)interface->ifa_addr;
	const struct sockaddr_in *netmask = (const void *)interface->ifa_netmask;
	uint32_t mask = ntohl(netmask->sin_addr.s_addr) | ~(uint32_t)POOL_MASK;
	uint32_t first = ntohl(address->sin_addr.s_addr) & mask;

	return first <= network + (DATADIR_SLOTS - 1) && (first | ~mask) >= network;
}

static bool is_used_by_host(const struct ifaddrs *interfaces, const char *id, uint32_t network)
{
	char bridge[IF_NAMESIZE];

	snprintf(bridge, sizeof(bridge), "es-%s", id);
	for (const struct ifaddrs *i = interfaces; i; i = i->ifa_next) {
		if (meets(i, bridge, network))
			return true;
	}
	return false;
}

static int choose(struct instance *instance, const struct others *others, uint32_t pool,
		  struct err *err)
{
	owned(free_addresses) struct ifaddrs *interfaces = NULL;
	unsigned wished = instance->block;

	if (getifaddrs(&interfaces) < 0)
		return err_sys(err, "list the network interfaces");
	for (unsigned i = 0; i < DATADIR_BLOCKS; i++) {
		unsigned block = (wished + i) % DATADIR_BLOCKS;
		uint32_t network = pool + block * (uint32_t)DATADIR_SLOTS;

		if (others->blocks[block] || is_used_by_host(interfaces, instance->id, network))
			continue;
		instance->block = block;
		instance->network = network;
		return 0;
	}
	return err_set(err, ERR_FULL,
		       "no network is free: each /20 of network.pool belongs to another data "
		       "directory or to an interface of this machine");
}

static int check_pool(uint32_t pool, uint32_t ids_base, struct err *err)
{
	const uint64_t ids =
		(uint64_t)DATADIR_RANGE * (1 + DATADIR_BLOCKS * (uint64_t)DATADIR_SLOTS);

	if (!pool || pool & POOL_MASK)
		return err_set(err, ERR_INVALID, "network.pool must be a /16 such as 10.213.0.0");
	if (!ids_base || ids_base + ids > UINT32_MAX)
		return err_set(err, ERR_INVALID, "ids.base must leave room for %llu user ids",
			       (unsigned long long)ids);
	return 0;
}

/* What the directory has, or the start of something new. */
static int read_or_invent(int dirfd, uint32_t ids_base, struct instance *out, struct err *err)
{
	struct instance found = {.ids_base = ids_base};
	unsigned char id[(INSTANCE_ROOM - 1) / 2];

	if (instance_read(dirfd, &found, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		random_bytes(id, sizeof(id));
		hex_write(id, sizeof(id), found.id);
	}
	if (found.ids_base != ids_base)
		return err_set(
			err, ERR_INVALID,
			"ids.base was %u when this data directory was made and can't change: "
			"its layers have those owners",
			found.ids_base);
	*out = found;
	return 0;
}

int instance_claim(int dirfd, const char *path, uint32_t pool, uint32_t ids_base, struct err *err)
{
	struct instance instance;
	struct stat self;
	struct others others = {.self = &self, .id = instance.id};

	if (check_pool(pool, ids_base, err) < 0)
		return -1;

	owned(close) int registry = open_registry(err);

	if (registry < 0)
		return -1;
	if (fstat(dirfd, &self) < 0)
		return err_sys(err, "stat");
	if (read_or_invent(dirfd, ids_base, &instance, err) < 0 ||
	    read_others(registry, &others, err) < 0)
		return -1;
	if (others.id_taken) {
		unsigned char id[(INSTANCE_ROOM - 1) / 2];

		random_bytes(id, sizeof(id));
		hex_write(id, sizeof(id), instance.id);
	}
	if (choose(&instance, &others, pool, err) < 0 ||
	    write_instance(dirfd, &instance, err) < 0 ||
	    file_write(registry, instance.id, path, strlen(path), 0644, err) < 0)
		return -1;
	return 0;
}
