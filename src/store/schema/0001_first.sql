-- First schema: accounts, repositories, Spaces, runs, ledger, audit.
--
-- Times are milliseconds of the wall clock (_ms) or of the monotonic clock (_mono). `hex` is the id
-- on the wire. Foreign keys are never deferred: transactions of several threads share one COMMIT
-- (store.c), and a deferred key would fail all of them for the mistake of one.

-- Users and organisations, in one name space.
CREATE TABLE accounts (
	id INTEGER PRIMARY KEY,
	hex TEXT NOT NULL UNIQUE,
	type TEXT NOT NULL CHECK (type IN ('user', 'org')),
	name TEXT NOT NULL COLLATE NOCASE UNIQUE,
	fullname TEXT NOT NULL DEFAULT '',
	email TEXT NOT NULL DEFAULT '',
	admin INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
	private_by_default INTEGER NOT NULL DEFAULT 0 CHECK (private_by_default IN (0, 1)),
	created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
	org_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	user_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	role TEXT NOT NULL CHECK (role IN ('read', 'contributor', 'write', 'admin')),
	PRIMARY KEY (org_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id);

-- `hash` is the SHA-256 of the token in hex; the token itself is nowhere. A revoked one keeps its
-- row, so that its hash is never taken again; its name is free.
CREATE TABLE tokens (
	id INTEGER PRIMARY KEY,
	user_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	hash TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	role TEXT NOT NULL CHECK (role IN ('read', 'write', 'fineGrained')),
	created_ms INTEGER NOT NULL,
	revoked_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX tokens_name ON tokens (user_id, name) WHERE revoked_ms IS NULL;

-- Repositories that a fine-grained token may write.
CREATE TABLE token_scopes (
	token_id INTEGER NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
	full_name TEXT NOT NULL COLLATE NOCASE,
	PRIMARY KEY (token_id, full_name)
) STRICT, WITHOUT ROWID;

-- `sdk` is for Spaces, '' for others.
CREATE TABLE repos (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given anew: ledger and leaving Spaces name it
	hex TEXT NOT NULL UNIQUE,
	type TEXT NOT NULL CHECK (type IN ('model', 'dataset', 'space')),
	owner_id INTEGER NOT NULL REFERENCES accounts (id),
	name TEXT NOT NULL COLLATE NOCASE,
	is_private INTEGER NOT NULL CHECK (is_private IN (0, 1)),
	creator_id INTEGER NOT NULL REFERENCES accounts (id),
	created_ms INTEGER NOT NULL,
	modified_ms INTEGER NOT NULL,
	sdk TEXT NOT NULL DEFAULT '',
	UNIQUE (type, owner_id, name)
) STRICT;
CREATE INDEX repos_owner ON repos (owner_id);

-- A Space: the wish, the fact, and what it needs of its repository. repo_id is no foreign key: the
-- row outlives the repository until the last run of the Space is gone (deleting = 1).
CREATE TABLE spaces (
	repo_id INTEGER PRIMARY KEY,
	hex TEXT NOT NULL,
	owner_hex TEXT NOT NULL DEFAULT '', -- owner of layers that are not shared
	creator_hex TEXT NOT NULL DEFAULT '',
	full_name TEXT NOT NULL,
	slug TEXT NOT NULL,
	sdk TEXT NOT NULL DEFAULT '',
	is_private INTEGER NOT NULL DEFAULT 0 CHECK (is_private IN (0, 1)),
	-- the wish
	generation INTEGER NOT NULL DEFAULT 1,
	"commit" TEXT NOT NULL DEFAULT '',
	flavor TEXT NOT NULL,
	sleep_s INTEGER NOT NULL DEFAULT -1,
	storage TEXT NOT NULL DEFAULT '',
	paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
	restart_nonce INTEGER NOT NULL DEFAULT 0,
	factory_nonce INTEGER NOT NULL DEFAULT 0,
	deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),
	-- the fact
	stage TEXT NOT NULL,
	error TEXT NOT NULL DEFAULT '',
	current_flavor TEXT NOT NULL DEFAULT '',
	running_commit TEXT NOT NULL DEFAULT '',
	run_log INTEGER NOT NULL DEFAULT 0,
	build_log INTEGER NOT NULL DEFAULT 0,
	settled INTEGER NOT NULL DEFAULT 0, -- generation of the wish that nothing is left to do for
	-- the plan, read from the repository at built_commit; built_factory is its factory_nonce
	built_commit TEXT NOT NULL DEFAULT '',
	built_factory INTEGER NOT NULL DEFAULT 0,
	env_layer TEXT NOT NULL DEFAULT '',
	env_cache TEXT NOT NULL DEFAULT '', -- 'shared', or owner_hex: package code runs in its build
	env_own TEXT NOT NULL DEFAULT '', -- the layer to make if a shared one can't be
	app_sdk TEXT NOT NULL DEFAULT '',
	app_file TEXT NOT NULL DEFAULT '',
	app_port INTEGER NOT NULL DEFAULT 0,
	app_title TEXT NOT NULL DEFAULT '',
	startup_s INTEGER NOT NULL DEFAULT 0,
	updated_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
-- A Space that is on its way out leaves its host name to the next one: ask with `deleting = 0`.
CREATE UNIQUE INDEX spaces_slug ON spaces (slug) WHERE deleting = 0;
CREATE INDEX spaces_env ON spaces (env_layer);

-- `seq` keeps the order in which keys were added.
CREATE TABLE secrets (
	repo_id INTEGER NOT NULL REFERENCES spaces (repo_id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	sealed BLOB NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	updated_ms INTEGER NOT NULL,
	seq INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (repo_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE variables (
	repo_id INTEGER NOT NULL REFERENCES spaces (repo_id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	updated_ms INTEGER NOT NULL,
	seq INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (repo_id, key)
) STRICT, WITHOUT ROWID;

-- `json` is the volume object of the wire.
CREATE TABLE volumes (
	repo_id INTEGER NOT NULL REFERENCES spaces (repo_id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	json TEXT NOT NULL,
	PRIMARY KEY (repo_id, position)
) STRICT, WITHOUT ROWID;

-- What an engine was asked to run: an app of a Space, or the build of an environment for it. `key`
-- makes the request idempotent; a restart after a crash has the key of the run before it.
CREATE TABLE runs (
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('app', 'build')),
	repo_id INTEGER NOT NULL REFERENCES spaces (repo_id) ON DELETE CASCADE,
	generation INTEGER NOT NULL,
	restart_nonce INTEGER NOT NULL DEFAULT 0,
	"commit" TEXT NOT NULL DEFAULT '',
	flavor TEXT NOT NULL DEFAULT '',
	env_layer TEXT NOT NULL DEFAULT '',
	log INTEGER NOT NULL, -- number of its log file
	created_ms INTEGER NOT NULL,
	started_ms INTEGER, -- its process
	ready_ms INTEGER, -- its first HTTP answer
	ended_ms INTEGER,
	exit_status INTEGER,
	reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX runs_open ON runs (key) WHERE ended_ms IS NULL;
CREATE INDEX runs_repo ON runs (repo_id, generation);

-- Use that was metered. No foreign keys: it stays when the Space is gone. `to_ms` and `to_mono` are
-- NULL while the span is open.
CREATE TABLE ledger (
	id INTEGER PRIMARY KEY,
	repo_id INTEGER NOT NULL,
	run_key TEXT NOT NULL,
	flavor TEXT NOT NULL,
	from_ms INTEGER NOT NULL,
	to_ms INTEGER,
	from_mono INTEGER NOT NULL,
	to_mono INTEGER
) STRICT;
CREATE INDEX ledger_run ON ledger (run_key);

-- Who changed what (audit.h). Ids without foreign keys: rows outlive what they tell about.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY,
	at_ms INTEGER NOT NULL,
	actor_id INTEGER NOT NULL,
	token_id INTEGER NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	detail TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE meta (
	key TEXT PRIMARY KEY NOT NULL,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
