import type { PacedCount } from '../load/paced.ts'
import { type Bench, type Measured, measureInTurns } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { standing } from '../targets.ts'

/** Whole answers at a calm 200 requests per second: what a single user waits for. */
export async function latency(bench: Bench): Promise<Measured> {
  const { load } = bench.rig
  const request = chatRequest({ stream: false })
  return measureInTurns<PacedCount>(bench, {
    pace: 'brief',
    cast: () => standing(bench, ['bare', 'lexora', 'direct'], { is: 'json' }),
    begin: ({ port }) => load.call('paced', { port, request, perSecond: 200, connections: 16 }),
    take: () => load.call('pacedTake'),
    end: () => load.call('pacedStop'),
    figures: ({ answers, failed, latencyMs }, { cpuUs }) => ({
      p50Ms: latencyMs.p50,
      p99Ms: latencyMs.p99,
      cpuUs: cpuUs / answers,
      failed,
    }),
  })
}
