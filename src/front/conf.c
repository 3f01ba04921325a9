#include "front/conf.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* The name of the hub as seen from inside of a Space. */
#define INSIDE_DOMAIN "hub.espace"

enum {
	CONF_MAX = 64 * 1024,
	LIST_MAX = 8 * 1024,
	OTHER_FILES = 64, /* logs, sockets and the like of a worker */
};

static const char template[] =
#include "front/nginx.conf.inc"
	;

/*
 * Headers by which nginx and the hub talk about a visit. A visitor's own are never passed on. nginx
 * can only remove headers by name.
 */
static const char *const private_headers[] = {
	"X-Espace-Slug",   "X-Espace-Uri",       "X-Espace-Method", "X-Espace-Host",
	"X-Espace-To",     "X-Espace-Page",      "X-Espace-User",   "X-Espace-Question",
	"X-Espace-Token",  "X-Espace-Hub-Token", "X-Espace-Pass",   "X-Espace-From",
	"X-Espace-Origin", "X-Espace-Grant",     "X-Espace-Enter",  "X-Espace-Drop",
};

/* What stands for @NAME@ in the template. */
struct value {
	const char *name;
	const char *text;
};

static bool is_path(const char *text)
{
	if (text[0] != '/')
		return false;
	for (; *text; text++) {
		/* Within quotes these four mean something, and there is no way to write them. */
		if (iscntrl((unsigned char)*text) || strchr("\"\\$", *text))
			return false;
	}
	return true;
}

static bool is_made_of(const char *text, const char *more)
{
	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	}
	return true;
}

static int check(const struct front_conf *conf, struct err *err)
{
	if (!is_path(conf->data))
		return err_set(err, ERR_INVALID,
			       "the data directory's path has a character that nginx cannot take");
	if (!is_path(conf->module))
		return err_set(err, ERR_INVALID,
			       "the nginx module's path has a character that nginx cannot take");
	if (!is_made_of(conf->domain, ".-"))
		return err_set(err, ERR_INVALID, "\"%s\" is no domain", conf->domain);
	if (!is_made_of(conf->user, "_.-") || !is_made_of(conf->group, "_.-"))
		return err_set(err, ERR_INVALID, "\"%s:%s\" is no user and group", conf->user,
			       conf->group);
	for (size_t i = 0; i < conf->listen_count; i++) {
		if (!is_made_of(conf->listen[i], ".:[]"))
			return err_set(err, ERR_INVALID, "cannot listen on \"%s\"",
				       conf->listen[i]);
	}
	if (conf->gateway && !is_made_of(conf->gateway, ".:[]"))
		return err_set(err, ERR_INVALID, "cannot listen on \"%s\"", conf->gateway);
	if (conf->listen_count == 0 || conf->workers == 0 || conf->workers > FRONT_WORKERS_MAX ||
	    conf->connections == 0 || conf->body_max == 0 || conf->commit_max == 0)
		return err_set(err, ERR_INVALID,
			       "nginx needs an address, 1 to %d workers, connections and a limit "
			       "for bodies",
			       FRONT_WORKERS_MAX);
	return 0;
}

/* `options` follow the address. nginx takes those of a socket once only: in the hub's lines. */
static void add_listen(struct str *out, const struct front_conf *conf, const char *options)
{
	for (size_t i = 0; i < conf->listen_count; i++)
		str_addf(out, "\t\tlisten %s%s;\n", conf->listen[i], options);
	if (conf->gateway)
		str_addf(out, "\t\tlisten %s%s;\n", conf->gateway, options);
}

static void add_cleared(struct str *out, const char *indent)
{
	for (size_t i = 0; i < sizeof(private_headers) / sizeof(private_headers[0]); i++)
		str_addf(out, "%sproxy_set_header %s \"\";\n", indent, private_headers[i]);
}

static bool is_inside_domain(const struct front_conf *conf)
{
	return strcmp(conf->domain, INSIDE_DOMAIN) == 0;
}

static const char *find_value(const struct value *values, const char *name, size_t length)
{
	for (; values->name; values++) {
		if (strlen(values->name) == length && memcmp(values->name, name, length) == 0)
			return values->text;
	}
	return NULL;
}

/* Replace each @NAME@ that is known; nginx's own @location stays. */
static void fill(struct str *out, const struct value *values)
{
	const char *at = template;

	for (;;) {
		const char *mark = strchr(at, '@');
		size_t length = mark ? strspn(mark + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;
		const char *text = NULL;

		if (!mark)
			break;
		if (mark[1 + length] == '@')
			text = find_value(values, mark + 1, length);
		str_add_n(out, at, (size_t)(mark - at));
		if (text)
			str_add(out, text);
		else
			str_add_n(out, mark, length + 1);
		at = mark + length + (text ? 2 : 1);
	}
	str_add(out, at);
}

static void fill_in(struct str *out, const struct front_conf *conf)
{
	owned(str_done) struct str hub = str_new(LIST_MAX);
	owned(str_done) struct str apps = str_new(LIST_MAX);
	owned(str_done) struct str clear = str_new(LIST_MAX);
	owned(free) char *workers = mem_format("%u", conf->workers);
	owned(free) char *connections = mem_format("%u", conf->connections * 2);
	owned(free) char *files = mem_format("%u", conf->connections * 2 + OTHER_FILES);
	owned(free) char *body_max = mem_format("%" PRIu64, conf->body_max);
	owned(free) char *commit_max = mem_format("%" PRIu64, conf->commit_max);
	owned(free) char *domains =
		mem_format("%s%s", conf->domain, is_inside_domain(conf) ? "" : " " INSIDE_DOMAIN);
	owned(free) char *names = mem_format("*.%s%s", conf->domain,
					     is_inside_domain(conf) ? "" : " *." INSIDE_DOMAIN);

	add_listen(&hub, conf, " default_server backlog=4096 so_keepalive=on");
	add_listen(&apps, conf, "");
	add_cleared(&clear, "\t\t\t");
	if (hub.failed || apps.failed || clear.failed) {
		out->failed = true;
		return;
	}
	fill(out, (const struct value[]){
			  {"DATA", conf->data},
			  {"MODULE", conf->module},
			  {"USER", conf->user},
			  {"GROUP", conf->group},
			  {"WORKERS", workers},
			  {"CONNECTIONS", connections},
			  {"FILES", files},
			  {"BODY_MAX", body_max},
			  {"COMMIT_MAX", commit_max},
			  {"DOMAINS", domains},
			  {"SERVER_NAMES", names},
			  {"LISTEN_HUB", hub.data},
			  {"LISTEN_APPS", apps.data},
			  {"CLEAR", clear.data},
			  {NULL, NULL},
		  });
}

int front_conf_write(const struct front_conf *conf, struct err *err)
{
	owned(str_done) struct str text = str_new(CONF_MAX);
	owned(free) char *folder = mem_format("%s/run/nginx", conf->data);
	owned(free) char *path = mem_format("%s/run/nginx.conf", conf->data);

	if (check(conf, err) < 0)
		return -1;
	fill_in(&text, conf);
	if (str_check(&text, "nginx.conf", err) < 0 ||
	    file_make_dirs(AT_FDCWD, folder, 0711, err) < 0 ||
	    file_write(AT_FDCWD, path, text.data, text.length, 0644, err) < 0)
		return err_in(err, "configure nginx");
	return 0;
}
