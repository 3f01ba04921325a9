#pragma once

#include "auth/account.h"
#include "base/err.h"
#include "base/own.h"
#include "store/store.h"

/* What the words `user`, `org` and `token` share: accounts by what was typed. */

/* Fill the texts of an account, NULL being none. Errors: ERR_INVALID for those that don't fit. */
must_check int account_word_fill(struct account *account, const char *name, const char *fullname,
				 const char *email, struct err *err);

/* Errors: ERR_NOT_FOUND, also for an organisation of that name. */
must_check int account_word_user(struct store_db *db, const char *name, struct account *out,
				 struct err *err);
