#include "api/api.h"

#include "api/answer.h"
#include "api/call.h"
#include "api/limits.h"
#include "api/quota.h"
#include "base/mem.h"
#include "repo/history.h"

/* nginx lets no larger body through to us; streams are commits. */
#define ROUTE(method, pattern, right, target, body_max, name) \
	_Static_assert((body_max) <= LIMITS_BODY_MOST, "the body of " pattern);
#define STREAM(method, pattern, right, target, body_max, name) \
	_Static_assert((body_max) <= LIMITS_BODY_COMMIT, "the body of " pattern);
#include "api/routes.def"
#undef ROUTE
#undef STREAM

static const struct call_row rows[] = {
#define ROW(method, pattern, right, target, body_max, name, stream) \
	{HTTP_##method, pattern,     AUTH_##right, TARGET_##target, \
	 body_max,      call_##name, stream,       #method " " pattern},
#define ROUTE(method, pattern, right, target, body_max, name) \
	ROW(method, pattern, right, target, body_max, name, NULL)
#define STREAM(method, pattern, right, target, body_max, name) \
	ROW(method, pattern, right, target, body_max, name, &call_##name##_stream)
#include "api/routes.def"
#undef ROUTE
#undef STREAM
#undef ROW
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

/* What a route of http/ carries: its row, and the api that it belongs to. */
struct route_data {
	const struct call_row *row;
	const struct api *api;
};

struct api {
	struct api_config config;
	struct http_route routes[ROW_COUNT];
	struct route_data data[ROW_COUNT];
};

static struct call *new_call(struct http_request *request)
{
	const struct route_data *data = http_route_data(request);

	return call_new(data->row, &data->api->config, request);
}

static int handle_whole(struct http_request *request, struct http_answer *answer, struct err *err)
{
	owned(call_free) struct call *call = new_call(request);

	call->answer = answer;
	if (call_admit(call, err) < 0)
		return -1;
	return call->row->handle(call, err);
}

static int stream_begin(struct http_request *request, struct err *err)
{
	owned(call_free) struct call *admitted = new_call(request);
	struct call *call;

	if (call_admit(admitted, err) < 0)
		return -1;
	call = take(admitted);
	http_set_context(request, call); /* stream_end() frees it */
	return call->row->stream->begin(call, err);
}

static int stream_data(struct http_request *request, const char *bytes, size_t length,
		       struct err *err)
{
	struct call *call = http_context(request);

	return call->row->stream->data(call, bytes, length, err);
}

static int stream_handle(struct http_request *request, struct http_answer *answer, struct err *err)
{
	struct call *call = http_context(request);

	call->answer = answer;
	return call->row->handle(call, err);
}

/* Without a context the begin was refused before the row heard of it. */
static void stream_end(struct http_request *request)
{
	struct call *call = http_context(request);

	if (!call)
		return;
	http_set_context(request, NULL);
	call->row->stream->end(call);
	call_free(call);
}

static const struct http_stream stream_ops = {stream_begin, stream_data, stream_end};

struct api *api_new(const struct api_config *config)
{
	struct api *api = mem_new(struct api);

	api->config = *config;
	api->config.quota = quota_new((const int64_t[]){
		[QUOTA_API] = config->quota_api,
		[QUOTA_RESOLVERS] = config->quota_resolvers,
		[QUOTA_PAGES] = config->quota_pages,
	});
	api->config.shelf = shelf_new();
	api->config.kept = kept_new(LIMITS_KEPT);
	api->config.histories = history_memory_new(LIMITS_HISTORY_MEMORY);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		api->data[i] = (struct route_data){.row = &rows[i], .api = api};
		api->routes[i] = (struct http_route){
			.method = rows[i].method,
			.pattern = rows[i].pattern,
			.body_max = rows[i].body_max,
			.stream = rows[i].stream ? &stream_ops : NULL,
			.handle = rows[i].stream ? stream_handle : handle_whole,
			.data = &api->data[i],
		};
	}
	return api;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	kept_free(api->config.kept);
	shelf_free(api->config.shelf);
	history_memory_free(api->config.histories);
	quota_free(api->config.quota);
	free(api);
}

const struct http_route *api_routes(const struct api *api, size_t *count)
{
	*count = ROW_COUNT;
	return api->routes;
}

void api_fail(const struct http_request *request, const struct err *err, struct http_answer *answer)
{
	answer_error(request, err, answer);
}

void api_finish(const struct http_request *request, struct http_answer *answer)
{
	http_cors(request, answer);
}
