-- Wall clock of the newest change that the app sees in a new process only (space/wish.h): its start
-- waits a moment for more of them. 0 where nothing is waited for.
ALTER TABLE spaces ADD COLUMN settles_ms INTEGER NOT NULL DEFAULT 0;
