-- Changes of references that have begun (repo/intent.h): git can't be changed in the transaction
-- of the audit's row, so what that will say stands here first. `old`: where the reference was, or ''.
CREATE TABLE intents (
	id INTEGER PRIMARY KEY,
	repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
	ref TEXT NOT NULL,
	old TEXT NOT NULL,
	actor_id INTEGER NOT NULL,
	actor TEXT NOT NULL,
	token_id INTEGER NOT NULL,
	token TEXT NOT NULL,
	address TEXT NOT NULL,
	via TEXT NOT NULL,
	request TEXT NOT NULL,
	agent TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	detail TEXT NOT NULL
) STRICT;
