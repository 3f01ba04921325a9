-- The audit (audit.h) says more of who it was and from where, and its rows are a chain (chain.h):
-- `hash` is the SHA-256 of the previous row's hash and of all that a row says. Names are those of
-- the time of the change; of older rows, those of today.
ALTER TABLE audit ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN token TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN via TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN request TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';

UPDATE audit SET actor = ifnull((SELECT name FROM accounts WHERE id = actor_id), ''),
	token = ifnull((SELECT name FROM tokens WHERE id = token_id), '');

-- Rows that are there become the beginning of the chain. sha256() is the program's (schema.c).
WITH RECURSIVE
	texts (id, text) AS (SELECT id,
		length(id) || ':' || id || ',' ||
		length(at_ms) || ':' || at_ms || ',' ||
		length(actor_id) || ':' || actor_id || ',' ||
		length(CAST(actor AS BLOB)) || ':' || actor || ',' ||
		length(token_id) || ':' || token_id || ',' ||
		length(CAST(token AS BLOB)) || ':' || token || ',' ||
		length(CAST(address AS BLOB)) || ':' || address || ',' ||
		length(CAST(via AS BLOB)) || ':' || via || ',' ||
		length(CAST(request AS BLOB)) || ':' || request || ',' ||
		length(CAST(agent AS BLOB)) || ':' || agent || ',' ||
		length(CAST(action AS BLOB)) || ':' || action || ',' ||
		length(CAST(target AS BLOB)) || ':' || target || ',' ||
		length(CAST(detail AS BLOB)) || ':' || detail || ','
		FROM audit),
	chain (id, hash) AS (
		SELECT 0, '0000000000000000000000000000000000000000000000000000000000000000'
		UNION ALL
		SELECT texts.id, sha256('64:' || chain.hash || ',' || texts.text)
		FROM chain JOIN texts
			ON texts.id = (SELECT min(id) FROM audit WHERE audit.id > chain.id))
UPDATE audit SET hash = chain.hash FROM chain WHERE chain.id = audit.id;

-- Its end, apart from the rows: so rows that are taken from the end are missed.
CREATE TABLE audit_head (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	id INTEGER NOT NULL,
	hash TEXT NOT NULL
) STRICT;
INSERT INTO audit_head VALUES (1, 0,
	'0000000000000000000000000000000000000000000000000000000000000000');
UPDATE audit_head SET id = last.id, hash = last.hash
	FROM (SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1) AS last;

-- Rows are only ever added: a statement of ours that forgets it fails.
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN
	SELECT RAISE(ABORT, 'rows of the audit stay as they are');
END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
	SELECT RAISE(ABORT, 'rows of the audit stay');
END;
