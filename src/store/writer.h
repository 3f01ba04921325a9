#pragma once

#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/*
 * The one writing connection: who may use it when, and how transactions share a COMMIT.
 * Implements store_tx_* of store.h. Threads: any.
 */
struct writer;

must_check int writer_open(const char *path, struct writer **out, struct err *err);
/* Nobody may be writing or waiting. */
void writer_close(struct writer *writer);
DEFINE_OWNED(struct writer *, writer_close);

void writer_sign(struct writer *writer, const struct audit_who *who);

must_check int writer_begin(struct writer *writer, struct store_tx **out, struct err *err);
unsigned writer_waiting(struct writer *writer);
