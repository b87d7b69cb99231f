import { weightedCost } from '../../src/policy/fair-queue.ts'
import { jain, quantile } from './chance.ts'
import { CONSTANTS, type ShapeName } from './constants.ts'
import { Engine } from './engine.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'
import { lexoraFor, lowShareOf } from './overload.ts'
import { type Job, TTL_MS } from './policies.ts'
import { openSource, type Sender, saturating } from './workloads.ts'
import { runWorld } from './world.ts'

const MODEL = CONSTANTS.models['8B']
const FLAGS = CONSTANTS.lexoraFlags
const WINDOW_MS = 60_000

/** Users who always have something waiting, of four different shapes. */
function backlogged(weights: readonly number[], seed: number, ms: number): { jobs: Job[]; users: string[] } {
  const shapes: ShapeName[] = ['chat', 'agent', 'batch', 'chat']
  const senders = weights.map((weight, i) => ({
    user: `user ${i}`,
    band: 'normal' as const,
    work: { shape: shapes[i % shapes.length]! },
    weight,
  }))
  const jobs = runWorld(
    new Engine(MODEL, FLAGS),
    lexoraFor(MODEL, FLAGS, { patient: true }),
    saturating(senders, MODEL, seed, 8),
    ms,
  )
  return { jobs, users: senders.map(({ user }) => user) }
}

/** Weighted tokens of each user between two times: a prompt when it is read, an answer spread over its time. */
function service(jobs: readonly Job[], users: readonly string[], from: number, to: number): number[] {
  const had = new Map(users.map((user) => [user, 0]))
  for (const job of jobs) {
    if (Number.isNaN(job.endedAt)) continue
    const overlap = Math.min(to, job.endedAt) - Math.max(from, job.dispatchedAt)
    if (overlap <= 0) continue
    const part = overlap / (job.endedAt - job.dispatchedAt)
    had.set(job.user, had.get(job.user)! + weightedCost(job.prompt, job.answer) * part)
  }
  return [...had.values()]
}

export const fairness: Experiment = {
  id: 'P1.4',
  title: 'users of different shapes, all backlogged (8B)',
  run({ quick, seed }) {
    const ms = quick ? 300_000 : 900_000
    const figures: Figure[] = []
    for (const count of [4, 10]) {
      const { jobs, users } = backlogged(new Array<number>(count).fill(1), seed, ms)
      const windows: number[] = []
      for (let from = WINDOW_MS; from + WINDOW_MS <= ms - WINDOW_MS; from += WINDOW_MS / 4)
        windows.push(jain(service(jobs, users, from, from + WINDOW_MS)))
      const whole = jain(service(jobs, users, 0, ms))
      figures.push({ id: 'P1.4', name: `${count} users: Jain over all`, value: whole, unit: '', target: atLeast(0.99) })
      const low = quantile(windows, 0.05)
      figures.push({
        id: 'P1.4',
        name: `${count} users: Jain, 60 s windows, p5`,
        value: low,
        unit: '',
        target: atLeast(0.9),
      })
    }
    const weights = [4, 2, 1, 1]
    const { jobs, users } = backlogged(weights, seed, ms)
    const had = service(jobs, users, 0, ms)
    const total = had.reduce((sum, value) => sum + value, 0)
    const errors = had.map((value, i) => Math.abs(value / total - weights[i]! / 8) / (weights[i]! / 8))
    figures.push({
      id: 'P1.4',
      name: 'weights 4:2:1:1, largest error',
      value: Math.max(...errors),
      unit: '',
      target: atMost(0.05),
    })
    return figures
  },
}

/** High alone at ten times the capacity; sparse normal and low requests far below their guarantees. */
const SPARSE: Sender[] = [
  { user: 'high', band: 'high', work: { shape: 'chat' }, perSecond: 60 },
  { user: 'normal', band: 'normal', work: { shape: 'chat' }, perSecond: 0.1 },
  { user: 'low', band: 'low', work: { shape: 'chat' }, perSecond: 0.03 },
]

const BATCH: Sender = { user: 'batch', band: 'low', work: { shape: 'batch' }, perSecond: 3 }

export const starvation: Experiment = {
  id: 'P1.3',
  title: 'high at ten times the capacity (8B)',
  run({ quick, seed }) {
    const ms = quick ? 300_000 : 900_000
    const figures: Figure[] = []
    const world = (senders: readonly Sender[]) =>
      runWorld(new Engine(MODEL, FLAGS), lexoraFor(MODEL, FLAGS), openSource(senders, MODEL, seed), ms)
    const sparse = world(SPARSE)
    for (const band of ['normal', 'low'] as const) {
      const own = sparse.filter((job) => job.band === band && job.arrivedAt < ms - TTL_MS.high)
      const waits = own.map((job) => (job.lost ? Infinity : (job.dispatchedAt || Infinity) - job.arrivedAt))
      const unserved = waits.filter((wait) => wait === Infinity).length
      figures.push({
        id: 'P1.3',
        name: `sparse ${band}: not served, of ${own.length}`,
        value: unserved,
        unit: '',
        target: atMost(0),
      })
      figures.push({
        id: 'P1.3',
        name: `sparse ${band}: longest wait`,
        value: Math.max(...waits) / 1000,
        unit: 's',
        target: atMost(10),
      })
    }
    const share = lowShareOf(world([SPARSE[0]!, BATCH]).filter(({ endedAt }) => endedAt > 60_000))
    figures.push({ id: 'P1.3', name: 'backlogged low gets, of 0.05', value: share, unit: '', target: atLeast(0.035) })
    return figures
  },
}
