#include "api/call.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "api/quota.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/when.h"
#include "store/audit.h"

struct call *call_new(const struct call_row *row, const struct api_config *config,
		      struct http_request *request)
{
	struct call *call = mem_new(struct call);

	call->row = row;
	call->config = config;
	call->request = request;
	return call;
}

void call_free(struct call *call)
{
	if (!call)
		return;
	json_decref(call->body);
	free(call);
}

/* A token that is not valid is told even where nobody asks for one: else its owner never notices.
 */
static int find_actor(struct call *call, struct store_db *db, struct err *err)
{
	static const char scheme[] = "Bearer ";
	const char *header = http_header(call->request, "Authorization");

	if (!header)
		return 0;
	if (strncasecmp(header, scheme, strlen(scheme)) != 0)
		return err_set(err, ERR_BAD_TOKEN, "no bearer token");
	header += strlen(scheme);
	header += strspn(header, " ");
	return auth_actor(db, header, &call->actor, err);
}

/* The type of the repository that the path names. */
static int path_type(const struct call *call, enum repo_type *out, struct err *err)
{
	static const enum repo_type fixed[] = {
		[TARGET_MODEL] = REPO_MODEL,
		[TARGET_DATASET] = REPO_DATASET,
		[TARGET_SPACE] = REPO_SPACE,
	};
	const char *plural;

	if (call->row->target != TARGET_TYPED) {
		*out = fixed[call->row->target];
		return 0;
	}
	plural = http_param(call->request, "type");
	for (enum repo_type type = REPO_MODEL; type <= REPO_SPACE; type++)
		if (strcmp(plural, repo_type_plural(type)) == 0) {
			*out = type;
			return 0;
		}
	return err_set(err, ERR_NO_ROUTE, "no kind of repository is called %s", plural);
}

int call_check_right(struct store_db *db, const struct actor *actor, enum auth_right right,
		     const struct repo *repo, struct err *err)
{
	const struct auth_target target = {
		.owner_id = repo->owner_id,
		.creator_id = repo->creator_id,
		.full_name = repo->full_name,
		.is_private = repo->is_private,
	};

	return auth_check(db, actor, right, &target, err);
}

/* Find a repository and ask for a right on it. */
static int find_allowed(const struct call *call, struct store_db *db, enum auth_right right,
			const char *full_name, struct repo *repo, struct err *err)
{
	enum repo_type type = repo->type;
	int found = repo_find(db, type, full_name, repo, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "no %s %s", repo_type_name(type), full_name);
	return call_check_right(db, &call->actor, right, repo, err);
}

/* The namespace that a body names: the caller's own where it names none. */
static int body_namespace(struct call *call, const char **out, struct err *err)
{
	json_t *body;

	if (call->actor.user_id == 0)
		return err_set(err, ERR_ANONYMOUS, "sign in first");
	if (call_json(call, &body, err) < 0)
		return -1;
	*out = call->actor.name;
	return json_get_text(body, "organization", out, err);
}

/* The repository that a body names. `full_name` is for free(). */
static int body_repo(struct call *call, const char **namespace, char **full_name, struct err *err)
{
	const char *type_name = NULL;
	const char *name;

	if (body_namespace(call, namespace, err) < 0 ||
	    json_need_text(call->body, "name", &name, err) < 0 ||
	    json_get_text(call->body, "type", &type_name, err) < 0 ||
	    repo_type_parse(type_name, &call->repo.type, err) < 0)
		return -1;
	*full_name = mem_format("%s/%s", *namespace, name);
	return 0;
}

static int admit_named(struct call *call, struct store_db *db, struct err *err)
{
	owned(free) char *full_name = NULL;
	const char *namespace;

	if (body_repo(call, &namespace, &full_name, err) < 0)
		return -1;
	return find_allowed(call, db, call->row->right, full_name, &call->repo, err);
}

/* 1 yes, 0 no, -1 failed. */
static int may_create(struct call *call, struct store_db *db, struct err *err)
{
	const struct auth_target target = {
		.owner_id = call->owner.id,
		.full_name = call->owner.name,
	};

	if (auth_check(db, &call->actor, AUTH_CREATE, &target, err) == 0)
		return 1;
	return err->kind == ERR_DENIED ? 0 : -1;
}

/* Does one read what is private in the namespace of call->owner, if only by this name? As above. */
static int may_look(struct call *call, struct store_db *db, const char *full_name, struct err *err)
{
	const struct auth_target target = {
		.owner_id = call->owner.id,
		.full_name = full_name,
		.is_private = true,
	};

	if (auth_check(db, &call->actor, AUTH_REPO_READ, &target, err) == 0)
		return 1;
	return err->kind == ERR_NO_REPO ? 0 : -1;
}

/*
 * That a name is taken is said before all else (A2), to readers of the namespace too. Whether a
 * foreign namespace exists is no different to who may not create in it.
 */
static int claim(struct call *call, struct store_db *db, const char *full_name, struct repo *there,
		 struct err *err)
{
	owned(free) char *namespace = mem_text_n(full_name, strcspn(full_name, "/"));
	int known = account_find(db, namespace, &call->owner, err);
	int creates = known > 0 ? may_create(call, db, err) : known;
	int looks = creates == 0 && known > 0 ? may_look(call, db, full_name, err) : creates;

	*there = (struct repo){.type = call->repo.type};
	if (known < 0 || creates < 0 || looks < 0)
		return -1;
	if (looks > 0 && repo_find(db, call->repo.type, full_name, there, err) < 0)
		return -1;
	if (creates > 0 || there->id != 0)
		return 0;
	return err_set(err, ERR_DENIED,
		       "you don't have the right to create in the namespace \"%s\"", namespace);
}

static int admit_namespace(struct call *call, struct store_db *db, struct err *err)
{
	owned(free) char *full_name = NULL;
	struct repo there;
	const char *namespace;

	if (body_repo(call, &namespace, &full_name, err) < 0 ||
	    claim(call, db, full_name, &there, err) < 0)
		return -1;
	call->repo = there;
	return 0;
}

static int admit_from(struct call *call, struct store_db *db, struct err *err)
{
	const char *type_name = NULL;
	const char *full_name;
	json_t *body;

	if (call->actor.user_id == 0)
		return err_set(err, ERR_ANONYMOUS, "sign in first");
	if (call_json(call, &body, err) < 0 ||
	    json_need_text(body, "fromRepo", &full_name, err) < 0 ||
	    json_get_text(body, "type", &type_name, err) < 0 ||
	    repo_type_parse(type_name, &call->repo.type, err) < 0)
		return -1;
	return find_allowed(call, db, call->row->right, full_name, &call->repo, err);
}

/* "https://hub/api/spaces/me/new/runtime?x=1" for a path that had the old name where {id} is. */
static char *moved_path(const struct call *call, const struct repo *repo)
{
	const char *query = http_query_text(call->request);
	const char *before = http_path(call->request);
	const char *after;

	for (const char *c = strstr(call->row->pattern, "{id}"); --c > call->row->pattern;)
		if (*c == '/')
			before = strchr(before + 1, '/');
	after = strchr(strchr(before + 1, '/') + 1, '/');
	return mem_format("%.*s/%s%s%s%s", (int)(before - http_path(call->request)),
			  http_path(call->request), repo->full_name, after ? after : "",
			  *query ? "?" : "", query);
}

/*
 * Who may read a repository is led from its old name to the new one; to others neither is there.
 * The address of a call is whole, that of a file is a path (A4, B6).
 */
static int lead_on(struct call *call, struct store_db *db, const char *full_name, struct err *err)
{
	struct repo repo;
	int found = repo_find_moved(db, call->repo.type, full_name, &repo, err);
	owned(free) char *path = NULL;
	bool is_call;

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "no such repository");
	if (call_check_right(db, &call->actor, AUTH_REPO_READ, &repo, err) < 0)
		return -1;
	path = moved_path(call, &repo);
	is_call = strncmp(path, "/api/", strlen("/api/")) == 0;
	http_add_headerf(http_answer(call->request), "Location", "%s%s",
			 is_call ? http_origin(call->request) : "", path);
	return err_set(err, ERR_MOVED, "%s is %s now", full_name, repo.full_name);
}

static int admit_path(struct call *call, struct store_db *db, struct err *err)
{
	const char *full_name = http_param(call->request, "id");

	if (path_type(call, &call->repo.type, err) < 0)
		return -1;
	if (find_allowed(call, db, call->row->right, full_name, &call->repo, err) == 0)
		return 0;
	return err->kind == ERR_NO_REPO && call->repo.id == 0 ? lead_on(call, db, full_name, err)
							      : -1;
}

/* A token that is none counts too, for its address: guessing has the same limit. */
static int count_actor(struct call *call, struct store_db *db, struct err *err)
{
	int found = find_actor(call, db, err);

	if (quota_take(call->config->quota, call, clock_mono_ms() / 1000, err) < 0)
		return -1;
	return found;
}

static int admit_slug(struct call *call, struct store_db *db, struct err *err)
{
	const char *slug = http_param(call->request, "slug");
	struct space space;
	int found = space_by_slug(db, slug, &space, err);

	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "no space is served as %s", slug);
	call->repo.type = REPO_SPACE;
	return find_allowed(call, db, call->row->right, space.full_name, &call->repo, err);
}

int call_admit(struct call *call, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	struct store_db *db;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	db = store_read_db(read);
	if (count_actor(call, db, err) < 0)
		return -1;
	switch (call->row->target) {
	case TARGET_NONE:
		return auth_check(db, &call->actor, call->row->right, NULL, err);
	case TARGET_SLUG:
		return admit_slug(call, db, err);
	case TARGET_NAMESPACE:
		return admit_namespace(call, db, err);
	case TARGET_NAMED:
		return admit_named(call, db, err);
	case TARGET_FROM:
		return admit_from(call, db, err);
	default:
		return admit_path(call, db, err);
	}
}

int call_json(struct call *call, json_t **out, struct err *err)
{
	if (!call->body) {
		const struct str *text = http_body(call->request);

		if (json_parse(text->data, text->length, &call->body, err) < 0)
			return -1;
		if (!json_is_object(call->body))
			return err_set(err, ERR_INVALID, "the body must be a JSON object");
	}
	*out = call->body;
	return 0;
}

int call_git(struct call *call, struct git **out, struct err *err)
{
	owned(free) char *path = datadir_path(call->config->dir, "repos/%s.git", call->repo.hex);

	return shelf_open(call->config->shelf, path, out, err);
}

int call_revision(struct call *call, struct git *git, char commit[static GIT_HEX], struct err *err)
{
	const char *rev = http_param(call->request, "rev");
	const char *path = http_param(call->request, "path");

	call->path = path ? path : "";
	if (git_resolve_begin(git, rev ? rev : "", &call->path, commit, err) < 0)
		return -1;
	if (call->answer)
		http_add_header(call->answer, "X-Repo-Commit", commit);
	return 0;
}

int call_entry(struct git *git, const char *commit, const char *path, struct git_entry *out,
	       struct err *err)
{
	if (git_entry(git, commit, path, out, err) == 0)
		return 1;
	return err->kind == ERR_NO_ENTRY ? 0 : -1;
}

int call_space(struct call *call, struct space *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	int found;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	found = space_get(store_read_db(read), call->repo.id, out, err);
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "%s is gone", call->repo.full_name);
	return found < 0 ? -1 : 0;
}

int call_find_readable(struct call *call, enum repo_type type, const char *full_name,
		       struct repo *out, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	out->type = type;
	return find_allowed(call, store_read_db(read), AUTH_REPO_READ, full_name, out, err);
}

int call_claim(struct call *call, const char *full_name, struct repo *there, struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;
	const char *slash = strchr(full_name, '/');

	if (call->actor.user_id == 0)
		return err_set(err, ERR_ANONYMOUS, "sign in first");
	if (!slash || slash == full_name || !slash[1])
		return err_set(err, ERR_INVALID, "\"%.100s\" is no NAMESPACE/NAME", full_name);
	if (store_read_begin(call->config->store, &read, err) < 0)
		return -1;
	return claim(call, store_read_db(read), full_name, there, err);
}

int call_change(struct call *call, struct store_tx **out, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct repo now;
	int found = 1;

	if (store_tx_begin(call->config->store, &tx, err) < 0)
		return -1;
	if (call->repo.id != 0)
		found = repo_by_id(store_tx_db(tx), call->repo.id, &now, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NO_REPO, "%s is gone", call->repo.full_name);
	*out = take(tx);
	return 0;
}

/* What a header says, as far as it is harmless wherever it is shown. */
static void copy_plain(const char *text, char *out, size_t room)
{
	size_t length = 0;

	for (; text && *text && length + 1 < room; text++) {
		bool is_plain = *text >= ' ' && *text <= '~';

		out[length++] = (char)(is_plain ? *text : '?');
	}
	out[length] = '\0';
}

/* Who makes a change, of what. */
struct author {
	char address[INET6_ADDRSTRLEN];
	char agent[AUDIT_AGENT_MAX + 1];
	struct audit_who who;
	char *target;
};

static void author_done(struct author *author)
{
	free(author->target);
}

static void own_author_done(struct author *held)
{
	author_done(held);
}

static void author_init(struct author *author, const struct call *call)
{
	copy_plain(http_header(call->request, "X-Forwarded-For"), author->address,
		   sizeof(author->address));
	copy_plain(http_header(call->request, "User-Agent"), author->agent, sizeof(author->agent));
	author->target =
		mem_format("%s/%s", repo_type_plural(call->repo.type), call->repo.full_name);
	author->who = (struct audit_who){
		.actor_id = call->actor.user_id,
		.actor = call->actor.name,
		.token_id = call->actor.token_id,
		.token = call->actor.token_name,
		.address = author->address,
		.via = call->row->title,
		.request = http_request_id(call->request),
		.agent = author->agent,
	};
}

int call_audit(struct call *call, struct store_tx *tx, const char *action, const char *detail,
	       struct err *err)
{
	struct store_db *db = store_tx_db(tx);
	owned(author_done) struct author author;
	struct audit_entry entry = {.action = action, .detail = detail};

	author_init(&author, call);
	entry.who = &author.who;
	entry.target = author.target;
	if (call->intent && intent_remove(db, call->intent, err) < 0)
		return -1;
	return audit_add(db, &entry, err);
}

int call_intend(struct call *call, struct intent *intent, const char *action, const char *detail,
		struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	owned(author_done) struct author author;
	struct audit_entry entry = {.action = action, .detail = detail};
	int64_t id;

	author_init(&author, call);
	entry.who = &author.who;
	entry.target = author.target;
	intent->repo_id = call->repo.id;
	if (call_change(call, &tx, err) < 0 ||
	    intent_add(store_tx_db(tx), intent, &entry, &id, err) < 0 ||
	    store_tx_commit(take(tx), err) < 0)
		return -1;
	call->intent = id;
	return 0;
}

/* One that stays is settled at the next start: nothing has moved. */
void call_retract(struct call *call)
{
	owned(store_tx_end) struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	if (call->intent && store_tx_begin(call->config->store, &tx, &err) == 0 &&
	    intent_remove(store_tx_db(tx), call->intent, &err) == 0 &&
	    store_tx_commit(take(tx), &err) == 0)
		call->intent = 0;
}

void call_wake(struct call *call)
{
	if (call->config->wake)
		call->config->wake(call->config->arg, call->repo.id);
}

int call_time(const struct call *call, const char *name, int64_t *out, struct err *err)
{
	const char *text = http_query(call->request, name);

	if (!text || !*text)
		return 0;
	return when_parse(text, clock_wall_ms(), out, err) < 0 ? err_in(err, "%s", name) : 0;
}

int call_refuse_pull(const struct call *call, struct err *err)
{
	bool create_pr = false;

	if (http_query_bool(call->request, "create_pr", &create_pr, err) < 0)
		return -1;
	if (create_pr)
		return err_set(err, ERR_INVALID,
			       "pull requests are not supported yet: commit to a branch, without "
			       "create_pr");
	return 0;
}
