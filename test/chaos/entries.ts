import { fileURLToPath } from 'node:url'

/** The thread of the history, as it lies in the sources. */
export const HISTORY_ENTRY = fileURLToPath(new URL('../../src/store/history-worker.ts', import.meta.url))
