#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"
#include "front/ask.h"
#include "front/conf.h"
#include "route/route.h"

/*
 * The hub's part of the front, moved by hand: for tests and measurements with a real nginx.
 *
 *     front_demo DIR LISTEN DOMAIN MODULE USER GROUP WORKERS
 *
 * writes DIR/run/nginx.conf and DIR/run/routes, answers on DIR/run/ask.sock, prints "ready" and
 * obeys lines on stdin, each answered by one line on stdout:
 *
 *     set SLUG running|drain|ask|handover|gone public|private IP PORT     the table
 *     usage SLUG                       requests, open, bytes, activity, opening, opened, sockets;
 * or "none" open SLUG IP PORT                how many visits are there to SLUG IP PORT from now on,
 * and for those held: this address page SLUG NAME                   the same with a page enter SLUG
 * keep|drop             they may enter, with or without their Authorization hold SLUG from now on
 * questions are kept held                             how many are kept
 *
 * A slug that no line named is not found. It ends with its stdin.
 */
enum { RULES_MAX = 64, HELD_MAX = 1024, LINE_MAX_BYTES = 512, HOLD_MS = 3000 };

enum rule_kind { RULE_NONE, RULE_HOLD, RULE_ADDRESS, RULE_PAGE, RULE_ENTER };

struct rule {
	char slug[ROUTE_SLUG_ROOM];
	enum rule_kind kind;
	uint32_t address;
	uint16_t port;
	enum front_page page;
	bool drops;
};

struct demo {
	struct route *route;
	struct ask_server *server;
	struct lock lock; /* guards the rest: questions come in the server's thread */
	struct rule rules[RULES_MAX];
	size_t rule_count;
	struct ask *held[HELD_MAX];
	size_t held_count;
};

static struct rule *find_rule(struct demo *demo, const char *slug)
{
	for (size_t i = 0; i < demo->rule_count; i++) {
		if (strcmp(demo->rules[i].slug, slug) == 0)
			return &demo->rules[i];
	}
	return NULL;
}

static void answer(struct ask *ask, const struct rule *rule)
{
	if (rule && rule->drops)
		ask_drop_authorization(ask);
	if (rule && rule->kind == RULE_ADDRESS)
		ask_answer_address(ask, rule->address, rule->port);
	else if (rule && rule->kind == RULE_ENTER && ask_visitor(ask)->only_may)
		ask_answer_enter(ask);
	else
		ask_answer_page(ask, rule ? rule->page : FRONT_PAGE_NOT_FOUND);
}

static void who(void *arg, struct ask *ask)
{
	struct demo *demo = arg;
	struct rule rule = {0};
	bool known = false;

	{
		owned(unlock) struct lock *held = lock(&demo->lock);
		const struct rule *found = find_rule(demo, ask_visitor(ask)->slug);

		if (found) {
			rule = *found;
			known = true;
		}
		if (known && rule.kind == RULE_HOLD && demo->held_count < HELD_MAX) {
			demo->held[demo->held_count++] = ask;
			return;
		}
	}
	answer(ask, known ? &rule : NULL);
}

/* Change the rule of a slug and answer the questions that were held for it. */
static void set_rule(struct demo *demo, const struct rule *rule)
{
	owned(free) struct ask **freed = mem_array(HELD_MAX, sizeof(*freed));
	size_t count = 0, left = 0;

	{
		owned(unlock) struct lock *held = lock(&demo->lock);
		struct rule *place = find_rule(demo, rule->slug);

		if (!place && demo->rule_count < RULES_MAX)
			place = &demo->rules[demo->rule_count++];
		if (place)
			*place = *rule;
		for (size_t i = 0; rule->kind != RULE_HOLD && i < demo->held_count; i++) {
			if (strcmp(ask_visitor(demo->held[i])->slug, rule->slug) == 0)
				freed[count++] = demo->held[i];
			else
				demo->held[left++] = demo->held[i];
		}
		if (rule->kind != RULE_HOLD)
			demo->held_count = left;
	}
	for (size_t i = 0; i < count; i++)
		answer(freed[i], rule);
}

static enum route_state state_of(const char *word)
{
	static const char *const words[] = {
		[ROUTE_GONE] = "gone", [ROUTE_RUNNING] = "running",   [ROUTE_DRAIN] = "drain",
		[ROUTE_ASK] = "ask",   [ROUTE_HANDOVER] = "handover",
	};

	for (unsigned i = ROUTE_GONE; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0)
			return (enum route_state)i;
	}
	return ROUTE_EMPTY;
}

static int obey_set(struct demo *demo, const char *line, struct err *err)
{
	char slug[ROUTE_SLUG_ROOM], state[16], access[16], ip[INET_ADDRSTRLEN];
	struct in_addr address;
	unsigned port;

	if (sscanf(line, "set %63s %15s %15s %15s %u", slug, state, access, ip, &port) != 5 ||
	    inet_pton(AF_INET, ip, &address) != 1)
		return err_set(err, ERR_INVALID, "what to set?");
	if (state_of(state) == ROUTE_GONE) {
		route_remove(demo->route, slug);
		return 0;
	}
	return route_set(demo->route, slug, state_of(state),
			 strcmp(access, "private") == 0 ? ROUTE_PRIVATE : ROUTE_PUBLIC,
			 ntohl(address.s_addr), (uint16_t)port, err);
}

static int obey_rule(struct demo *demo, const char *line, struct err *err)
{
	struct rule rule = {0};
	char ip[INET_ADDRSTRLEN], page[32];
	struct in_addr address;
	unsigned port;

	if (sscanf(line, "to %63s %15s %u", rule.slug, ip, &port) == 3 &&
	    inet_pton(AF_INET, ip, &address) == 1) {
		rule.kind = RULE_ADDRESS;
		rule.address = ntohl(address.s_addr);
		rule.port = (uint16_t)port;
	} else if (sscanf(line, "page %63s %31s", rule.slug, page) == 2) {
		rule.kind = RULE_PAGE;
		rule.page = front_page_of(page);
	} else if (sscanf(line, "enter %63s %31s", rule.slug, page) == 2) {
		rule.kind = RULE_ENTER;
		rule.page = FRONT_PAGE_STARTING;
		rule.drops = strcmp(page, "drop") == 0;
	} else if (sscanf(line, "hold %63s", rule.slug) == 1) {
		rule.kind = RULE_HOLD;
	} else {
		return err_set(err, ERR_INVALID, "what to do?");
	}
	set_rule(demo, &rule);
	return 0;
}

static void print_usage(struct demo *demo, const char *slug)
{
	struct route_usage usage;

	if (!route_usage(demo->route, slug, &usage))
		printf("none\n");
	else
		printf("%ju %ju %ju %ju %ju %ju %ju\n", (uintmax_t)usage.requests,
		       (uintmax_t)usage.open, (uintmax_t)usage.bytes, (uintmax_t)usage.activity_ms,
		       (uintmax_t)usage.opening, (uintmax_t)usage.opened_ms,
		       (uintmax_t)usage.sockets);
}

static void print_open(struct demo *demo, const char *slug, const char *ip, unsigned port)
{
	struct in_addr address;

	if (inet_pton(AF_INET, ip, &address) != 1)
		printf("where?\n");
	else
		printf("%ju\n", (uintmax_t)route_open_at(demo->route, slug, ntohl(address.s_addr),
							 (uint16_t)port));
}

static void obey(struct demo *demo, const char *line)
{
	struct err err = ERR_INIT;
	char slug[ROUTE_SLUG_ROOM], ip[INET_ADDRSTRLEN];
	unsigned port;
	int result;

	if (sscanf(line, "open %63s %15s %u", slug, ip, &port) == 3) {
		print_open(demo, slug, ip, port);
		return;
	}
	if (sscanf(line, "usage %63s", slug) == 1) {
		print_usage(demo, slug);
		return;
	}
	if (strncmp(line, "held", 4) == 0) {
		owned(unlock) struct lock *held = lock(&demo->lock);

		printf("%zu\n", demo->held_count);
		return;
	}
	result = strncmp(line, "set ", 4) == 0 ? obey_set(demo, line, &err)
					       : obey_rule(demo, line, &err);
	printf("%s\n", result < 0 ? err.text : "ok");
}

static int listen_at(const char *path, gid_t group, int *out, struct err *err)
{
	owned(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ERR_INVALID, "the path of a socket is too long");
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0 || listen(fd, 4096) < 0)
		return err_sys(err, "listen for questions");
	*out = take_fd(&fd);
	return 0;
}

static int prepare(struct demo *demo, const struct front_conf *conf, gid_t group, struct err *err)
{
	owned(free) char *routes = mem_format("%s/run/routes", conf->data);
	owned(free) char *socket = mem_format("%s/run/ask.sock", conf->data);
	struct ask_config ask = {.who = who, .arg = demo, .hold_ms = HOLD_MS};

	if (front_conf_write(conf, err) < 0 || route_open(routes, group, &demo->route, err) < 0 ||
	    listen_at(socket, group, &ask.listen_fd, err) < 0)
		return -1;
	return ask_server_start(&ask, &demo->server, err);
}

/* Questions that are still kept must be answered, also after the server's end. */
static void finish(struct demo *demo)
{
	ask_server_stop(demo->server);
	for (size_t i = 0; i < demo->held_count; i++)
		ask_answer_page(demo->held[i], FRONT_PAGE_UNAVAILABLE);
	route_close(demo->route);
}

int main(int argc, char **argv)
{
	struct demo demo = {.lock = LOCK_INIT};
	struct err err = ERR_INIT;
	char line[LINE_MAX_BYTES];
	struct front_conf conf;

	if (argc != 8) {
		fprintf(stderr, "front_demo DIR LISTEN DOMAIN MODULE USER GROUP WORKERS\n");
		return 2;
	}
	conf = (struct front_conf){
		.data = argv[1],
		.listen = (const char *const[]){argv[2]},
		.listen_count = 1,
		.domain = argv[3],
		.module = argv[4],
		.user = argv[5],
		.group = argv[6],
		.workers = (unsigned)strtoul(argv[7], NULL, 10),
		.connections = 4096,
		.body_max = 1 << 20,
		.commit_max = 100 << 20,
	};
	{
		owned(free) char *run = mem_format("%s/run", argv[1]);
		struct stat status;

		if (stat(run, &status) < 0) {
			fprintf(stderr, "front_demo: no %s\n", run);
			return 1;
		}
		/* The folder's group stands for the one that nginx's workers have. */
		if (prepare(&demo, &conf, status.st_gid, &err) < 0) {
			fprintf(stderr, "front_demo: %s\n", err.text);
			return 1;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin))
		obey(&demo, line);
	finish(&demo);
	return 0;
}
