import type { Counted } from '../load/closed-loop.ts'
import { type Bench, type Measured, measureInTurns } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { standing } from '../targets.ts'

const EVENTS = 10

/** How long the first event of a stream takes while four streams run; the mock sends it at once. */
export async function firstByte(bench: Bench): Promise<Measured> {
  const { load } = bench.rig
  const request = chatRequest({ stream: true })
  return measureInTurns<Counted>(bench, {
    pace: 'brief',
    cast: () => standing(bench, ['bare', 'lexora', 'direct'], { is: 'stream', events: EVENTS, everyMs: 10 }),
    begin: ({ port }) => load.call('loop', { port, request, connections: 4, events: EVENTS + 1 }),
    take: () => load.call('loopTake'),
    end: () => load.call('loopStop'),
    figures: ({ failed, latencyMs }) => ({ p50Ms: latencyMs.p50, p99Ms: latencyMs.p99, failed }),
  })
}
