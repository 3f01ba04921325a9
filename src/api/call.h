#pragma once

#include <jansson.h>

#include "api/api.h"
#include "auth/account.h"
#include "auth/auth.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "http/http.h"
#include "repo/git.h"
#include "repo/intent.h"
#include "repo/repo.h"
#include "space/space.h"
#include "store/store.h"

/*
 * One call of the API: who asks, for which repository, with which request. api.c makes it, lets
 * call_admit() ask auth/ and then runs the function of the row, which asks no more for rights.
 *
 * A call holds no connection of the store while its function runs: functions borrow one for as long
 * as they need it, because git and slow bodies would keep it from others.
 */

/* What a row is about, and where its name is found. */
enum call_target {
	TARGET_NONE,
	TARGET_TYPED, /* {type} and {id} */
	TARGET_MODEL, /* {id} */
	TARGET_DATASET,
	TARGET_SPACE,
	TARGET_SLUG,  /* {slug}: a Space by the first label of its host name */
	TARGET_NAMED, /* `organization`, `name` and `type` of the JSON body; no organization: one's
			 own */
	TARGET_FROM,  /* `fromRepo` and `type` of the JSON body */
	TARGET_NAMESPACE, /* that organization; the name may be free or taken */
};

struct call;

/* A streamed body. `end` is called once after a begin that was called, whatever happened. */
struct call_stream {
	int (*begin)(struct call *call, struct err *err);
	int (*data)(struct call *call, const char *bytes, size_t length, struct err *err);
	void (*end)(struct call *call);
};

/* A row of routes.def. */
struct call_row {
	enum http_method method;
	const char *pattern;
	enum auth_right right;
	enum call_target target;
	uint64_t body_max;
	int (*handle)(struct call *call, struct err *err);
	const struct call_stream *stream; /* NULL: the body is collected */
	const char *title;                /* "POST /api/repos/create", for the audit */
};

struct call {
	const struct call_row *row;
	const struct api_config *config;
	struct http_request *request;
	struct http_answer *answer; /* NULL while a body streams in */
	struct actor actor;
	struct account owner; /* TARGET_NAMESPACE; see call_claim() */
	struct repo repo;     /* of all others but TARGET_NONE; of TARGET_NAMESPACE, if taken */
	const char *path;     /* behind {rev}, "" for none: see call_revision() */
	int64_t intent;       /* of call_intend(), until its row is written; 0: none */
	json_t *body;         /* an object, for targets that are named in it; else NULL */
	void *state;          /* of the row's stream */
};

struct call *call_new(const struct call_row *row, const struct api_config *config,
		      struct http_request *request);
void call_free(struct call *call);
DEFINE_OWNED(struct call *, call_free);

/*
 * Who is it, about what, may they? Fills actor and owner or repo. The only place that asks.
 * Errors: those of auth_actor() and auth_check(), ERR_NO_ROUTE for an unknown {type}.
 */
must_check int call_admit(struct call *call, struct err *err);

/* The body as a JSON object, kept until the call ends. Errors: ERR_INVALID. */
must_check int call_json(struct call *call, json_t **out, struct err *err);

/* Open the git repository of call->repo. Errors: ERR_NO_REPO where it was deleted meanwhile. */
must_check int call_git(struct call *call, struct git **out, struct err *err);

/*
 * The commit that {rev} names; without one, main. Told in X-Repo-Commit. call->path is what is left
 * of {path}, where the name went on in it. Errors: ERR_NO_REVISION.
 */
must_check int call_revision(struct call *call, struct git *git, char commit[static GIT_HEX],
			     struct err *err);

/* git_entry() for a path that may be missing: 1 found, 0 none, -1 failed. */
must_check int call_entry(struct git *git, const char *commit, const char *path,
			  struct git_entry *out, struct err *err);

/* The rows of call->repo as a Space. Errors: ERR_NO_REPO. */
must_check int call_space(struct call *call, struct space *out, struct err *err);

/* May somebody do that with a repository? Errors: as auth_check(). */
must_check int call_check_right(struct store_db *db, const struct actor *actor,
				enum auth_right right, const struct repo *repo, struct err *err);

/*
 * Another repository that the call needs, such as a template, if the caller may read it.
 * Errors: ERR_NO_REPO.
 */
must_check int call_find_readable(struct call *call, enum repo_type type, const char *full_name,
				  struct repo *out, struct err *err);

/*
 * A moment of the query (base/when.h), milliseconds of the wall clock; missing or empty: *out is
 * left as it was. Errors: ERR_INVALID that names it.
 */
must_check int call_time(const struct call *call, const char *name, int64_t *out, struct err *err);

/*
 * A name, "NAMESPACE/NAME", that the call is about to give: may the caller create it? call->owner
 * is its namespace then. Who may see that it is taken gets that repository in *there, else
 * there->id is 0. Errors: ERR_ANONYMOUS, ERR_DENIED, ERR_INVALID for what is no such name.
 */
must_check int call_claim(struct call *call, const char *full_name, struct repo *there,
			  struct err *err);

/* Begin a change; call->repo, if there is one, still exists in it. Errors: ERR_NO_REPO. */
must_check int call_change(struct call *call, struct store_tx **out, struct err *err);

/* The row of the audit that every change writes, in its transaction. `detail` holds no secret. */
must_check int call_audit(struct call *call, struct store_tx *tx, const char *action,
			  const char *detail, struct err *err);

/*
 * Before git changes a reference of call->repo: note what call_audit() will say, so that a crash in
 * between loses no row (repo/intent.h). call_audit() takes its place; where git refuses,
 * call_retract() does. The `repo_id` is filled in.
 */
must_check int call_intend(struct call *call, struct intent *intent, const char *action,
			   const char *detail, struct err *err);
void call_retract(struct call *call);

/* Tell the space loop that the wish of call->repo has changed. */
void call_wake(struct call *call);

/*
 * Uploads may ask for a pull request instead of a change of the branch. There are none yet, and a
 * branch must not change instead. Errors: ERR_INVALID for `create_pr`.
 */
must_check int call_refuse_pull(const struct call *call, struct err *err);

/* The functions of all rows. */
#define ROUTE(method, pattern, right, target, body_max, name) \
	int call_##name(struct call *call, struct err *err);
#define STREAM(method, pattern, right, target, body_max, name) \
	int call_##name(struct call *call, struct err *err);   \
	extern const struct call_stream call_##name##_stream;
#include "api/routes.def"
#undef ROUTE
#undef STREAM
