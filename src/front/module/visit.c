#include "espace.h"

/* Give up the count. Only the end of a request knows what was sent. */
static void leave(struct espace_visit *visit, uint64_t bytes)
{
	if (!visit->counters)
		return;
	route_leave(visit->counters, visit->side, bytes, ngx_current_msec);
	visit->counters = NULL;
}

/* The request's pool goes: whatever ended the request, its visit is over. */
static void end_visit(void *data)
{
	struct espace_visit *visit = data;

	leave(visit, (uint64_t)visit->request->connection->sent);
}

static void find_slug(struct espace_visit *visit)
{
	const ngx_str_t *host = &visit->request->headers_in.server;
	const ngx_str_t *domains = visit->common->domains.elts;

	for (ngx_uint_t i = 0; i < visit->common->domains.nelts; i++) {
		size_t length = route_label_length((const char *)host->data, host->len,
						   (const char *)domains[i].data, domains[i].len);

		if (length > 0 && route_key_init(&visit->key, (const char *)host->data, length)) {
			visit->slug.data = host->data;
			visit->slug.len = length;
			return;
		}
	}
}

/* An internal redirect clears the contexts of all modules; the pool keeps ours. */
struct espace_visit *espace_visit_find(ngx_http_request_t *r)
{
	struct espace_visit *visit = ngx_http_get_module_ctx(r->main, ngx_http_espace_module);
	ngx_pool_cleanup_t *cleanup = visit ? NULL : r->main->pool->cleanup;

	for (; cleanup; cleanup = cleanup->next) {
		if (cleanup->handler == end_visit)
			return cleanup->data;
	}
	return visit;
}

struct espace_visit *espace_visit_make(ngx_http_request_t *r)
{
	struct espace_visit *visit = espace_visit_find(r);
	ngx_pool_cleanup_t *cleanup;

	if (visit)
		return visit;
	cleanup = ngx_pool_cleanup_add(r->pool, sizeof(*visit));
	if (!cleanup)
		return NULL;
	visit = cleanup->data;
	ngx_memzero(visit, sizeof(*visit));
	visit->request = r;
	visit->common = ngx_http_get_module_main_conf(r, ngx_http_espace_module);
	find_slug(visit);
	cleanup->handler = end_visit;
	ngx_http_set_ctx(r, visit, ngx_http_espace_module);
	return visit;
}

void espace_visit_send_to(struct espace_visit *visit, uint32_t address, uint16_t port)
{
	visit->address.sin_family = AF_INET;
	visit->address.sin_addr.s_addr = htonl(address);
	visit->address.sin_port = htons(port);
}

enum counted { NOT_LISTED, NOT_READABLE, COUNTED };

/*
 * Count the visit in the slug's entry. NOT_READABLE: the hub is writing it just now, or it has
 * become another slug's.
 */
static enum counted count(struct espace_visit *visit, struct route_target *target)
{
	struct route_table *table = espace_table(visit->common, visit->request->connection->log);
	struct route_counters *counters;
	struct route_entry *entry = NULL;

	if (table && visit->slug.len > 0)
		entry = route_find(table, &visit->key);
	if (!entry)
		return NOT_LISTED;
	counters = route_counters_of(table, visit->common->row, entry);
	if (!route_enter(entry, counters, &visit->key, ngx_current_msec, target))
		return NOT_READABLE;
	visit->counters = counters;
	visit->side = target->side;
	return COUNTED;
}

/* Gradio names the session in the query of each call that goes on with one (Wire: L3). */
static bool continues_session(ngx_http_request_t *r)
{
	static u_char name[] = "session_hash";
	ngx_str_t value;

	return ngx_http_arg(r, name, sizeof(name) - 1, &value) == NGX_OK;
}

static bool may_enter(const struct espace_visit *visit, const struct route_target *target)
{
	if (target->access != ROUTE_PUBLIC)
		return false;
	return target->state == ROUTE_RUNNING ||
	       (target->state == ROUTE_HANDOVER && continues_session(visit->request));
}

bool espace_visit_enter(struct espace_visit *visit)
{
	struct route_target target;

	if (count(visit, &target) != COUNTED)
		return false;
	if (!may_enter(visit, &target)) {
		leave(visit, 0);
		return false;
	}
	espace_visit_send_to(visit, target.address, target.port);
	visit->told = false;
	return true;
}

/*
 * Counted first, read after, as for a visit without a question: between the hub's answer and now it
 * may have begun to put the Space to sleep. A visit that is not counted would not be waited for, so
 * that only a slug without an entry goes on like that.
 */
bool espace_visit_follow(struct espace_visit *visit)
{
	struct route_target target;
	enum counted counted = count(visit, &target);

	visit->told = true;
	if (counted == COUNTED && target.state == ROUTE_DRAIN) {
		leave(visit, 0);
		return false;
	}
	return counted != NOT_READABLE;
}

bool espace_visit_again(struct espace_visit *visit)
{
	if (visit->told)
		return true;
	leave(visit, 0);
	return espace_visit_enter(visit);
}
