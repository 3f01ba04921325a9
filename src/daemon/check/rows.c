#include "daemon/check/checkup.h"

/*
 * What rows must agree on and no constraint of the schema holds. Each question selects what to call
 * the thing that is wrong; a transaction writes all of it or nothing, so nothing is in flight here.
 */
static const struct checkup_question questions[] = {
	{"SELECT 'Space ' || full_name FROM spaces s WHERE deleting = 0"
	 " AND NOT EXISTS (SELECT 1 FROM repos r WHERE r.id = s.repo_id AND r.type = 'space')",
	 "it has no repository", "delete its row of the table spaces, or bring a backup back"},
	{"SELECT 'Space ' || a.name || '/' || r.name FROM repos r JOIN accounts a"
	 " ON a.id = r.owner_id WHERE r.type = 'space'"
	 " AND NOT EXISTS (SELECT 1 FROM spaces s WHERE s.repo_id = r.id AND s.deleting = 0)",
	 "its repository has no Space", "delete the repository and create it anew"},
	{"SELECT 'Space ' || s.full_name FROM spaces s JOIN repos r ON r.id = s.repo_id"
	 " WHERE r.hex <> s.hex",
	 "it names another repository than its own", "bring a backup back"},
	{"SELECT 'place ' || p.name FROM places p JOIN runs r ON r.id = p.run_id"
	 " WHERE r.ended_ms IS NOT NULL",
	 "a run that has ended still has it", "delete its row of the table places"},
};

static int ask(struct checkup *checkup, struct store_db *db,
	       const struct checkup_question *question, struct err *err)
{
	owned(store_query_end) struct store_query *query = store_query(db, question->sql);
	int row;

	while ((row = store_step(query, err)) > 0)
		checkup_problem(checkup, store_text(query, 0), question->todo, "%s",
				question->what);
	return row;
}

int checkup_ask(struct checkup *checkup, const struct checkup_question *list, size_t count,
		struct err *err)
{
	owned(store_read_end) struct store_read *read = NULL;

	if (!checkup->store)
		return 0;
	if (store_read_begin(checkup->store, &read, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (ask(checkup, store_read_db(read), &list[i], err) < 0)
			return -1;
	return 0;
}

int checkup_rows(struct checkup *checkup, struct err *err)
{
	return checkup_ask(checkup, questions, sizeof(questions) / sizeof(questions[0]), err);
}
