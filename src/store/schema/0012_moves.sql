-- Whose objects a duplicate borrows (repo/lend.h): `lender` is a repository's hex, of one that may
-- have been deleted since.
CREATE TABLE borrows (
	repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
	lender TEXT NOT NULL,
	PRIMARY KEY (repo_id, lender)
) STRICT, WITHOUT ROWID;
CREATE INDEX borrows_lender ON borrows (lender);

-- Deleted repositories whose files stay for those that borrow from them.
CREATE TABLE lenders (
	hex TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that repositories had before. They lead to the repository and not to its next name, so
-- that there are no chains; a name that is given anew is no old one any more.
CREATE TABLE old_names (
	type TEXT NOT NULL,
	owner_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	name TEXT NOT NULL COLLATE NOCASE,
	repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
	PRIMARY KEY (type, owner_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX old_names_repo ON old_names (repo_id);

CREATE TRIGGER old_names_taken AFTER INSERT ON repos BEGIN
	DELETE FROM old_names WHERE type = NEW.type AND owner_id = NEW.owner_id AND name = NEW.name;
END;
CREATE TRIGGER old_names_moved AFTER UPDATE OF owner_id, name ON repos BEGIN
	INSERT INTO old_names VALUES (OLD.type, OLD.owner_id, OLD.name, OLD.id);
	DELETE FROM old_names WHERE type = NEW.type AND owner_id = NEW.owner_id AND name = NEW.name;
END;

-- Host names that a Space had before a move, until the space loop has taken their routes away.
CREATE TABLE left_slugs (
	slug TEXT PRIMARY KEY NOT NULL,
	repo_id INTEGER NOT NULL REFERENCES spaces (repo_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX left_slugs_repo ON left_slugs (repo_id);
