import type { Counted } from '../load/closed-loop.ts'
import { type Bench, type Measured, measureInTurns, withTargets } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { warmUp } from './warm-up.ts'

const EVENTS = 10

/** How long the first event of a stream takes while four streams run; the mock sends it at once. */
export function firstByte(bench: Bench): Promise<Measured> {
  return withTargets(bench, ['bare', 'lexora', 'direct'], async (targets) => {
    const { mock, load } = bench.rig
    await warmUp(bench, targets, { stream: true })
    await mock.call('behave', { is: 'stream', events: EVENTS, everyMs: 10 })
    const request = chatRequest({ stream: true })
    return measureInTurns<Counted>(bench, targets, {
      begin: ({ port }) => load.call('loop', { port, request, connections: 4, events: EVENTS + 1 }),
      take: () => load.call('loopTake'),
      end: () => load.call('loopStop'),
      figures: ({ failed, latencyMs }) => ({ p50Ms: latencyMs.p50, p99Ms: latencyMs.p99, failed }),
    })
  })
}
