-- Links into private Spaces that were used (auth/pass.h), until they would have expired anyway.
CREATE TABLE spent_links (
	nonce BLOB PRIMARY KEY,
	expires_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
