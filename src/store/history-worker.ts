/** The thread that `history.db` belongs to: it may wait for the disk while requests do not. */
import { parentPort, workerData } from 'node:worker_threads'
import { prepareRestore, restoreHistory, type StoreFiles, writeBackup } from './backup.ts'
import { isCorrupt, Store } from './database.ts'
import type { Batch, BatchMemory } from './history-batch.ts'
import {
  type HistoryBounds,
  type HistoryQuery,
  HistoryTables,
  type ReasonsQuery,
  type UsageQuery,
} from './history-tables.ts'
import { HISTORY_MIGRATIONS } from './migrations.ts'

/** What it is started with. */
export type WorkerStart = { path: string; bounds: HistoryBounds }

/** What can be asked of it; each is answered once. */
export type Question =
  | { about: 'requests'; query: HistoryQuery }
  | { about: 'usage'; query: UsageQuery }
  | { about: 'reasons'; query: ReasonsQuery }
  | { about: 'memory'; nowMs: number }
  | { about: 'clear' }
  | { about: 'backup'; files: StoreFiles; file: string }
  | { about: 'prepare'; file: string; folder: string }
  | { about: 'restore'; prepared: Parameters<typeof restoreHistory>[1] }

export type ToWorker =
  | { do: 'write'; batch: Batch }
  | { do: 'answer'; id: number; question: Question }
  | { do: 'close' }

export type FromWorker =
  | { is: 'written'; count: number; failing: string | null; memory: BatchMemory }
  | { is: 'answer'; id: number; result: unknown }
  | { is: 'refused'; id: number; message: string }
  | { is: 'set-aside'; keptAs: string; reason: string }

const { path, bounds } = workerData as WorkerStart
const port = parentPort!
const tell = (message: FromWorker): void => port.postMessage(message)

let tables = open()

function open(): { store: Store; history: HistoryTables } {
  const store = new Store({
    path,
    migrations: HISTORY_MIGRATIONS,
    onSetAside: (keptAs, reason) => tell({ is: 'set-aside', keptAs, reason }),
    onFailing: () => undefined,
    now: () => new Date(),
  })
  return { store, history: new HistoryTables(store, bounds) }
}

function write(batch: Batch): void {
  const failed = attemptWrite(batch)
  const memory = { numbers: batch.numbers.buffer, ids: batch.ids.buffer }
  const written: FromWorker = { is: 'written', count: batch.count, failing: failed?.message ?? null, memory }
  port.postMessage(written, [memory.numbers, memory.ids])
  if (failed !== null && isCorrupt(failed)) reopen()
}

function attemptWrite(batch: Batch): Error | null {
  try {
    tables.history.write(batch)
    return null
  } catch (error) {
    return error as Error
  }
}

/** Looks through it again, which sets it aside if it is broken. */
function reopen(): void {
  tables.store.close()
  tables = open()
}

function answer(question: Question): unknown {
  const { store, history } = tables
  switch (question.about) {
    case 'requests':
      return history.requests(question.query)
    case 'usage':
      return history.usage(question.query)
    case 'reasons':
      return history.reasons(question.query)
    case 'memory':
      return history.memory(question.nowMs)
    case 'clear':
      return history.clear()
    case 'backup':
      return writeBackup(question.files, question.file, new Date())
    case 'prepare':
      return prepareRestore(question.file, question.folder)
    case 'restore':
      return restoreHistory(store, question.prepared)
  }
}

port.on('message', (message: ToWorker) => {
  if (message.do === 'write') write(message.batch)
  else if (message.do === 'answer') {
    const { id, question } = message
    try {
      tell({ is: 'answer', id, result: answer(question) })
    } catch (error) {
      tell({ is: 'refused', id, message: (error as Error).message })
      if (isCorrupt(error)) reopen()
    }
  } else {
    tables.store.close()
    port.close()
  }
})
