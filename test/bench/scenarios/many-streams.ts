import { type Bench, type Figures, type Measured, pause, quietly, until } from '../measure.ts'
import { residentBytes } from '../procfs.ts'
import { chatRequest } from '../requests.ts'
import type { Target } from '../rig.ts'
import { available, withFresh } from '../targets.ts'

const HELD_MS = 3_000

/** So many streams open at once, one event per second each: who loses some, what one costs, how late events are. */
export function manyStreams(count: number) {
  return async (bench: Bench): Promise<Measured> => {
    const quiet = quietly(bench)
    const rows = []
    for (const name of available(bench, ['bare', 'lexora'])) {
      // fresh each time: a process that held so many streams before keeps their memory
      const figures = await quiet.take(() => withFresh(bench, name, (target) => hold(bench, target, count)))
      rows.push({ target: name, figures })
    }
    return { rows, notes: quiet.notes() }
  }
}

async function hold(bench: Bench, target: Target, count: number): Promise<Figures> {
  const { rig, settings } = bench
  const { mock, load } = rig
  const idleBytes = residentBytes(target.pid ?? 0)
  await mock.call('behave', { is: 'endless', everyMs: 1_000 })
  await load.call('crowd', { port: target.port, request: chatRequest({ stream: true }), count })
  try {
    await until(
      `${count} streams through ${target.name}`,
      () => load.call('crowdTake'),
      ({ streaming, lost }) => streaming + lost >= count,
      90_000,
    )
    await pause(settings.warmMs)
    await load.call('crowdTake')
    await pause(HELD_MS)
    const { lost, oneWayMs } = await load.call('crowdTake')
    const rssBytes = residentBytes(target.pid ?? 0)
    return {
      lost,
      kbPerStream: (rssBytes - idleBytes) / count / 1024,
      rssMb: rssBytes / 2 ** 20,
      oneWayP50Ms: oneWayMs.p50,
      oneWayP99Ms: oneWayMs.p99,
    }
  } finally {
    await load.call('crowdLeave')
  }
}
