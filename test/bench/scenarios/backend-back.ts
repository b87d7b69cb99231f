import { type Bench, type Measured, pause, until } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { withFresh } from '../targets.ts'
import { microseconds } from '../vllm-bytes.ts'

/** Long enough for three failures, an open breaker and a retry that waits. */
const DOWN_MS = 3_000
const KNOCK_EVERY_MS = 25

/** The backend goes away and comes back: how long after it listens somebody is served again. */
export function backendBack(bench: Bench): Promise<Measured> {
  return withFresh(bench, ['bare', 'lexora'], async (targets) => {
    const { mock, load, mockPort } = bench.rig
    const rows = []
    const notes = []
    for (const target of targets) {
      await mock.call('behave', { is: 'json' })
      const request = chatRequest({ stream: false })
      await load.call('knock', { port: target.port, request, everyMs: KNOCK_EVERY_MS })
      await until('a first answer', () => load.call('knockTake'), served)
      await mock.call('close')
      await pause(DOWN_MS)
      const { refused } = await load.call('knockTake')
      notes.push(`${target.name} while it was down: ${JSON.stringify(refused)}`)
      await mock.call('listen', { port: mockPort })
      const listeningAt = microseconds()
      const { servedAt } = await until('an answer after the restart', () => load.call('knockTake'), served, 30_000)
      await load.call('knockStop')
      rows.push({ target: target.name, figures: { backMs: Math.max(0, (servedAt[0]! - listeningAt) / 1000) } })
    }
    return { rows, notes }
  })
}

const served = ({ servedAt }: { servedAt: number[] }) => servedAt.length > 0
