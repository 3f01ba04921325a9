-- Who may have hardware beyond cpu-basic (space/grant.h).
CREATE TABLE grants (
	account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	flavor TEXT NOT NULL,
	limit_ms INTEGER, -- of use from given_ms on; NULL: any, 0: taken back
	given_ms INTEGER NOT NULL,
	PRIMARY KEY (account_id, flavor)
) STRICT, WITHOUT ROWID;

-- Why a Space has other hardware than it was given; '' for none.
ALTER TABLE spaces ADD COLUMN hardware_note TEXT NOT NULL DEFAULT '';
