/** Each brings the file from one version to the next, and is never changed again: a later one corrects it. */
export const MIGRATIONS: readonly string[] = [
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
]
