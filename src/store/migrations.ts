/** Each brings a file from one version to the next, and is never changed again: a later one corrects it. */
export type Migrations = readonly string[]

/** `lexora.db`: what must never be lost. Moments are milliseconds since 1970. */
export const MIGRATIONS: Migrations = [
  // 1: how earlier starts of an engine went, so that the next one can say how long it takes and what it needs.
  `CREATE TABLE engine_starts (
     id INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     engine TEXT NOT NULL,
     model TEXT NOT NULL,
     flags_hash TEXT NOT NULL,
     gpu TEXT NOT NULL,
     outcome TEXT NOT NULL,
     total_ms INTEGER NOT NULL,
     phases TEXT NOT NULL,
     memory_bytes INTEGER,
     prefill_rate REAL
   ) STRICT;
   CREATE INDEX engine_starts_of_model ON engine_starts (model, at_ms)`,
  // 2: who may call, and what operators did. `digest` is SHA-256 of the secret, in hex. `facts` outlive a restart too.
  `CREATE TABLE users (
     name TEXT PRIMARY KEY,
     limits TEXT NOT NULL,
     disabled INTEGER NOT NULL,
     expires_ms INTEGER,
     note TEXT,
     created_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE keys (
     id TEXT PRIMARY KEY,
     digest TEXT NOT NULL UNIQUE,
     user TEXT NOT NULL,
     label TEXT,
     scopes TEXT NOT NULL,
     hint TEXT NOT NULL,
     created_ms INTEGER NOT NULL,
     expires_ms INTEGER,
     revoked_ms INTEGER
   ) STRICT;
   CREATE TABLE audit (
     id INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     who TEXT NOT NULL,
     face TEXT NOT NULL,
     action TEXT NOT NULL,
     target TEXT,
     change TEXT,
     ok INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT`,
  // 3: how many tokens its cache had room for, so that what it took beside it can be told.
  'ALTER TABLE engine_starts ADD COLUMN kv_tokens INTEGER',
]

/** `history.db`: what may be lost without harm to anybody. */
export const HISTORY_MIGRATIONS: Migrations = [
  // 1: ended requests, what each hour added up to ('' where nobody was named), and who was last heard of when.
  `CREATE TABLE requests (
     id INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     request_id TEXT NOT NULL,
     user TEXT,
     key_id TEXT,
     app TEXT,
     model TEXT,
     backend TEXT,
     endpoint TEXT NOT NULL,
     stream INTEGER NOT NULL,
     band TEXT,
     status INTEGER NOT NULL,
     outcome TEXT NOT NULL,
     error TEXT,
     attempts INTEGER NOT NULL,
     queue_ms INTEGER,
     ttft_ms INTEGER,
     total_ms INTEGER NOT NULL,
     prompt_tokens INTEGER,
     completion_tokens INTEGER,
     cached_tokens INTEGER
   ) STRICT;
   CREATE TABLE usage (
     hour TEXT NOT NULL,
     user TEXT NOT NULL,
     model TEXT NOT NULL,
     backend TEXT NOT NULL,
     requests INTEGER NOT NULL,
     errors INTEGER NOT NULL,
     prompt_tokens INTEGER NOT NULL,
     completion_tokens INTEGER NOT NULL,
     cached_tokens INTEGER NOT NULL,
     PRIMARY KEY (hour, user, model, backend)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE seen (kind TEXT NOT NULL, name TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID`,
  // 2: which tries failed, where and when, and whether a fallback answered; as JSON, since few requests have any.
  'ALTER TABLE requests ADD COLUMN steps TEXT',
  // 3: why the model stopped.
  'ALTER TABLE requests ADD COLUMN finish TEXT',
  // 4: how much was asked and answered.
  `ALTER TABLE requests ADD COLUMN request_bytes INTEGER;
   ALTER TABLE requests ADD COLUMN answer_bytes INTEGER`,
]
