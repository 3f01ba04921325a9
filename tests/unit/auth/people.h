#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* Accounts for tests; what fails here fails the test. */
int64_t people_add_user(struct store *store, const char *name, bool admin);
int64_t people_add_org(struct store *store, const char *name);
