/** What the history costs a request on the thread that serves: to record it, and its part of handing the batch over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { History } from '../../../src/store/history.ts'
import { anOutcome } from '../../telemetry/given.ts'
import type { Bench, Measured } from '../measure.ts'

const ENTRY = fileURLToPath(new URL('../../../src/store/history-worker.ts', import.meta.url))
const REQUESTS = 20_000
const USERS = 50

export async function record({ settings }: Bench): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-bench-'))
  const path = join(folder, 'history.db')
  const ignore = (): void => undefined
  const bounds = { maxRows: 200_000, keepDays: 14 }
  const history = new History({ entry: ENTRY, path, bounds, onState: ignore, onSetAside: ignore })
  try {
    const rounds: number[] = []
    for (let i = 0; i <= settings.rounds; i++) {
      const us = round(history)
      // The first one warms up. Each waits until the disk has it all.
      if (i > 0) rounds.push(us)
      await history.memory(Date.now())
    }
    rounds.sort((a, b) => a - b)
    const { dropped } = history.state
    return {
      rows: [{ target: 'lexora', figures: { recordUs: rounds[rounds.length >> 1]!, dropped } }],
      notes: [`${REQUESTS} requests of ${USERS} users at once, handed over in batches of 2,000`],
    }
  } finally {
    await history.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Microseconds per request. */
function round(history: History): number {
  const usage = { prompt: 100, completion: 50, cached: 0 }
  const outcomes = Array.from({ length: REQUESTS }, (_, i) => {
    const user = `user-${i % USERS}`
    return anOutcome({
      reqId: `req-0123456789abcdef-${i.toString(36)}`,
      user,
      app: 'editor',
      keyId: 'abcdef012345',
      usage,
    })
  })
  const now = Date.now()
  const began = performance.now()
  for (const outcome of outcomes) history.record(outcome, now, true)
  return ((performance.now() - began) * 1000) / REQUESTS
}
