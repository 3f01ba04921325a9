#include "runner/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/slots.h"

enum {
	PREFIX = 20,        /* DATADIR_SLOTS addresses */
	CLOSED_PREFIX = 22, /* those from SLOTS_CLOSED_FIRST on */
	GATEWAY_SLOT = 1,
	ADDRESS_ROOM = 16,
	RULES_MAX_BYTES = 64 * 1024,
	OUTPUT_MAX_BYTES = 64 * 1024,
};

/* Ranges that belong to the site (RFC 1918, 6598, 2544). */
#define PRIVATE_RANGES "10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16, 198.18.0.0/15"

/*
 * What no run needs whatever else it may: this machine (RFC 1122), link-local addresses with the
 * metadata service that hands out a cloud machine's own rights (RFC 3927), that service where
 * clouds have it elsewhere, protocol assignments (RFC 6890), multicast and what is reserved.
 */
#define NEVER_RANGES                                                               \
	"0.0.0.0/8, 100.100.100.200, 127.0.0.0/8, 168.63.129.16, 169.254.0.0/16, " \
	"192.0.0.0/24, 224.0.0.0/3"

/* One run's share of the machine's table of connections, which holds some 100,000 or more. */
#define CONNECTIONS_MAX "4096"

#define REJECT          "reject with icmpx admin-prohibited\n"

static const char *address_text(uint32_t address, char out[static ADDRESS_ROOM])
{
	struct in_addr in = {.s_addr = htonl(address)};

	return inet_ntop(AF_INET, &in, out, ADDRESS_ROOM);
}

static void bridge_name(const struct datadir *dir, char out[static IFNAMSIZ])
{
	snprintf(out, IFNAMSIZ, "es-%s", dir->instance);
}

static void port_name(const struct datadir *dir, unsigned slot, char out[static IFNAMSIZ])
{
	snprintf(out, IFNAMSIZ, "es%sv%u", dir->instance, slot);
}

static int ip_batch(const char *commands, struct err *err)
{
	static const char *const argv[] = {"ip", "-batch", "-", NULL};
	owned(str_done) struct str output = str_new(OUTPUT_MAX_BYTES);

	return proc_run(argv, commands, &output, err);
}

static bool link_exists(const char *name)
{
	owned(free) char *path = mem_format("/sys/class/net/%s", name);

	return file_exists(AT_FDCWD, path);
}

static int set_sysctl(const char *link, const char *family, const char *name, const char *value,
		      struct err *err)
{
	owned(free) char *path = mem_format("/proc/sys/net/%s/conf/%s/%s", family, link, name);
	owned(close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open setting %s of %s", name, link);
	return file_put(fd, value, strlen(value), err);
}

/* What a run may ask of this machine: the hub's own port, and names. */
static void add_input(const struct runner_config *config, const char *bridge, const char *gateway,
		      struct str *out)
{
	str_addf(out,
		 "chain input { type filter hook input priority -5; iifname \"%s\" jump "
		 "from_space; }\n"
		 "chain from_space {\n"
		 " ct state established,related accept\n"
		 " ip daddr %s tcp dport { %u, 53 } accept\n"
		 " ip daddr %s udp dport 53 accept\n " REJECT "}\n",
		 bridge, gateway, config->hub_port, gateway);
}

/* What it may ask of others. The last slots have an address range of their own: they are closed. */
static void add_forward(const struct runner_config *config, const char *bridge, struct str *out)
{
	char closed[ADDRESS_ROOM];

	address_text(datadir_address(config->dir, SLOTS_CLOSED_FIRST), closed);
	str_addf(out,
		 "chain forward { type filter hook forward priority -5;\n"
		 " iifname \"%s\" jump out_space\n"
		 " oifname \"%s\" ct state established,related accept\n"
		 " oifname \"%s\" drop\n}\n",
		 bridge, bridge, bridge);
	str_addf(out, "chain out_space {\n oifname \"%s\" drop\n", bridge);
	str_addf(out, " meta nfproto ipv6 " REJECT " ip saddr %s/%d " REJECT, closed,
		 CLOSED_PREFIX);
	for (const char *const *at = config->allow; at && *at; at++)
		str_addf(out, " ip daddr %s accept\n", *at);
	str_add(out, " ip daddr { " NEVER_RANGES " } " REJECT);
	if (config->egress == NETWORK_EGRESS_PUBLIC)
		str_add(out, " ip daddr { " PRIVATE_RANGES " } " REJECT);
	str_add(out, config->egress == NETWORK_EGRESS_NONE ? " " REJECT "}\n" : " accept\n}\n");
}

void network_rules(const struct runner_config *config, struct str *out)
{
	const struct datadir *dir = config->dir;
	char bridge[IFNAMSIZ];
	char gateway[ADDRESS_ROOM];
	char network[ADDRESS_ROOM];
	char table[32];

	bridge_name(dir, bridge);
	address_text(datadir_address(dir, GATEWAY_SLOT), gateway);
	address_text(dir->network, network);
	snprintf(table, sizeof(table), "inet espace_%s", dir->instance);
	str_addf(out, "add table %s\ndelete table %s\ntable %s {\n", table, table, table);
	add_input(config, bridge, gateway, out);
	add_forward(config, bridge, out);
	str_addf(out,
		 "chain post { type nat hook postrouting priority srcnat;\n"
		 " ip saddr %s/%d oifname != \"%s\" masquerade\n}\n}\n",
		 network, PREFIX, bridge);
}

/* What bounds the connections of each run: first in the chains that all its packets pass. */
static void add_counts(const struct datadir *dir, struct str *out)
{
	static const char *const chains[] = {"from_space", "out_space"};

	str_addf(out,
		 "add set inet espace_%s connections { type ipv4_addr; flags dynamic; size %d; }\n",
		 dir->instance, DATADIR_SLOTS);
	for (size_t i = 0; i < 2; i++)
		str_addf(out,
			 "insert rule inet espace_%s %s ct state new add @connections "
			 "{ ip saddr ct count over " CONNECTIONS_MAX " } " REJECT,
			 dir->instance, chains[i]);
}

/* "10.1.2.3" or "10.1.0.0/16": the setting's file belongs to the hub, which root does not trust. */
static bool is_prefix(const char *text)
{
	owned(free) char *address = mem_text(text);
	char *slash = strchr(address, '/');
	struct in_addr in;
	char *end = "";
	unsigned long bits = 32;

	if (slash) {
		*slash = '\0';
		bits = strtoul(slash + 1, &end, 10);
	}
	return inet_pton(AF_INET, address, &in) == 1 && !*end && bits <= 32 &&
	       (!slash || (slash[1] >= '0' && slash[1] <= '9'));
}

int network_check(const struct runner_config *config, struct err *err)
{
	for (const char *const *at = config->allow; at && *at; at++)
		if (!is_prefix(*at))
			return err_set(err, ERR_INVALID,
				       "network.allow: \"%s\" is no address or prefix", *at);
	return 0;
}

static int run_nft(const struct str *rules, struct err *err)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	owned(str_done) struct str output = str_new(OUTPUT_MAX_BYTES);

	if (str_check(rules, "rules", err) < 0 || proc_run(argv, rules->data, &output, err) < 0)
		return err_in(err, "network rules");
	return 0;
}

static int load_rules(const struct runner_config *config, struct err *err)
{
	owned(str_done) struct str rules = str_new(RULES_MAX_BYTES);
	owned(str_done) struct str counts = str_new(RULES_MAX_BYTES);
	struct err uncounted = ERR_INIT;

	if (network_check(config, err) < 0)
		return -1;
	network_rules(config, &rules);
	if (run_nft(&rules, err) < 0)
		return -1;
	/* Apart, for a kernel may be without nft_connlimit; all else goes on without that bound. */
	add_counts(config->dir, &counts);
	if (run_nft(&counts, &uncounted) < 0)
		log_warn("runner.connections", "bounded=no error=%s", uncounted.text);
	return 0;
}

/*
 * Forwarding is switched on for the bridge and the links with a default route only. What it was
 * there before is not restored: others may have come to need it.
 */
static int forward_uplinks(struct err *err)
{
	enum { ROUTES_MAX_BYTES = 1024 * 1024 };
	owned(str_done) struct str routes = str_new(ROUTES_MAX_BYTES);
	char link[IFNAMSIZ];
	unsigned destination;

	if (file_read(AT_FDCWD, "/proc/net/route", &routes, err) < 0)
		return err_in(err, "routes");
	for (const char *line = strchr(routes.data, '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		if (sscanf(line + 1, "%15s %8x", link, &destination) == 2 && destination == 0 &&
		    set_sysctl(link, "ipv4", "forwarding", "1", err) < 0)
			return -1;
	}
	return 0;
}

int network_up(const struct runner_config *config, struct err *err)
{
	const struct datadir *dir = config->dir;
	owned(free) char *commands = NULL;
	struct err ignored = ERR_INIT; /* no IPv6 on this machine: nothing to switch off */
	char bridge[IFNAMSIZ];
	char gateway[ADDRESS_ROOM];

	bridge_name(dir, bridge);
	address_text(datadir_address(dir, GATEWAY_SLOT), gateway);
	/* Rules first: no packet passes the bridge without them. */
	if (load_rules(config, err) < 0)
		return -1;
	commands = mem_format(
		"%s%s%saddress replace %s/%d dev %s\nlink set %s up\n",
		link_exists(bridge) ? "" : "link add ", link_exists(bridge) ? "" : bridge,
		link_exists(bridge) ? "" : " type bridge\n", gateway, PREFIX, bridge, bridge);
	if (ip_batch(commands, err) < 0 || set_sysctl(bridge, "ipv4", "forwarding", "1", err) < 0)
		return err_in(err, "bridge %s", bridge);
	if (set_sysctl(bridge, "ipv6", "disable_ipv6", "1", &ignored) < 0)
		log_debug("runner.ipv6", "error=%s", ignored.text);
	return config->egress != NETWORK_EGRESS_NONE || (config->allow && *config->allow)
		       ? forward_uplinks(err)
		       : 0;
}

static int enter_network(void *arg, struct err *err)
{
	int fd = *(int *)arg;

	return setns(fd, CLONE_NEWNET) < 0 ? err_sys(err, "enter a network namespace") : 0;
}

/* ip(8) inside of a run's namespace. */
static int ip_batch_inside(pid_t pid, const char *commands, struct err *err)
{
	static const char *const argv[] = {"ip", "-batch", "-", NULL};
	owned(free) char *path = mem_format("/proc/%d/ns/net", (int)pid);
	owned(close) int namespace = open(path, O_RDONLY | O_CLOEXEC);
	owned(close) int input = memfd_create("commands", MFD_CLOEXEC);
	owned(proc_done) struct proc child = PROC_INIT;
	const int fds[] = {input, -1, STDERR_FILENO};
	struct proc_spec spec = {.argv = argv,
				 .fds = fds,
				 .fd_count = 3,
				 .prepare = enter_network,
				 .prepare_arg = &namespace};
	int status;

	if (namespace < 0 || input < 0)
		return err_sys(err, "open a network namespace");
	if (file_put(input, commands, strlen(commands), err) < 0)
		return -1;
	lseek(input, 0, SEEK_SET);
	if (proc_start(&spec, &child, err) < 0 || proc_wait(&child, &status, err) < 0)
		return -1;
	return status == 0 ? 0 : err_set(err, ERR_SYSTEM, "ip ended with status %d", status);
}

int network_attach(const struct datadir *dir, unsigned slot, pid_t pid, struct err *err)
{
	owned(free) char *outside = NULL;
	owned(free) char *inside = NULL;
	char bridge[IFNAMSIZ];
	char port[IFNAMSIZ];
	char gateway[ADDRESS_ROOM];
	char own[ADDRESS_ROOM];

	bridge_name(dir, bridge);
	port_name(dir, slot, port);
	address_text(datadir_address(dir, GATEWAY_SLOT), gateway);
	address_text(datadir_address(dir, slot), own);
	outside = mem_format("link add name %s master %s type veth peer name eth0 netns %d\n"
			     "link set %s type bridge_slave isolated on\n"
			     "link set %s up\n",
			     port, bridge, (int)pid, port, port);
	inside = mem_format("address add %s/%d dev eth0\nlink set eth0 up\nlink set lo up\n"
			    "route add default via %s\n",
			    own, PREFIX, gateway);
	if (ip_batch(outside, err) < 0 || ip_batch_inside(pid, inside, err) < 0)
		return err_in(err, "network");
	return 0;
}

static void remove_link(const char *name)
{
	owned(str_done) struct str output = str_new(OUTPUT_MAX_BYTES);
	const char *const argv[] = {"ip", "link", "delete", name, NULL};
	struct err err = ERR_INIT;

	if (link_exists(name) && proc_run(argv, NULL, &output, &err) < 0 && link_exists(name))
		log_warn("runner.link", "link=%s error=%s", name, err.text);
}

void network_detach(const struct datadir *dir, unsigned slot)
{
	char port[IFNAMSIZ];

	port_name(dir, slot, port);
	remove_link(port);
}

static int read_count(const char *port, const char *name, uint64_t *out, struct err *err)
{
	owned(free) char *path = mem_format("/sys/class/net/%s/statistics/%s", port, name);
	owned(str_done) struct str text = str_new(64);

	if (file_read(AT_FDCWD, path, &text, err) < 0)
		return err_in(err, "link %s", port);
	*out = strtoull(text.data, NULL, 10);
	return 0;
}

/* Our end of the link receives what the run sends. */
int network_counts(const struct datadir *dir, unsigned slot, uint64_t *received, uint64_t *sent,
		   struct err *err)
{
	char port[IFNAMSIZ];

	port_name(dir, slot, port);
	return read_count(port, "tx_bytes", received, err) < 0 ||
			       read_count(port, "rx_bytes", sent, err) < 0
		       ? -1
		       : 0;
}

static int remove_table(const struct datadir *dir, struct err *err)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	owned(str_done) struct str output = str_new(OUTPUT_MAX_BYTES);
	owned(free) char *commands =
		mem_format("add table inet espace_%s\ndelete table inet espace_%s\n", dir->instance,
			   dir->instance);

	return proc_run(argv, commands, &output, err) < 0 ? err_in(err, "network rules") : 0;
}

int network_down(const struct datadir *dir, struct err *err)
{
	char bridge[IFNAMSIZ];
	owned(free) char *ports = mem_format("es%sv", dir->instance);
	DIR *links = opendir("/sys/class/net");
	struct dirent *entry;

	if (!links)
		return err_sys(err, "list the links");
	bridge_name(dir, bridge);
	while ((entry = readdir(links)))
		if (str_starts(entry->d_name, ports))
			remove_link(entry->d_name);
	closedir(links);
	remove_link(bridge);
	if (link_exists(bridge))
		return err_set(err, ERR_SYSTEM, "bridge %s stays", bridge);
	return remove_table(dir, err);
}
