#include "daemon/words/account_word.h"

#include <string.h>

static int copy(const char *text, char *out, size_t room, const char *what, struct err *err)
{
	size_t length = text ? strlen(text) : 0;

	if (length >= room)
		return err_set(err, ERR_INVALID, "the %s has more than %zu bytes", what, room - 1);
	memcpy(out, text ? text : "", length + 1);
	return 0;
}

int account_word_fill(struct account *account, const char *name, const char *fullname,
		      const char *email, struct err *err)
{
	if (copy(name, account->name, sizeof(account->name), "name", err) < 0 ||
	    copy(fullname, account->fullname, sizeof(account->fullname), "full name", err) < 0)
		return -1;
	return copy(email, account->email, sizeof(account->email), "address of email", err);
}

int account_word_user(struct store_db *db, const char *name, struct account *out, struct err *err)
{
	int found = account_find(db, name, out, err);

	if (found < 0)
		return -1;
	if (found == 0 || out->type != ACCOUNT_USER)
		return err_set(err, ERR_NOT_FOUND, "there is no user %.100s", name);
	return 0;
}
