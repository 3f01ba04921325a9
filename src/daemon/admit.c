#include "daemon/admit.h"

#include "auth/auth.h"
#include "repo/repo.h"
#include "space/space.h"

/* What is known so far about one visit of what is private, or is not there at all. */
struct look {
	struct store_db *db;
	struct repo repo; /* id 0: there is none */
	bool known;       /* the visitor has said who they are */
	bool admitted;
};

static int try_actor(struct look *look, const struct actor *actor, struct err *err)
{
	const struct auth_target target = {
		.owner_id = look->repo.owner_id,
		.creator_id = look->repo.creator_id,
		.full_name = look->repo.full_name,
		.is_private = true,
	};

	look->known = true;
	if (look->repo.id == 0)
		return 0;
	if (auth_check(look->db, actor, AUTH_REPO_READ, &target, err) == 0)
		look->admitted = true;
	else if (err->kind != ERR_NO_REPO)
		return -1;
	return 0;
}

/* 1 a token of the hub, 0 none, -1 failed. */
static int try_token(struct look *look, const char *token, struct err *err)
{
	struct actor actor;

	if (!*token)
		return 0;
	if (auth_actor(look->db, token, &actor, err) < 0)
		return err->kind == ERR_BAD_TOKEN ? 0 : -1;
	return try_actor(look, &actor, err) < 0 ? -1 : 1;
}

static enum admit verdict(const struct look *look)
{
	if (look->admitted)
		return ADMIT_VISITOR;
	return look->known ? ADMIT_NOTHING : ADMIT_SIGN_IN;
}

/* *is_open: a public app. */
static int find_space(struct look *look, const char *slug, bool *is_open, struct err *err)
{
	struct space space;
	int found = space_by_slug(look->db, slug, &space, err);

	*is_open = found > 0 && !space.is_private;
	if (found <= 0 || *is_open)
		return found < 0 ? -1 : 0;
	return repo_by_id(look->db, space.repo_id, &look->repo, err) < 0 ? -1 : 0;
}

int admit_visitor(struct store_db *db, const struct admit_visitor *visitor,
		  struct admit_answer *out, struct err *err)
{
	struct look look = {.db = db};
	bool is_open;
	int known;

	if (find_space(&look, visitor->slug, &is_open, err) < 0)
		return -1;
	if (is_open) {
		*out = (struct admit_answer){.admit = ADMIT_PUBLIC};
		return 0;
	}
	known = try_token(&look, visitor->token, err);
	if (known < 0 || try_token(&look, visitor->hub_token, err) < 0)
		return -1;
	*out = (struct admit_answer){.admit = verdict(&look), .drops = known > 0};
	return 0;
}
