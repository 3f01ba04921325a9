#include "daemon/admit.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "front/enter.h"
#include "space/space.h"
#include "store/audit.h"

/* What is known so far about one visit of what is private, or is not there at all. */
struct look {
	struct store_db *db;
	const struct admit_visitor *visitor;
	const struct secret *key;
	struct repo repo;   /* id 0: there is none */
	struct actor actor; /* who was looked at last */
	struct pass link;
	bool known; /* the visitor has said who they are */
	bool admitted;
	bool comes_by_link;
};

/* May look->actor? 1 yes, 0 no, -1 failed. */
static int may_read(struct look *look, struct err *err)
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
	if (auth_check(look->db, &look->actor, AUTH_REPO_READ, &target, err) == 0)
		return 1;
	return err->kind == ERR_NO_REPO ? 0 : -1;
}

/* 1 a token of the hub, 0 none, -1 failed. */
static int try_token(struct look *look, const char *token, struct err *err)
{
	int may;

	if (!*token)
		return 0;
	if (auth_actor(look->db, token, &look->actor, err) < 0)
		return err->kind == ERR_BAD_TOKEN ? 0 : -1;
	may = may_read(look, err);
	look->admitted |= may > 0;
	return may < 0 ? -1 : 1;
}

/* 1 it admits, 0 it doesn't, -1 failed. A pass for another Space says nothing here. */
static int try_pass(struct look *look, const char *text, size_t length, enum pass_kind kind,
		    struct err *err)
{
	struct pass pass;

	if (!pass_read(text, length, kind, look->visitor->now_s, look->key, &pass) ||
	    look->repo.id == 0 || pass.repo_id != look->repo.id)
		return 0;
	if (auth_actor_by_id(look->db, pass.user_id, pass.token_id, &look->actor, err) < 0)
		return err->kind == ERR_BAD_TOKEN ? 0 : -1;
	look->link = pass;
	return may_read(look, err);
}

static int try_cookies(struct look *look, struct err *err)
{
	const char *at = look->visitor->passes;

	while (*at && !look->admitted) {
		size_t length = strcspn(at, " ");
		int may = try_pass(look, at, length, PASS_COOKIE, err);

		if (may < 0)
			return -1;
		look->admitted = may > 0;
		at += length + (at[length] == ' ');
	}
	return 0;
}

/* Who is in already leaves the link as it is. */
static int try_link(struct look *look, struct err *err)
{
	owned(free) char *text = enter_sign(look->visitor->uri);
	bool asks = text && !look->admitted;
	int may = asks ? try_pass(look, text, strlen(text), PASS_LINK, err) : 0;

	look->comes_by_link = may > 0;
	return may < 0 ? -1 : 0;
}

static enum admit verdict(const struct look *look)
{
	if (look->comes_by_link)
		return ADMIT_LINK;
	if (look->admitted)
		return ADMIT_VISITOR;
	return look->known ? ADMIT_NOTHING : ADMIT_SIGN_IN;
}

/* *is_open: a public app. */
static int find_space(struct look *look, bool *is_open, struct err *err)
{
	struct space space;
	int found = space_by_slug(look->db, look->visitor->slug, &space, err);

	*is_open = found > 0 && !space.is_private;
	if (found <= 0 || *is_open)
		return found < 0 ? -1 : 0;
	return repo_by_id(look->db, space.repo_id, &look->repo, err) < 0 ? -1 : 0;
}

int admit_visitor(struct store_db *db, const struct admit_visitor *visitor,
		  const struct secret *key, struct admit_answer *out, struct err *err)
{
	struct look look = {.db = db, .visitor = visitor, .key = key};
	owned(free) char *sign = NULL;
	bool is_open;
	int known;

	if (find_space(&look, &is_open, err) < 0)
		return -1;
	if (is_open) {
		*out = (struct admit_answer){.admit = ADMIT_PUBLIC};
		return 0;
	}
	known = try_token(&look, visitor->token, err);
	if (known < 0 || try_token(&look, visitor->hub_token, err) < 0 ||
	    try_cookies(&look, err) < 0 || try_link(&look, err) < 0)
		return -1;
	sign = enter_sign(visitor->uri);
	*out = (struct admit_answer){
		.admit = verdict(&look),
		.drops = known > 0,
		.signs = sign && *sign,
		.actor = look.actor,
		.link = look.link,
		.repo = look.repo,
	};
	return 0;
}

static int write_down(struct store_db *db, const struct admit_answer *answer, const char *from,
		      struct err *err)
{
	owned(free) char *target = mem_format("spaces/%s", answer->repo.full_name);
	const struct audit_who who = {
		.actor_id = answer->actor.user_id,
		.actor = answer->actor.name,
		.token_id = answer->actor.token_id,
		.token = answer->actor.token_name,
		.address = from,
		.via = "link",
	};

	return audit_add(
		db, &(struct audit_entry){.who = &who, .action = "space.enter", .target = target},
		err);
}

int admit_exchange(struct store_db *db, const struct admit_answer *answer, const char *from,
		   const struct secret *key, char cookie[static PASS_ROOM], struct err *err)
{
	int64_t now_s = clock_wall_ms() / 1000;
	int spent = pass_spend(db, &answer->link, now_s, err);

	if (spent <= 0)
		return spent;
	if (write_down(db, answer, from, err) < 0)
		return -1;
	pass_write(&answer->link, PASS_COOKIE, now_s, key, cookie);
	return 1;
}
