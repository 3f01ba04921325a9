#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "api/call.h"
#include "api/limits.h"
#include "api/watch.h"
#include "auth/account.h"
#include "auth/token.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "space/flavors.h"
#include "space/grant.h"

/*
 * The API alone, for tests/wire: one HTTP server on a unix socket over a fresh data directory with
 * a few accounts, without nginx, runner and space loop. Ends by SIGTERM.
 *
 *     wire_hub [--rate N] SOCKET DIRECTORY
 *                                    prints "ready" when it listens; at most N requests of each
 * kind wire_hub --dump-routes         prints the rows of routes.def: method, right, target, pattern
 *     wire_hub --dump-limits         the same: method, pattern, bytes of the longest body
 */
struct person {
	const char *name;
	bool admin;
	enum account_member member; /* of the organisation acme */
};

static const struct person people[] = {
	{"me", true, ACCOUNT_MEMBER_NONE},       {"other", false, ACCOUNT_MEMBER_NONE},
	{"reader", false, ACCOUNT_MEMBER_READ},  {"contributor", false, ACCOUNT_MEMBER_CONTRIBUTOR},
	{"writer", false, ACCOUNT_MEMBER_WRITE}, {"boss", false, ACCOUNT_MEMBER_ADMIN},
};

/* Everybody has a token hf_NAME with role write; these are for the odd cases. */
struct odd_token {
	const char *value;
	const char *owner;
	enum auth_role role;
	const char *scope;
	bool revoked;
};

static const struct odd_token odd_tokens[] = {
	{"hf_readonly", "boss", AUTH_READ, NULL, false},
	{"hf_scoped", "writer", AUTH_FINE_GRAINED, "repo.write:acme/scoped", false},
	{"hf_finereader", "writer", AUTH_FINE_GRAINED, "repo.read:acme/private", false},
	{"hf_spacereader", "writer", AUTH_FINE_GRAINED, "repo.read:acme", false},
	{"hf_spacewriter", "writer", AUTH_FINE_GRAINED, "repo.write:acme", false},
	{"hf_revoked", "writer", AUTH_WRITE, NULL, true},
};

static int revoke_named(struct store_db *db, int64_t user_id, const char *name, struct err *err)
{
	int64_t id;
	int found = token_find(db, user_id, name, &id, err);

	return found > 0 ? token_revoke(db, id, err) : found;
}

static int add_token(struct store_db *db, const struct odd_token *odd, struct err *err)
{
	const char *const scopes[] = {odd->scope, NULL};
	const struct token_spec spec = {
		.value = odd->value,
		.name = odd->value,
		.role = odd->role,
		.scopes = odd->scope ? scopes : NULL,
	};
	char value[TOKEN_ROOM];
	struct account owner;

	if (account_find(db, odd->owner, &owner, err) < 0 ||
	    token_add(db, owner.id, &spec, value, err) < 0)
		return -1;
	return odd->revoked ? revoke_named(db, owner.id, odd->value, err) : 0;
}

static int add_person(struct store_db *db, const struct person *person, int64_t org_id,
		      struct err *err)
{
	struct account wanted = {.type = ACCOUNT_USER, .admin = person->admin};
	owned(free) char *value = mem_format("hf_%s", person->name);
	const struct odd_token token = {value, person->name, AUTH_WRITE, NULL, false};
	struct account account;

	snprintf(wanted.name, sizeof(wanted.name), "%s", person->name);
	if (account_add(db, &wanted, err) < 0 || add_token(db, &token, err) < 0 ||
	    account_find(db, person->name, &account, err) < 0)
		return -1;
	if (person->member == ACCOUNT_MEMBER_NONE)
		return 0;
	return account_set_member(db, org_id, account.id, person->member, err);
}

/* Hardware of the organisation. */
static int add_grants(struct store_db *db, int64_t account_id, struct err *err)
{
	static const char *const flavors[] = {"cpu-upgrade", "t4-small", "t4-medium"};

	for (size_t i = 0; i < sizeof(flavors) / sizeof(flavors[0]); i++)
		if (grant_give(db, &(struct grant){account_id, flavors[i], GRANT_ANY}, err) < 0)
			return -1;
	return 0;
}

static int add_accounts(struct store *store, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct account org = {.type = ACCOUNT_ORG, .name = "acme", .private_by_default = false};
	struct account quiet = {.type = ACCOUNT_ORG, .name = "quiet", .private_by_default = true};
	struct store_db *db;

	if (store_tx_begin(store, &tx, err) < 0)
		return -1;
	db = store_tx_db(tx);
	if (account_add(db, &org, err) < 0 || account_find(db, "acme", &org, err) < 0 ||
	    account_add(db, &quiet, err) < 0 || add_grants(db, org.id, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++)
		if (add_person(db, &people[i], org.id, err) < 0)
			return -1;
	for (size_t i = 0; i < sizeof(odd_tokens) / sizeof(odd_tokens[0]); i++)
		if (add_token(db, &odd_tokens[i], err) < 0)
			return -1;
	return store_tx_commit(take(tx), err);
}

static int listen_on(const char *path, int *out, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	owned(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 64) < 0)
		return err_sys(err, "listen");
	*out = take_fd(&fd);
	return 0;
}

static int wait_for_term(struct err *err)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigwait(&set, &number) != 0)
		return err_sys(err, "sigwait");
	return 0;
}

static int serve(const char *socket_path, const struct api_config *config, struct err *err)
{
	owned(api_free) struct api *api = api_new(config);
	struct http_config http = {.fail = api_fail, .finish = api_finish};
	struct http_server *server;

	http.routes = api_routes(api, &http.route_count);
	if (listen_on(socket_path, &http.listen_fd, err) < 0 ||
	    http_server_start(&http, &server, err) < 0)
		return -1;
	puts("ready");
	fflush(stdout);
	if (wait_for_term(err) < 0)
		return -1;
	http_server_stop(server, 1000);
	return 0;
}

/* What datadir_claim() makes as root, without the accounts of the system. */
static int open_dir(const char *path, struct datadir *dir, struct err *err)
{
	*dir = DATADIR_INIT;
	if (file_make_dirs(AT_FDCWD, path, 0700, err) < 0)
		return -1;
	dir->fd = open(path, O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return err_sys(err, "open the data directory");
	dir->path = mem_text(path);
	dir->owner = getuid();
	dir->group = getgid();
	return file_make_dirs(dir->fd, "repos", 0700, err);
}

static int run(const char *socket_path, const char *path, int64_t rate, struct err *err)
{
	owned(datadir_done) struct datadir dir = DATADIR_INIT;
	owned(store_close) struct store *store = NULL;
	owned(catalogue_free) struct catalogue *catalogue = NULL;
	owned(vault_free) struct vault *vault = NULL;
	owned(free) char *file = mem_format("%s/espace.db", path);
	owned(free) char *key = mem_format("%s/secret.key", path);
	owned(free) char *flavors = flavors_yaml(64, UINT64_C(512) << 30, NULL);
	owned(hardware_free) struct hardware *hardware = NULL;
	owned(watch_free) struct watch *watch = NULL;
	static char *const templates[] = {"acme/template", "acme/gone", NULL};
	struct api_config config = {
		.dir = &dir,
		.domain = "localhost",
		.quota_api = rate,
		.quota_resolvers = rate,
		.quota_pages = rate,
	};

	if (open_dir(path, &dir, err) < 0 || store_open(file, &store, err) < 0 ||
	    vault_open(key, store, &vault, err) < 0 ||
	    hardware_parse(flavors, strlen(flavors), &hardware, err) < 0 ||
	    add_accounts(store, err) < 0 ||
	    watch_start(&(struct watch_config){.store = store, .hardware = hardware}, &watch, err) <
		    0)
		return -1;
	catalogue = catalogue_new(store);
	config.store = store;
	config.catalogue = catalogue;
	config.vault = vault;
	config.hardware = hardware;
	config.watch = watch;
	config.sleep_min_s = 60;
	config.grants = true;
	config.templates = templates;
	return serve(socket_path, &config, err);
}

static void dump_routes(void)
{
#define ROUTE(method, pattern, right, target, body_max, name) \
	printf("%s %s %s %s\n", #method, #right, #target, pattern);
#define STREAM ROUTE
#include "api/routes.def"
#undef ROUTE
#undef STREAM
}

static void dump_limits(void)
{
#define ROUTE(method, pattern, right, target, body_max, name) \
	printf("%s %s %llu\n", #method, pattern, (unsigned long long)(body_max));
#define STREAM ROUTE
#include "api/routes.def"
#undef ROUTE
#undef STREAM
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int64_t rate = 0;
	sigset_t set;

	if (argc == 2 && strcmp(argv[1], "--dump-routes") == 0) {
		dump_routes();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--dump-limits") == 0) {
		dump_limits();
		return 0;
	}
	if (argc == 5 && strcmp(argv[1], "--rate") == 0) {
		rate = strtoll(argv[2], NULL, 10);
		argv += 2;
		argc -= 2;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: wire_hub [--rate N] SOCKET DIRECTORY | --dump-routes | "
				"--dump-limits\n");
		return 2;
	}
	/* Before any thread, so that all of them leave these to sigwait(). */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	log_setup("wire_hub", LOG_LEVEL_WARN);
	if (run(argv[1], argv[2], rate, &err) < 0) {
		fprintf(stderr, "wire_hub: %s\n", err.text);
		return 1;
	}
	return 0;
}
