import type { PacedCount } from '../load/paced.ts'
import { type Bench, type Measured, measureInTurns, withTargets } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import { warmUp } from './warm-up.ts'

/** Whole answers at a calm 200 requests per second: what a single user waits for. */
export function latency(bench: Bench): Promise<Measured> {
  return withTargets(bench, ['bare', 'lexora', 'direct'], async (targets) => {
    const { mock, load } = bench.rig
    await warmUp(bench, targets, { stream: false })
    await mock.call('behave', { is: 'json' })
    const request = chatRequest({ stream: false })
    return measureInTurns<PacedCount>(bench, targets, {
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
  })
}
