import type { HistoryRow } from '../protocol/users.ts'
import { LineBuffer } from '../telemetry/line-buffer.ts'
import type { Outcome } from '../telemetry/outcome.ts'

/** Ended requests on their way to another thread: numbers and ids in memory that is handed over, each other text once. */
export type Batch = {
  count: number
  numbers: Float64Array<ArrayBuffer>
  /** The first bytes of its memory, a line for each. */
  ids: Uint8Array<ArrayBuffer>
  words: string[]
}

/** The memory of a batch that was read. */
export type BatchMemory = { numbers: ArrayBuffer; ids: ArrayBuffer }

/** A request, whether its user is one that the operator knows, and the model on the disk that answered it, where one did. */
export type Recorded = Omit<HistoryRow, 'at'> & { atMs: number; isKnown: boolean; engineModel: string | null }

const FIELDS = 24
const FIRST_ROWS = 64
const FIRST_ID_BYTES = 4096
/** Beyond one that is filled and one that is read, none is needed where a disk keeps up. */
const MOST_SPARE = 2

/**
 * Gathers ended requests. What one costs is a few numbers and some looks into a small table: its memory goes to the
 * reader and comes back, since buffers that are allocated batch by batch made the collector stand still for 20 ms.
 */
export class BatchWriter {
  private numbers = new Float64Array(FIRST_ROWS * FIELDS)
  private ids = new LineBuffer(new ArrayBuffer(FIRST_ID_BYTES))
  private readonly places = new Map<string, number>()
  private readonly spare: BatchMemory[] = []
  count = 0

  add(outcome: Outcome, atMs: number, isKnown: boolean, engineModel: string | null = null): void {
    let at = this.count++ * FIELDS
    if (at === this.numbers.length) this.grow()
    const { numbers } = this
    const { usage, backend } = outcome
    if (!this.ids.add(outcome.reqId)) {
      this.ids.growFor(outcome.reqId)
      this.ids.add(outcome.reqId)
    }
    numbers[at++] = atMs
    numbers[at++] = this.place(outcome.user)
    numbers[at++] = this.place(outcome.keyId)
    numbers[at++] = this.place(outcome.app)
    numbers[at++] = this.place(outcome.model)
    numbers[at++] = this.place(backend)
    numbers[at++] = this.place(outcome.endpoint)
    numbers[at++] = outcome.stream ? 1 : 0
    numbers[at++] = this.place(outcome.band)
    numbers[at++] = outcome.status
    numbers[at++] = this.place(outcome.outcome)
    numbers[at++] = this.place(outcome.error)
    numbers[at++] = backend === null ? 0 : outcome.retries.length + 1
    numbers[at++] = outcome.band === null ? Number.NaN : outcome.queueMs
    numbers[at++] = outcome.ttftMs ?? Number.NaN
    numbers[at++] = outcome.latencyMs
    numbers[at++] = usage?.prompt ?? Number.NaN
    numbers[at++] = usage?.completion ?? Number.NaN
    // This one carries a bit as well: cached tokens, or none of them told, and whether the user is known.
    numbers[at++] = 2 * (usage?.cached ?? -1) + (isKnown ? 1 : 0)
    numbers[at++] = this.place(stepsOf(outcome))
    numbers[at++] = this.place(outcome.finish)
    numbers[at++] = this.place(engineModel)
    numbers[at++] = outcome.requestBytes ?? Number.NaN
    numbers[at] = outcome.answerBytes ?? Number.NaN
  }

  /** What was gathered; from here on it is somebody else's, until its memory comes to `reuse`. */
  take(): Batch {
    const { count, numbers, ids, places } = this
    const batch = { count, numbers, ids: ids.read(), words: [...places.keys()] }
    const memory = this.spare.pop()
    this.numbers = new Float64Array(memory?.numbers ?? new ArrayBuffer(FIRST_ROWS * FIELDS * 8))
    this.ids = new LineBuffer(memory?.ids ?? new ArrayBuffer(FIRST_ID_BYTES))
    this.places.clear()
    this.count = 0
    return batch
  }

  /** Nobody reads it any more. */
  reuse(memory: BatchMemory): void {
    if (this.spare.length < MOST_SPARE) this.spare.push(memory)
  }

  private place(word: string | null): number {
    if (word === null) return 0
    const known = this.places.get(word)
    if (known !== undefined) return known
    this.places.set(word, this.places.size + 1)
    return this.places.size
  }

  private grow(): void {
    const wider = new Float64Array(this.numbers.length * 2)
    wider.set(this.numbers)
    this.numbers = wider
  }
}

type Steps = Pick<HistoryRow, 'tries' | 'fellBack'>

/** Null for a request whose first try answered, as nearly all do. */
function stepsOf({ retries, fallbacks }: Outcome): string | null {
  if (retries.length === 0 && fallbacks.length === 0) return null
  const tries = retries.map(({ backend, reason, afterMs }) => ({ backend, reason, afterMs: Math.round(afterMs) }))
  return JSON.stringify({ tries, fellBack: fallbacks.length > 0 } satisfies Steps)
}

/** What `stepsOf` wrote, in a batch or in the table. */
export function readSteps(text: string | null): Steps {
  return text === null ? { tries: [], fellBack: false } : (JSON.parse(text) as Steps)
}

export function readBatch({ count, numbers, ids, words }: Batch): Recorded[] {
  const requestIds = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString().split('\n')
  return Array.from({ length: count }, (_, i) => {
    const at = i * FIELDS
    const value = (field: number): number => numbers[at + field]!
    const word = (field: number): string | null => words[value(field) - 1] ?? null
    const told = (field: number): number | null => (Number.isNaN(value(field)) ? null : Math.round(value(field)))
    const cached = Math.floor(value(18) / 2)
    return {
      id: requestIds[i]!,
      atMs: value(0),
      user: word(1),
      keyId: word(2),
      app: word(3),
      model: word(4),
      backend: word(5),
      endpoint: word(6)!,
      stream: value(7) === 1,
      band: word(8),
      status: value(9),
      outcome: word(10)!,
      error: word(11),
      attempts: value(12),
      queueMs: told(13),
      ttftMs: told(14),
      totalMs: Math.round(value(15)),
      promptTokens: told(16),
      completionTokens: told(17),
      cachedTokens: cached < 0 ? null : cached,
      isKnown: value(18) - 2 * cached === 1,
      ...readSteps(word(19)),
      finish: word(20),
      engineModel: word(21),
      requestBytes: told(22),
      answerBytes: told(23),
    }
  })
}
