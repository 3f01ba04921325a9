-- A scope reads or writes, and is for one repository ("NS/NAME") or for a whole namespace ("NS").
ALTER TABLE token_scopes ADD COLUMN may TEXT NOT NULL DEFAULT 'write' CHECK (may IN ('read', 'write'));
