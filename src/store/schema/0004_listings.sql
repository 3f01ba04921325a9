-- What lists show of a repository without opening it: as of `head` of main, '' without a commit.
-- `card` is the front matter of its README as JSON; `tags` are separated by line breaks, and so
-- are `links`: "model:NAME" and "dataset:NAME" that a Space says it uses.
CREATE TABLE listings (
	repo_id INTEGER PRIMARY KEY REFERENCES repos (id) ON DELETE CASCADE,
	head TEXT NOT NULL,
	title TEXT NOT NULL,
	card TEXT NOT NULL,
	tags TEXT NOT NULL,
	links TEXT NOT NULL
) STRICT;

-- In which order repositories have changed, each where it changed last: whoever keeps what lists
-- look through in memory (repo/catalogue.h) reads here what it does not know yet, whichever process
-- made the change. Rows of deleted repositories stay. (Not OR REPLACE: the statement that fires a
-- trigger decides about its conflicts.)
CREATE TABLE changes (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	repo_id INTEGER NOT NULL UNIQUE
) STRICT;
INSERT INTO changes (repo_id) SELECT id FROM repos ORDER BY id;

CREATE TRIGGER changes_repo_added AFTER INSERT ON repos BEGIN
	DELETE FROM changes WHERE repo_id = NEW.id;
	INSERT INTO changes (repo_id) VALUES (NEW.id);
END;
CREATE TRIGGER changes_repo AFTER UPDATE ON repos BEGIN
	DELETE FROM changes WHERE repo_id = NEW.id;
	INSERT INTO changes (repo_id) VALUES (NEW.id);
END;
CREATE TRIGGER changes_repo_removed AFTER DELETE ON repos BEGIN
	DELETE FROM changes WHERE repo_id = OLD.id;
	INSERT INTO changes (repo_id) VALUES (OLD.id);
END;
CREATE TRIGGER changes_listing_added AFTER INSERT ON listings BEGIN
	DELETE FROM changes WHERE repo_id = NEW.repo_id;
	INSERT INTO changes (repo_id) VALUES (NEW.repo_id);
END;
CREATE TRIGGER changes_listing AFTER UPDATE ON listings BEGIN
	DELETE FROM changes WHERE repo_id = NEW.repo_id;
	INSERT INTO changes (repo_id) VALUES (NEW.repo_id);
END;
CREATE TRIGGER changes_owner AFTER UPDATE OF name ON accounts BEGIN
	DELETE FROM changes WHERE repo_id IN (SELECT id FROM repos WHERE owner_id = NEW.id);
	INSERT INTO changes (repo_id) SELECT id FROM repos WHERE owner_id = NEW.id;
END;
