-- A protected repository is private (is_private = 1) but for the app of the Space: spaces.is_private
-- is about the app, and 0 there. `gated` is how requests for access are answered, '' for none.
ALTER TABLE repos ADD COLUMN is_protected INTEGER NOT NULL DEFAULT 0
	CHECK (is_protected IN (0, 1) AND is_protected <= is_private);
ALTER TABLE repos ADD COLUMN gated TEXT NOT NULL DEFAULT '' CHECK (gated IN ('', 'auto', 'manual'));
