import type { Counted } from '../load/closed-loop.ts'
import { type Bench, type Measured, measureInTurns } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { standing } from '../targets.ts'

/** Whole answers of 600 bytes over 64 keep-alive connections, as fast as they come. */
export function nonStream(bodyBytes?: number) {
  return async (bench: Bench): Promise<Measured> => {
    const { load } = bench.rig
    const request = chatRequest({ stream: false, bodyBytes })
    return measureInTurns<Counted>(bench, {
      pace: 'brief',
      cast: () => standing(bench, ['bare', 'lexora', 'pipe', 'direct'], { is: 'json' }),
      begin: ({ port }) => load.call('loop', { port, request, connections: 64, events: 0 }),
      take: () => load.call('loopTake'),
      end: () => load.call('loopStop'),
      figures: ({ answers, failed, latencyMs }, { cpuUs, seconds }) => ({
        cpuUs: cpuUs / answers,
        perSecond: answers / seconds,
        p50Ms: latencyMs.p50,
        p99Ms: latencyMs.p99,
        failed,
      }),
    })
  }
}
