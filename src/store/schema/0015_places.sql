-- What runs on counted hardware have for themselves (space/place.h): a card, or one of a flavor's
-- count. A row goes with the end of its run, so nothing is ever given twice.
CREATE TABLE places (
	name TEXT PRIMARY KEY,
	run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX places_run ON places (run_id);

-- Spaces that wait for a place, in this order: those that have just given theirs up to go on with it
-- come first.
CREATE TABLE place_queue (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	repo_id INTEGER NOT NULL UNIQUE REFERENCES spaces (repo_id) ON DELETE CASCADE,
	first INTEGER NOT NULL CHECK (first IN (0, 1)),
	since_ms INTEGER NOT NULL
) STRICT;
