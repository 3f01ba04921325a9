#pragma once

#include "base/err.h"
#include "base/own.h"
#include "front/ask.h"
#include "space/loop.h"
#include "space/vault.h"
#include "store/store.h"

/*
 * Gate: carries nginx's questions from the front to the space loop, and the answers back: the one
 * knows no Space, the other no page. On the way it looks whether the visitor may (daemon/admit.h):
 * of every question, so a right or token that ends is gone for the next request.
 *
 * Threads: a few of its own, which read rows; so the front's loop never waits for the disk.
 */
struct gate;

struct gate_config {
	struct store *store;
	const struct vault *vault; /* has the key of passes */
	struct space_loop *loop;
};

must_check int gate_start(const struct gate_config *config, struct gate **out, struct err *err);

/* What it still keeps is answered with "unavailable". Nobody may ask any more. Takes NULL. */
void gate_stop(struct gate *gate);
DEFINE_OWNED(struct gate *, gate_stop);

/* For ask_config: `arg` is the gate. */
void gate_ask(void *arg, struct ask *ask);
