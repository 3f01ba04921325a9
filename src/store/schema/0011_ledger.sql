-- The ledger says all that use is counted and priced by (space/ledger.h): whose it was, at which
-- price, on which boot of the machine the monotonic clock ran, and how long.
ALTER TABLE runs ADD COLUMN price INTEGER NOT NULL DEFAULT 0; -- micro-USD for a minute
ALTER TABLE ledger ADD COLUMN run_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN owner_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN space TEXT NOT NULL DEFAULT ''; -- its name at that time
ALTER TABLE ledger ADD COLUMN price INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN boot TEXT NOT NULL DEFAULT ''; -- when it began
ALTER TABLE ledger ADD COLUMN to_boot TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN used_ms INTEGER; -- NULL while it is open

UPDATE ledger SET
	run_id = ifnull((SELECT max(id) FROM runs WHERE key = run_key), 0),
	owner_id = ifnull((SELECT owner_id FROM repos WHERE id = repo_id), 0),
	space = ifnull((SELECT full_name FROM spaces WHERE spaces.repo_id = ledger.repo_id), ''),
	used_ms = CASE WHEN to_ms IS NULL THEN NULL
		WHEN to_mono >= from_mono THEN to_mono - from_mono
		ELSE max(0, to_ms - from_ms) END;

DROP INDEX ledger_run;
CREATE INDEX ledger_run ON ledger (run_id);
CREATE UNIQUE INDEX ledger_open ON ledger (run_key) WHERE to_ms IS NULL;
CREATE INDEX ledger_repo ON ledger (repo_id);
CREATE INDEX ledger_owner ON ledger (owner_id, flavor);

-- When open spans were last known to go on.
CREATE TABLE ledger_seen (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	at_ms INTEGER NOT NULL,
	mono_ms INTEGER NOT NULL,
	boot TEXT NOT NULL
) STRICT;
