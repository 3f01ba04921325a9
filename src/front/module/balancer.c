#include "espace.h"

/*
 * The balancer of the one upstream that stands for all apps. `keepalive` behind it keeps
 * connections by address, so apps do not mix.
 *
 * A second try is offered, and nginx takes it as proxy_next_upstream allows: where the connection
 * failed before anything of the request was sent, also for POST. It looks in the table again, since
 * the Space may just have moved to another address.
 *
 * What an app has begun to receive is not sent again, not even a GET, which nginx alone would: the
 * request may be what the app died of. On a kept connection that the app has just hung up, nginx
 * itself grants another try.
 */
enum { TRIES = 2 };

static ngx_int_t get_peer(ngx_peer_connection_t *peer, void *data)
{
	struct espace_visit *visit = data;

	if (visit->connects++ > 0 && !espace_visit_again(visit))
		return NGX_BUSY;
	peer->sockaddr = (struct sockaddr *)&visit->address;
	peer->socklen = sizeof(visit->address);
	peer->name = &visit->slug; /* for logs: whose app it was says more than an address */
	peer->cached = 0;
	peer->connection = NULL;
	return NGX_OK;
}

static void free_peer(ngx_peer_connection_t *peer, void *data, ngx_uint_t state)
{
	const struct espace_visit *visit = data;

	if (visit->request->upstream->request_sent)
		peer->tries = 0;
	else if (peer->tries > 0)
		peer->tries--;
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *upstream)
{
	struct espace_visit *visit = espace_visit_find(r);

	if (!visit || visit->address.sin_port == 0)
		return NGX_ERROR; /* a location without espace_ask */
	visit->connects = 0;
	r->upstream->peer.data = visit;
	r->upstream->peer.get = get_peer;
	r->upstream->peer.free = free_peer;
	r->upstream->peer.tries = TRIES;
	return NGX_OK;
}

static ngx_int_t init_upstream(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *upstream)
{
	upstream->peer.init = init_peer;
	return NGX_OK;
}

char *espace_balancer(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	ngx_http_upstream_srv_conf_t *upstream =
		ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);

	upstream->flags = NGX_HTTP_UPSTREAM_CREATE;
	upstream->peer.init_upstream = init_upstream;
	return NGX_CONF_OK;
}
