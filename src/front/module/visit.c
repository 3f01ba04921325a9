#include "espace.h"

/* It is not counted any more, for it goes elsewhere. */
static void leave(struct espace_visit *visit)
{
	if (!visit->counters)
		return;
	if (visit->opens)
		route_not_opened(visit->counters);
	route_leave(visit->counters, visit->side, 0, ngx_current_msec);
	visit->counters = NULL;
}

/*
 * The request's pool goes: whatever ended the request, its visit is over. Only now is known what
 * was sent.
 */
static void end_visit(void *data)
{
	struct espace_visit *visit = data;
	uint64_t bytes = (uint64_t)visit->request->connection->sent;

	if (!visit->counters)
		return;
	espace_socket_end(visit);
	if (visit->opens)
		route_opened(visit->counters, ngx_current_msec);
	route_leave(visit->counters, visit->side, bytes, ngx_current_msec);
	visit->counters = NULL;
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
	visit->opens = espace_opens_session(r);
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

enum counted { NOT_LISTED, NOT_READABLE, CLOSED, COUNTED };

static bool serves(const struct espace_visit *visit, uint32_t state)
{
	return state == ROUTE_RUNNING ||
	       (state == ROUTE_HANDOVER && espace_continues_session(visit->request));
}

/*
 * Private, and nobody has said yet that the visitor may enter: then their call must not count, or
 * strangers would keep a Space awake. Read without the sequence; who is counted is looked at again.
 */
static bool is_closed(struct espace_visit *visit, const struct route_entry *entry)
{
	static ngx_str_t may = ngx_string("may");

	if (visit->admitted || atomic_load(&entry->access) != ROUTE_PRIVATE)
		return false;
	if (serves(visit, atomic_load(&entry->state)))
		visit->question = may;
	return true;
}

/*
 * Count the visit in the slug's entry. NOT_READABLE: the hub is writing it just now, or it has
 * become another slug's. CLOSED: not for this visitor yet.
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
	if (is_closed(visit, entry))
		return CLOSED;
	counters = route_counters_of(table, visit->common->row, entry);
	if (visit->opens)
		route_opening(counters);
	if (!route_enter(entry, counters, &visit->key, ngx_current_msec, target)) {
		if (visit->opens)
			route_not_opened(counters);
		return NOT_READABLE;
	}
	visit->counters = counters;
	visit->side = target->side;
	return COUNTED;
}

static bool may_enter(const struct espace_visit *visit, const struct route_target *target)
{
	return (target->access == ROUTE_PUBLIC || visit->admitted) && serves(visit, target->state);
}

bool espace_visit_enter(struct espace_visit *visit)
{
	static ngx_str_t who = ngx_string("who");
	struct route_target target;

	visit->question = who;
	if (count(visit, &target) != COUNTED)
		return false;
	if (!may_enter(visit, &target)) {
		leave(visit);
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
		leave(visit);
		return false;
	}
	return counted != NOT_READABLE;
}

bool espace_visit_again(struct espace_visit *visit)
{
	if (visit->told)
		return true;
	leave(visit);
	return espace_visit_enter(visit);
}
