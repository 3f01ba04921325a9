#pragma once

#include <jansson.h>

#include "api/call.h"
#include "base/err.h"
#include "base/own.h"
#include "repo/lend.h"
#include "space/space.h"

/*
 * Births: what creating a repository and duplicating one have in common. The files come first,
 * whole and durable, then the rows in one transaction: a crash in between leaves files that nothing
 * names, never a name without files. They are marked until the rows are there (repo/mark.h), so
 * that the garbage collection takes such for what they are. call->repo is the new repository,
 * call->owner its owner.
 *
 * Wire: A2, A8.
 */
struct birth {
	const struct space_setup *setup; /* Spaces */
	const char *staged;              /* folder of the files; has their name in the end */
	const char *commit;              /* head of main */
	bool builds;                     /* Spaces: there is something to build */
	const struct lend *lend;         /* NULL, or what was borrowed … */
	const struct repo *source;       /* … from */
	const char *action;              /* for the audit */
	const char *detail;
};

/* May a repository be called so? Errors: ERR_INVALID, which says why not. */
must_check int birth_check_name(const char *name, struct err *err);

/* Fill call->repo but its visibility. Errors: ERR_INVALID for what is no name. */
must_check int birth_name(struct call *call, const char *name, struct err *err);

/* The wishes of a Space that both bodies may bring along; the rest of *setup stays. */
must_check int birth_setup(struct call *call, const json_t *body, struct space_setup *setup,
			   struct err *err);

/* "new-ID.git", where the files are made. For free(). */
char *birth_place(const struct call *call);

/*
 * Write the rows and give the files their name; where that fails nothing is left.
 * Errors: ERR_EXISTS, ERR_NO_REPO where the source has gone meanwhile.
 */
must_check int birth_end(struct call *call, const struct birth *birth, struct err *err);

/* What was staged is not wanted. What can't be removed is for the garbage collection. */
void birth_drop(const char *path);

/* Is it there by now? 1, and call->repo is that one; 0; -1 failed. */
must_check int birth_find(struct call *call, struct err *err);

/* 409 with the url of call->repo: clients with exist_ok read it, so it is no ordinary error. */
int birth_answer_exists(struct call *call);
