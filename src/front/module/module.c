#include "espace.h"

static void *create_main(ngx_conf_t *cf)
{
	struct espace_common *common = ngx_pcalloc(cf->pool, sizeof(*common));

	if (!common || ngx_array_init(&common->domains, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK)
		return NULL;
	return common;
}

static void *create_location(ngx_conf_t *cf)
{
	return ngx_pcalloc(cf->pool, sizeof(struct espace_location));
}

static char *set_routes(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	struct espace_common *common = conf;
	const ngx_str_t *values = cf->args->elts;

	if (common->routes.data)
		return "is duplicate";
	common->routes = values[1]; /* words of a configuration end in NUL */
	return NGX_CONF_OK;
}

static char *set_domains(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
	struct espace_common *common = conf;
	const ngx_str_t *values = cf->args->elts;

	for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
		ngx_str_t *domain = ngx_array_push(&common->domains);

		if (!domain)
			return NGX_CONF_ERROR;
		*domain = values[i];
		ngx_strlow(domain->data, domain->data, domain->len);
	}
	return NGX_CONF_OK;
}

static ngx_int_t fill(ngx_http_variable_value_t *value, const ngx_str_t *text)
{
	value->data = text->data;
	value->len = (unsigned)text->len & 0xfffffff; /* a field of 28 bits */
	value->valid = 1;
	value->no_cacheable = 1;
	value->not_found = 0;
	return NGX_OK;
}

static ngx_int_t get_variable(ngx_http_request_t *r, ngx_http_variable_value_t *value,
			      uintptr_t data)
{
	struct espace_visit *visit = espace_visit_find(r);

	if (!visit) {
		value->not_found = 1;
		return NGX_OK;
	}
	return fill(value, (const ngx_str_t *)((const char *)visit + data));
}

/* What the app gets: of a private Space no token of the hub. */
static ngx_int_t get_authorization(ngx_http_request_t *r, ngx_http_variable_value_t *value,
				   uintptr_t data)
{
	static const ngx_str_t nothing = ngx_null_string;
	const struct espace_visit *visit = espace_visit_find(r);
	const ngx_table_elt_t *header = r->headers_in.authorization;

	return fill(value, header && visit && !visit->drops ? &header->value : &nothing);
}

static ngx_int_t get_cookie(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
	ngx_str_t cookies = espace_cookies_of_app(r->main);

	return fill(value, &cookies);
}

static ngx_int_t get_pass(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
	ngx_str_t passes = espace_passes(r->main);

	return fill(value, &passes);
}

static ngx_int_t add_variables(ngx_conf_t *cf)
{
	static ngx_http_variable_t variables[] = {
		{.name = ngx_string("espace_slug"),
		 .get_handler = get_variable,
		 .data = offsetof(struct espace_visit, slug)},
		{.name = ngx_string("espace_page"),
		 .get_handler = get_variable,
		 .data = offsetof(struct espace_visit, page)},
		{.name = ngx_string("espace_question"),
		 .get_handler = get_variable,
		 .data = offsetof(struct espace_visit, question)},
		{.name = ngx_string("espace_grant"),
		 .get_handler = get_variable,
		 .data = offsetof(struct espace_visit, grant)},
		{.name = ngx_string("espace_authorization"), .get_handler = get_authorization},
		{.name = ngx_string("espace_cookie"), .get_handler = get_cookie},
		{.name = ngx_string("espace_pass"), .get_handler = get_pass},
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		ngx_http_variable_t *variable =
			ngx_http_add_variable(cf, &variables[i].name, NGX_HTTP_VAR_NOCACHEABLE);

		if (!variable)
			return NGX_ERROR;
		variable->get_handler = variables[i].get_handler;
		variable->data = variables[i].data;
	}
	return NGX_OK;
}

static ngx_int_t add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt function)
{
	ngx_http_core_main_conf_t *core =
		ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
	ngx_http_handler_pt *handler = ngx_array_push(&core->phases[phase].handlers);

	if (!handler)
		return NGX_ERROR;
	*handler = function;
	return NGX_OK;
}

static ngx_int_t add_handlers(ngx_conf_t *cf)
{
	if (add_handler(cf, NGX_HTTP_POST_READ_PHASE, espace_count) != NGX_OK)
		return NGX_ERROR;
	espace_socket_filter();
	return add_handler(cf, NGX_HTTP_ACCESS_PHASE, espace_access);
}

static ngx_int_t start_worker(ngx_cycle_t *cycle)
{
	struct espace_common *common =
		ngx_http_cycle_get_module_main_conf(cycle, ngx_http_espace_module);

	if (common && common->routes.data &&
	    (ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE))
		espace_table(common, cycle->log);
	espace_socket_start(cycle->log);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* nginx has allowed core files: secrets pass through */
	return NGX_OK;
}

static ngx_command_t commands[] = {
	{.name = ngx_string("espace_routes"),
	 .type = NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
	 .set = set_routes,
	 .conf = NGX_HTTP_MAIN_CONF_OFFSET},
	{.name = ngx_string("espace_domain"),
	 .type = NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE,
	 .set = set_domains,
	 .conf = NGX_HTTP_MAIN_CONF_OFFSET},
	{.name = ngx_string("espace_ask"),
	 .type = NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
	 .set = ngx_conf_set_str_slot,
	 .conf = NGX_HTTP_LOC_CONF_OFFSET,
	 .offset = offsetof(struct espace_location, ask)},
	{.name = ngx_string("espace_balancer"),
	 .type = NGX_HTTP_UPS_CONF | NGX_CONF_NOARGS,
	 .set = espace_balancer},
	ngx_null_command,
};

static ngx_http_module_t context = {
	.preconfiguration = add_variables,
	.postconfiguration = add_handlers,
	.create_main_conf = create_main,
	.create_loc_conf = create_location,
};

ngx_module_t ngx_http_espace_module = {
	NGX_MODULE_V1,
	.ctx = &context,
	.commands = commands,
	.type = NGX_HTTP_MODULE,
	.init_process = start_worker,
};

/* What load_module looks for in the shared object. */
extern ngx_module_t *ngx_modules[];
extern char *ngx_module_names[];
extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {&ngx_http_espace_module, NULL};
char *ngx_module_names[] = {"ngx_http_espace_module", NULL};
char *ngx_module_order[] = {NULL};
