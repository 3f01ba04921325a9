#include "api/visibility.h"

#include <string.h>

#include "base/json.h"

const char *visibility_name(const struct repo *repo)
{
	if (repo->is_protected)
		return "protected";
	return repo->is_private ? "private" : "public";
}

static void set(struct repo *repo, bool is_private, bool is_protected)
{
	repo->is_private = is_private;
	repo->is_protected = is_protected;
}

/* `private` true of a protected Space hides its app too: the old word knows nothing in between. */
static int read_private(const json_t *body, struct repo *repo, struct err *err)
{
	bool value = false;

	if (json_get_bool(body, "private", &value, err) < 0)
		return -1;
	if (json_is_boolean(json_object_get(body, "private")))
		set(repo, value, false);
	return 0;
}

int visibility_read(const json_t *body, struct repo *repo, struct err *err)
{
	const char *word = NULL;

	if (read_private(body, repo, err) < 0 || json_get_text(body, "visibility", &word, err) < 0)
		return -1;
	if (!word)
		return 0;
	if (strcmp(word, "public") == 0)
		set(repo, false, false);
	else if (strcmp(word, "private") == 0)
		set(repo, true, false);
	else if (strcmp(word, "protected") != 0)
		return err_set(err, ERR_INVALID,
			       "\"visibility\" must be one of [public, private, protected]");
	else if (repo->type != REPO_SPACE)
		return err_set(err, ERR_INVALID, "only spaces can be protected");
	else
		set(repo, true, true);
	return 0;
}
