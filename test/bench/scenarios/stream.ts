import type { Counted } from '../load/closed-loop.ts'
import { type Bench, type Measured, measureInTurns } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { standing } from '../targets.ts'

const EVENTS = 100

/** 64 streams at a time, 100 events each, 10 ms apart; `[DONE]` counts as one more. */
export async function stream(bench: Bench): Promise<Measured> {
  const { load } = bench.rig
  const request = chatRequest({ stream: true })
  return measureInTurns<Counted>(bench, {
    pace: 'long',
    cast: () => standing(bench, ['bare', 'lexora', 'pipe'], { is: 'stream', events: EVENTS, everyMs: 10 }),
    begin: ({ port }) => load.call('loop', { port, request, connections: 64, events: EVENTS + 1 }),
    take: () => load.call('loopTake'),
    end: () => load.call('loopStop'),
    figures: ({ events, failed, latencyMs }, { cpuUs, seconds }) => ({
      cpuUs: cpuUs / events,
      perSecond: events / seconds,
      p50Ms: latencyMs.p50,
      p99Ms: latencyMs.p99,
      failed,
    }),
  })
}
