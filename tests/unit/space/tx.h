#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

/* A Space "me/used", and one transaction in which all of a test happens. */
static struct repo repo;
static struct store_tx *tx;
static struct store_db *db;

static int setup(void **state)
{
	*state = world_new();
	repo = world_space(*state, "used");
	tx = world_begin(*state);
	db = store_tx_db(tx);
	return 0;
}

static int teardown(void **state)
{
	store_tx_end(tx);
	world_free(*state);
	return 0;
}
