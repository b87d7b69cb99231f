/** Which targets a scenario measures: the warm ones that stand through the whole run, or fresh ones where memory counts. */
import { type Bench, pause } from './measure.ts'
import type { Behaviour } from './mock.ts'
import { chatRequest } from './requests.ts'
import type { Target, TargetName } from './rig.ts'

const EVENTS = 20

/**
 * The targets of a scenario, warm, and the mock as its load needs it. A target that is new works hard first, with whole
 * answers and with streams.
 */
export async function standing(bench: Bench, names: TargetName[], behaviour: Behaviour): Promise<Target[]> {
  const targets: Target[] = []
  for (const name of available(bench, names)) {
    let target = bench.standing.get(name)
    if (!target) {
      target = await bench.rig.start(name)
      bench.standing.set(name, target)
      await warmUp(bench, target, { stream: false })
      await warmUp(bench, target, { stream: true })
    }
    targets.push(target)
  }
  await bench.rig.mock.call('behave', behaviour)
  return targets
}

/** Starts a target for one measurement alone, warmed by streams, and stops it whatever happens. */
export async function withFresh<Result>(
  bench: Bench,
  name: TargetName,
  use: (target: Target) => Promise<Result>,
): Promise<Result> {
  const target = await bench.rig.start(name)
  try {
    await warmUp(bench, target, { stream: true })
    return await use(target)
  } finally {
    await target.stop()
  }
}

export const available = ({ rig }: Bench, names: TargetName[]) => names.filter((name) => rig.targets.includes(name))

/** Hard work before anything is measured: code that is still being compiled and a heap that still grows are nobody's cost. */
async function warmUp({ rig, settings }: Bench, { port, pid }: Target, { stream }: { stream: boolean }): Promise<void> {
  if (pid === null) return
  const { mock, load } = rig
  await mock.call('behave', stream ? { is: 'stream', events: EVENTS, everyMs: 0 } : { is: 'json' })
  const request = chatRequest({ stream })
  await load.call('loop', { port, request, connections: 64, events: stream ? EVENTS + 1 : 0 })
  await pause(settings.settleMs)
  await load.call('loopStop')
}
