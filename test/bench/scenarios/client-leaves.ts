import { type Bench, type Figures, type Measured, pause, quietly, until } from '../measure.ts'
import type { Behaviour } from '../mock.ts'
import { chatRequest } from '../requests.ts'
import type { Target } from '../rig.ts'
import { standing } from '../targets.ts'

const CLIENTS = 100
const IN_TIME_MS = 100
const WATCHED_MS = 2_000

type Moment = { name: string; behaviour: Behaviour; stream: boolean; eventsSeen: boolean }

const moments: Moment[] = [
  { name: 'stream', behaviour: { is: 'stream', events: 10_000, everyMs: 10 }, stream: true, eventsSeen: true },
  { name: 'silentStream', behaviour: { is: 'silent-after-first' }, stream: true, eventsSeen: true },
  { name: 'beforeFirstByte', behaviour: { is: 'silent' }, stream: true, eventsSeen: false },
  { name: 'nonStream', behaviour: { is: 'silent' }, stream: false, eventsSeen: false },
]

/** 100 clients leave in the same moment: how many of their calls end upstream in time, wherever they stood. */
export async function clientLeaves(bench: Bench): Promise<Measured> {
  const targets = await standing(bench, ['bare', 'lexora', 'pipe'], { is: 'silent' })
  const rows = []
  const quiet = quietly(bench)
  for (const target of targets) {
    const figures: Figures = {}
    let slowestMs = 0
    for (const moment of moments) {
      const endedMs = await quiet.take(() => leaveAt(bench, target, moment))
      figures[moment.name] = endedMs.filter((ms) => ms <= IN_TIME_MS).length
      slowestMs = Math.max(slowestMs, endedMs.length < CLIENTS ? Number.POSITIVE_INFINITY : Math.max(...endedMs))
    }
    rows.push({ target: target.name, figures: { ...figures, slowestMs } })
  }
  return { rows, notes: [`calls of ${CLIENTS} that ended upstream within ${IN_TIME_MS} ms`, ...quiet.notes()] }
}

/** How long after the leaving each call ended, in ms; calls that did not end at all are missing. */
async function leaveAt({ rig }: Bench, target: Target, moment: Moment): Promise<number[]> {
  const { mock, load } = rig
  await mock.call('behave', moment.behaviour)
  await load.call('crowd', { port: target.port, request: chatRequest({ stream: moment.stream }), count: CLIENTS })
  const arrived = async () => ({ calls: await mock.call('calls'), crowd: await load.call('crowdTake') })
  await until(
    `${CLIENTS} calls through ${target.name} before they leave (${moment.name})`,
    arrived,
    ({ calls, crowd }) => calls.open === CLIENTS && (!moment.eventsSeen || crowd.streaming === CLIENTS),
  )
  const leftAt = await load.call('crowdLeave')
  const deadline = performance.now() + WATCHED_MS
  let calls = await mock.call('calls')
  while (calls.open > 0 && performance.now() < deadline) {
    await pause(20)
    calls = await mock.call('calls')
  }
  return calls.abortedAt.map((at) => (at - leftAt) / 1000)
}
