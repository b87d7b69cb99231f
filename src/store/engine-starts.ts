import type { Store } from './database.ts'

export type EngineStart = {
  at: Date
  engine: string
  model: string
  /** Of everything in its command that can change how long it takes. */
  flagsHash: string
  /** Names of the GPUs; empty without any. */
  gpu: string
  /** `ready`, or the class of its failure. */
  outcome: string
  totalMs: number
  /** In ms, by name. */
  phases: Record<string, number>
  /** What the GPUs gave to it, as measured when it was ready; null where nothing tells. */
  memoryBytes: number | null
  /** Prompt tokens a second; null where it was not measured. */
  prefillRate: number | null
  /** Tokens that its cache had room for; null where it did not tell. */
  kvTokens: number | null
}

/** Enough to learn from; older ones tell of other disks and other versions. */
const REMEMBERED = 5
/** Of good starts and of failed ones each: those that fail again and again push out none that the next one learns from. */
const KEPT_FOR_A_MODEL = 50

/** How engines started, as a memory for estimates. */
export class EngineStarts {
  private readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  record(start: EngineStart): void {
    this.store.later((database) => {
      const { at, engine, model, flagsHash, gpu, outcome, totalMs, phases, memoryBytes, prefillRate, kvTokens } = start
      database
        .prepare(
          `INSERT INTO engine_starts (at_ms, engine, model, flags_hash, gpu, outcome, total_ms, phases, memory_bytes, prefill_rate, kv_tokens)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          at.getTime(),
          engine,
          model,
          flagsHash,
          gpu,
          outcome,
          Math.round(totalMs),
          JSON.stringify(phases),
          memoryBytes,
          prefillRate,
          kvTokens,
        )
      database
        .prepare(
          `DELETE FROM engine_starts WHERE model = ?1 AND (outcome = 'ready') = ?2 AND id NOT IN
           (SELECT id FROM engine_starts WHERE model = ?1 AND (outcome = 'ready') = ?2 ORDER BY id DESC LIMIT ${KEPT_FOR_A_MODEL})`,
        )
        .run(model, outcome === 'ready' ? 1 : 0)
    })
  }

  /** The last starts of an engine, or of all, the newest first; failed ones too. */
  latest(engine: string | null, most = 10): EngineStart[] {
    this.store.flush()
    const where = engine === null ? '' : 'WHERE engine = ?'
    return this.store.database
      .prepare(`SELECT * FROM engine_starts ${where} ORDER BY id DESC LIMIT ${most}`)
      .all(...(engine === null ? [] : [engine]))
      .map(fromRow)
  }

  /** Good starts of this model on these GPUs, the oldest first: with these flags, or with any where there are none. */
  earlier({ model, flagsHash, gpu }: Pick<EngineStart, 'model' | 'flagsHash' | 'gpu'>): EngineStart[] {
    this.store.flush()
    const rows = this.store.database
      .prepare("SELECT * FROM engine_starts WHERE model = ? AND gpu = ? AND outcome = 'ready' ORDER BY id DESC")
      .all(model, gpu)
      .map(fromRow)
    const same = rows.filter((row) => row.flagsHash === flagsHash)
    return (same.length > 0 ? same : rows).slice(0, REMEMBERED).toReversed()
  }
}

function fromRow(row: Record<string, unknown>): EngineStart {
  return {
    at: new Date(Number(row['at_ms'])),
    engine: String(row['engine']),
    model: String(row['model']),
    flagsHash: String(row['flags_hash']),
    gpu: String(row['gpu']),
    outcome: String(row['outcome']),
    totalMs: Number(row['total_ms']),
    phases: JSON.parse(String(row['phases'])) as Record<string, number>,
    memoryBytes: row['memory_bytes'] === null ? null : Number(row['memory_bytes']),
    prefillRate: row['prefill_rate'] === null ? null : Number(row['prefill_rate']),
    kvTokens: row['kv_tokens'] === null ? null : Number(row['kv_tokens']),
  }
}
