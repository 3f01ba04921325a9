#include <string.h>

#include "base/log.h"
#include "space/life.h"

uint64_t life_data_bytes(const struct space_loop *loop, const struct space *space)
{
	int rank = space_storage_rank(space->storage);

	return rank > 0 ? loop->config.storage_bytes[rank - 1] : 0;
}

static struct life *life_of_hex(struct space_loop *loop, const char *hex)
{
	struct life *life = loop->lives;

	while (life && strcmp(life->hex, hex) != 0)
		life = life->next;
	return life;
}

static int write_dropped(const struct life *life, struct err *err)
{
	owned(store_tx_end) struct store_tx *tx = NULL;

	if (store_tx_begin(life->loop->config.store, &tx, err) < 0 ||
	    space_set_dropped(store_tx_db(tx), life->repo_id, life->drops, err) < 0)
		return -1;
	return store_tx_commit(take(tx), err);
}

void life_dropped(void *arg, const char *hex, const struct err *err)
{
	struct life *life = life_of_hex(arg, hex);
	struct err failure = err ? *err : ERR_INIT;

	if (!life || !life->drops)
		return;
	if (!err && write_dropped(life, &failure) == 0) {
		log_info("space.data", "space=%s dropped=yes", hex);
		life_wake(life, 0);
	} else { /* a row that was not written: the next removal finds nothing to remove */
		log_warn("space.data", "space=%s error=%s", hex, failure.text);
		life_rest(life);
	}
	life->drops = 0;
}

bool life_data(struct life *life, const struct life_view *view)
{
	const struct space *space = &view->space;
	struct engine *engine = life->loop->engine;
	struct err err = ERR_INIT;

	if (space->data_drops == space->data_dropped)
		return false;
	if (view->run_count > 0 || life->drops)
		return true; /* the end of each is reported */
	if (engine->ops->drop_data(engine, space->hex, &err) == 0) {
		life->drops = space->data_drops;
	} else {
		log_warn("space.data", "space=%s error=%s", space->full_name, err.text);
		life_rest(life);
	}
	return true;
}
