import { type Bench, pause } from '../measure.ts'
import { chatRequest } from '../requests.ts'
import type { Target } from '../rig.ts'

const EVENTS = 20

/** Hard work before anything is measured: code that is still being compiled and a heap that still grows are nobody's cost. */
export async function warmUp(
  { rig, settings }: Bench,
  targets: Target[],
  { stream }: { stream: boolean },
): Promise<void> {
  const { mock, load } = rig
  await mock.call('behave', stream ? { is: 'stream', events: EVENTS, everyMs: 0 } : { is: 'json' })
  const request = chatRequest({ stream })
  for (const { port, pid } of targets) {
    if (pid === null) continue
    await load.call('loop', { port, request, connections: 64, events: stream ? EVENTS + 1 : 0 })
    await pause(settings.settleMs)
    await load.call('loopStop')
  }
}
