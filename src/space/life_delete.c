#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "space/life.h"

struct removal {
	struct space_loop *loop;
	int64_t repo_id;
	char hex[25];
	struct err err;
};

static int remove_layers(const struct removal *removal, struct err *err)
{
	owned(free) char *path = mem_format("%s/layers", removal->loop->config.dir);
	owned(free) char *start = mem_format("app-%s-", removal->hex);
	owned(closedir) DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return err_sys(err, "open the layers");
	while ((entry = readdir(dir)))
		if (str_starts(entry->d_name, start) &&
		    file_remove_tree(dirfd(dir), entry->d_name, err) < 0)
			return -1;
	return 0;
}

/* In the crew. */
static void work(void *arg)
{
	struct removal *removal = arg;
	owned(free) char *folder =
		mem_format("%s/spaces/%s", removal->loop->config.dir, removal->hex);

	if (remove_layers(removal, &removal->err) < 0 ||
	    file_remove_tree(AT_FDCWD, folder, &removal->err) < 0)
		err_in(&removal->err, "delete");
}

static int remove_row(const struct removal *removal, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (store_tx_begin(removal->loop->config.store, &tx, err) < 0 ||
	    space_remove(store_tx_db(tx), removal->repo_id, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

/* Back in the loop. The row goes last: until then a new hub begins anew with what is left. */
static void done(void *arg)
{
	owned(free) struct removal *removal = arg;
	struct life *life = life_of(removal->loop, removal->repo_id);
	struct err *err = &removal->err;

	life->busy = false;
	if (removal->loop->ending)
		return;
	if (err->kind == ERR_NONE && remove_row(removal, err) == 0) {
		log_info("space.deleted", "space=%s", removal->hex);
		life_wake(life, 0);
		return;
	}
	log_error("space.delete", "space=%s error=%s", removal->hex, err->text);
	life_rest(life);
}

/*
 * A build that runs for this Space: true if its end must be waited for. It is stopped unless other
 * Spaces wait for the same environment; then it goes on, for them.
 */
static bool ends_build(struct life *life, const struct space *space)
{
	struct space_loop *loop = life->loop;
	struct life_fact *fact = life_fact(loop, space->plan.env_layer);
	owned(store_read_end) struct store_read *read = NULL;
	bool shared = true;
	struct err err = ERR_INIT;

	if (!fact || fact->run.state == ENGINE_ENDED || strcmp(fact->run.space, space->hex) != 0)
		return false;
	if (store_read_begin(loop->config.store, &read, &err) < 0 ||
	    space_shares(store_read_db(read), space->repo_id, fact->run.key, &shared, &err) < 0)
		log_warn("space.delete", "space=%s error=%s", space->full_name, err.text);
	if (shared)
		return false;
	if (!fact->stopping && loop->engine->ops->stop(loop->engine, fact->run.key, 0, &err) == 0)
		fact->stopping = true;
	return true;
}

bool life_delete(struct life *life, const struct life_view *view)
{
	struct removal *removal;

	if (view->run_count > 0 || life->busy || ends_build(life, &view->space))
		return false; /* the end of each is reported */
	removal = mem_new(struct removal);
	removal->loop = life->loop;
	removal->repo_id = life->repo_id;
	memcpy(removal->hex, view->space.hex, sizeof(removal->hex));
	life->busy = true;
	crew_do(life->loop->crew, work, done, removal);
	return false;
}
