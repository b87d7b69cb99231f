import { type Bench, type Measured, pause, until } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import type { Target } from '../rig.ts'
import { available, withFresh } from '../targets.ts'
import { microseconds } from '../vllm-bytes.ts'

/** Long enough for three failures, an open breaker and a retry that waits. */
const DOWN_MS = 3_000
const KNOCK_EVERY_MS = 25

/** The backend goes away and comes back: how long after it listens somebody is served again. */
export async function backendBack(bench: Bench): Promise<Measured> {
  const rows = []
  const notes = []
  for (const name of available(bench, ['bare', 'lexora'])) {
    const { backMs, refused } = await withFresh(bench, name, (target) => restart(bench, target))
    rows.push({ target: name, figures: { backMs } })
    notes.push(`${name} while it was down: ${JSON.stringify(refused)}`)
  }
  return { rows, notes }
}

async function restart({ rig }: Bench, { port }: Target) {
  const { mock, load, mockPort } = rig
  await mock.call('behave', { is: 'json' })
  await load.call('knock', { port, request: chatRequest({ stream: false }), everyMs: KNOCK_EVERY_MS })
  try {
    await until('a first answer', () => load.call('knockTake'), served)
    await mock.call('close')
    await pause(DOWN_MS)
    const { refused } = await load.call('knockTake')
    await mock.call('listen', { port: mockPort })
    const listeningAt = microseconds()
    const { servedAt } = await until('an answer after the restart', () => load.call('knockTake'), served, 30_000)
    return { backMs: Math.max(0, (servedAt[0]! - listeningAt) / 1000), refused }
  } finally {
    await load.call('knockStop')
  }
}

const served = ({ servedAt }: { servedAt: number[] }) => servedAt.length > 0
