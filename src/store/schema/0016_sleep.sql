-- Sleep (space/idle.h). A run that sleeps says since when; it has no open span in the ledger then. Of
-- the Space: how deep it sleeps, '' while it does not, and how long its last visitor has
-- waited who woke it, 0 for none.
ALTER TABLE runs ADD COLUMN slept_ms INTEGER;
ALTER TABLE spaces ADD COLUMN depth TEXT NOT NULL DEFAULT '';
ALTER TABLE spaces ADD COLUMN wake_ms INTEGER NOT NULL DEFAULT 0;
