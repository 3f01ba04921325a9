#include "world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "space/flavors.h"

void world_ok(int result, const struct err *err)
{
	if (result < 0)
		fail_msg("%s: %s", err_kind_name(err->kind), err->text);
}

struct store_tx *world_begin(struct world *world)
{
	struct store_tx *tx = NULL;
	struct err err = ERR_INIT;

	world_ok(store_tx_begin(world->store, &tx, &err), &err);
	return tx;
}

void world_commit(struct store_tx *tx)
{
	struct err err = ERR_INIT;

	world_ok(store_tx_commit(tx, &err), &err);
}

static void add_owner(struct world *world)
{
	struct store_tx *tx = world_begin(world);
	struct store_query *query = store_query(
		store_tx_db(tx), "INSERT INTO accounts (id, hex, type, name, created_ms)"
				 " VALUES (1, '0a0a0a0a0a0a0a0a0a0a0a0a', 'user',"
				 " 'me', 0)");
	struct err err = ERR_INIT;

	world_ok(store_step(query, &err), &err);
	store_query_end(query);
	world_commit(tx);
}

struct world *world_new(void)
{
	static const char *const folders[] = {"repos", "layers/base-1", "spaces", "run/in"};
	struct world *world = mem_new(struct world);
	owned(free) char *database = NULL;
	owned(free) char *link = NULL;
	owned(free) char *key = NULL;
	owned(free) char *yaml = NULL;
	struct err err = ERR_INIT;

	world->path = mem_text("/tmp/espace-space-XXXXXX");
	assert_non_null(mkdtemp(world->path));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		owned(free) char *path = mem_format("%s/%s", world->path, folders[i]);

		world_ok(file_make_dirs(AT_FDCWD, path, 0755, &err), &err);
	}
	link = mem_format("%s/layers/base", world->path);
	assert_int_equal(symlink("base-1", link), 0);
	database = mem_format("%s/espace.db", world->path);
	key = mem_format("%s/secret.key", world->path);
	world_ok(store_open(database, &world->store, &err), &err);
	world_ok(vault_open(key, world->store, &world->vault, &err), &err);
	yaml = flavors_yaml(64, UINT64_C(512) << 30, NULL);
	world_ok(hardware_parse(yaml, strlen(yaml), &world->hardware, &err), &err);
	add_owner(world);
	return world;
}

void world_free(struct world *world)
{
	struct err err = ERR_INIT;

	hardware_free(world->hardware);
	vault_free(world->vault);
	store_close(world->store);
	world_ok(file_remove_tree(AT_FDCWD, world->path, &err), &err);
	free(world->path);
	free(world);
}

struct repo world_repo(const char *name)
{
	static int64_t last_id;
	struct repo repo = {.id = ++last_id,
			    .type = REPO_SPACE,
			    .owner_id = 1,
			    .owner = "me",
			    .creator_id = 1,
			    .sdk = "gradio"};

	snprintf(repo.hex, sizeof(repo.hex), "%024llx", (unsigned long long)repo.id);
	snprintf(repo.name, sizeof(repo.name), "%.90s", name);
	snprintf(repo.full_name, sizeof(repo.full_name), "me/%.90s", name);
	return repo;
}

struct repo world_space(struct world *world, const char *name)
{
	struct repo repo = world_repo(name);
	const struct space_setup setup = {.sdk = "gradio"};
	struct store_tx *tx = world_begin(world);
	struct err err = ERR_INIT;

	world_ok(space_add(store_tx_db(tx), &repo, &setup, &err), &err);
	world_commit(tx);
	return repo;
}

struct space world_get(struct world *world, int64_t repo_id)
{
	struct store_read *read = NULL;
	struct space space = {0};
	struct err err = ERR_INIT;

	world_ok(store_read_begin(world->store, &read, &err), &err);
	world_ok(space_get(store_read_db(read), repo_id, &space, &err), &err);
	store_read_end(read);
	return space;
}
