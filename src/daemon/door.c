#include "daemon/door.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/limits.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/exe.h"
#include "daemon/listen.h"
#include "daemon/nginx.h"
#include "front/conf.h"

#define WORKER_ACCOUNT "espace-www"

enum { CONF_MAX = 1 << 20, GATEWAY_SLOT = 1 };

struct door {
	const struct datadir *dir;
	char *conf; /* path of nginx's configuration */
	char *module;
	char *url;
	char fingerprint[HASH_HEX];
	struct listen_address listens[LISTEN_MAX];
	size_t listen_count;
	bool gateway; /* the last of `listens` is the bridge's */
	int sockets[LISTEN_MAX];
	size_t socket_count; /* 0 while we have none */
};

int door_port(const struct settings *settings, uint16_t *out, struct err *err)
{
	struct listen_address address;

	if (!settings->listen.count)
		return err_set(err, ERR_INVALID, "listen: no address to listen on");
	if (listen_parse(settings->listen.items[0], &address, err) < 0)
		return err_in(err, "listen");
	*out = address.port;
	return 0;
}

/* Everything that --listen says, and the bridge's gateway, unless a wildcard has it already. */
static int choose_listens(struct door *door, const struct settings *settings, struct err *err)
{
	uint16_t port;
	bool covered = false;

	if (door_port(settings, &port, err) < 0)
		return -1;
	if (settings->listen.count >= LISTEN_MAX) /* one place is the gateway's */
		return err_set(err, ERR_TOO_LARGE, "listen: more than %d addresses",
			       LISTEN_MAX - 1);
	for (size_t i = 0; i < settings->listen.count; i++) {
		struct listen_address *address = &door->listens[door->listen_count];

		if (listen_parse(settings->listen.items[i], address, err) < 0)
			return err_in(err, "listen");
		covered |= listen_covers_ipv4(address, port);
		door->listen_count++;
	}
	if (!covered) {
		listen_ipv4(datadir_address(door->dir, GATEWAY_SLOT), port,
			    &door->listens[door->listen_count++]);
		door->gateway = true;
	}
	return 0;
}

static int write_conf(const struct door *door, const struct settings *settings, struct err *err)
{
	const char *listens[LISTEN_MAX];
	size_t named = door->listen_count - door->gateway;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned workers =
		settings->front_workers ? (unsigned)settings->front_workers : (unsigned)cpus;

	for (size_t i = 0; i < named; i++)
		listens[i] = door->listens[i].text;
	return front_conf_write(
		&(struct front_conf){
			.data = door->dir->path,
			.listen = listens,
			.listen_count = named,
			.gateway = door->gateway ? door->listens[named].text : NULL,
			.domain = settings->domain,
			.module = door->module,
			.user = WORKER_ACCOUNT,
			.group = WORKER_ACCOUNT,
			.workers = workers < FRONT_WORKERS_MAX ? workers : FRONT_WORKERS_MAX,
			.connections = FRONT_CONNECTIONS_DEFAULT,
			.body_max = LIMITS_BODY_MOST,
			.commit_max = LIMITS_BODY_COMMIT,
		},
		err);
}

/* What decides whether a running nginx may stay: its configuration and its module. */
static int take_fingerprint(struct door *door, struct err *err)
{
	owned(str_done) struct str conf = str_new(CONF_MAX);
	owned(hash_free) struct hash *hash = hash_new();
	owned(free) char *module = NULL;
	struct stat info;

	if (file_read(AT_FDCWD, door->conf, &conf, err) < 0)
		return -1;
	if (stat(door->module, &info) < 0)
		return err_sys(err, "look at %s", door->module);
	module = mem_format("%ju %ju %jd", (uintmax_t)info.st_ino, (uintmax_t)info.st_size,
			    (intmax_t)info.st_mtime);
	hash_add_field(hash, conf.data);
	hash_add_field(hash, module);
	hash_end(hash, door->fingerprint);
	return 0;
}

/* For people: loopback has a name. */
static char *public_url(const struct listen_address *address)
{
	bool local = str_starts(address->text, "127.0.0.1:") ||
		     str_starts(address->text, "[::1]:") || str_starts(address->text, "0.0.0.0:");

	return local ? mem_format("http://localhost:%u", address->port)
		     : mem_format("http://%s", address->text);
}

int door_new(const struct datadir *dir, const struct settings *settings, struct door **out,
	     struct err *err)
{
	owned(door_free) struct door *door = mem_new(struct door);

	door->dir = dir;
	door->conf = datadir_path(dir, "run/nginx.conf");
	if (exe_companion("espace_front.so", &door->module, err) < 0 ||
	    choose_listens(door, settings, err) < 0 || write_conf(door, settings, err) < 0 ||
	    take_fingerprint(door, err) < 0)
		return -1;
	door->url = public_url(&door->listens[0]);
	*out = take(door);
	return 0;
}

static void close_sockets(struct door *door)
{
	while (door->socket_count)
		close(door->sockets[--door->socket_count]);
}

void door_free(struct door *door)
{
	if (!door)
		return;
	close_sockets(door);
	free(door->conf);
	free(door->module);
	free(door->url);
	free(door);
}

/* None stays half bound: the next try would meet our own sockets. */
static int bind_all(struct door *door, struct err *err)
{
	while (door->socket_count < door->listen_count) {
		size_t at = door->socket_count;

		if (listen_open(&door->listens[at], &door->sockets[at], err) < 0) {
			close_sockets(door);
			return -1;
		}
		door->socket_count++;
	}
	return 0;
}

/* Those of an nginx that an earlier keeper started: the same configuration has the same ones. */
static void share_sockets(struct door *door, int pidfd)
{
	while (door->socket_count < door->listen_count) {
		const struct listen_address *address = &door->listens[door->socket_count];
		int number = NGINX_FIRST_SOCKET + (int)door->socket_count;
		owned(close) int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

		if (fd < 0 || !listen_is_at(fd, address)) {
			log_warn("door.share", "address=%s", address->text);
			close_sockets(door); /* the next nginx binds anew */
			return;
		}
		door->sockets[door->socket_count++] = take_fd(&fd);
	}
}

int door_start(struct door *door, struct proc *out, struct err *err)
{
	struct nginx_spec spec = {
		.dir = door->dir,
		.conf = door->conf,
		.fingerprint = door->fingerprint,
		.sockets = door->sockets,
	};
	int adopted = nginx_adopt(&spec, out, err);

	if (adopted < 0)
		return -1;
	if (adopted) {
		share_sockets(door, out->pidfd);
		return 0;
	}
	if (!door->socket_count)
		nginx_stop(door->dir);
	if (bind_all(door, err) < 0)
		return -1;
	spec.socket_count = door->socket_count;
	return nginx_start(&spec, out, err);
}

const char *door_url(const struct door *door)
{
	return door->url;
}
