/** The clients: one process that runs one kind of load at a time. */
import { answerCalls } from './channel.ts'
import { type ClosedLoop, ClosedLoopLoad, type Counted } from './load/closed-loop.ts'
import { type Crowd, CrowdLoad, type CrowdState } from './load/crowd.ts'
import { type Knocker, KnockerLoad, type Knocks } from './load/knocker.ts'
import { type Paced, type PacedCount, PacedLoad } from './load/paced.ts'
import { type ReadSoFar, SlowReaderLoad, type SlowReaders } from './load/slow-reader.ts'

/** Holds the running load of one kind. */
function stage<Spec, Load>(begin: (spec: Spec) => Load) {
  let load: Load | null = null
  return {
    begin: (spec: Spec): void => {
      load = begin(spec)
    },
    running: (): Load => {
      if (!load) throw new Error('no such load has begun')
      return load
    },
  }
}

const loop = stage((spec: ClosedLoop) => new ClosedLoopLoad(spec))
const paced = stage((spec: Paced) => new PacedLoad(spec))
const crowd = stage((spec: Crowd) => new CrowdLoad(spec))
const slow = stage((spec: SlowReaders) => new SlowReaderLoad(spec))
const knocker = stage((spec: Knocker) => new KnockerLoad(spec))

const api = {
  loop: (spec: ClosedLoop) => loop.begin(spec),
  loopTake: (): Counted => loop.running().take(),
  loopStop: () => loop.running().stop(),

  paced: (spec: Paced) => paced.begin(spec),
  pacedTake: (): PacedCount => paced.running().take(),
  pacedStop: () => paced.running().stop(),

  crowd: (spec: Crowd) => crowd.begin(spec),
  crowdTake: (): CrowdState => crowd.running().take(),
  crowdLeave: (): number => crowd.running().leave(),

  slow: (spec: SlowReaders) => slow.begin(spec),
  slowState: (): ReadSoFar[] => slow.running().state(),
  slowReadTo: (ends: { localPort: number; wireBytes: number }[]) => slow.running().readTo(ends),
  slowStop: () => slow.running().stop(),

  knock: (spec: Knocker) => knocker.begin(spec),
  knockTake: (): Knocks => knocker.running().take(),
  knockStop: () => knocker.running().stop(),
}
export type LoadApi = typeof api

answerCalls(api)
