import { FairQueue } from '../../src/policy/fair-queue.ts'
import type { Waiter } from '../../src/policy/flows.ts'
import { type Load, type Permit, PermitGate } from '../../src/policy/permit-gate.ts'
import { Chance, jain } from './chance.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'

const SLOTS = 8
const SERVICE_MS = 1000
const COST = 1000
const USERS = [
  { user: 'a', connections: 60 },
  { user: 'b', connections: 60 },
  { user: 'single', connections: 1 },
]
const LOAD: Load = {
  band: 'normal',
  promptTokens: 500,
  uncachedTokens: 500,
  meanAnswer: 250,
  sdAnswer: 0,
  maxTokens: null,
}

type Call = { user: string; at: number; permit: Permit | null }
type Run = { served: Map<string, number>; waits: number[]; ofSlots: number }

/**
 * The overload of performance.md 6: each connection asks again as soon as it is answered, answers take about a second
 * and cost all the same, but each was foreseen to cost `factor` times that.
 */
function run(factor: number, seed: number, ms: number): Run {
  const chance = new Chance(seed)
  const queue = new FairQueue<Call>({ perBand: 512 })
  const gate = new PermitGate({ limit: SLOTS })
  const served = new Map(USERS.map(({ user }) => [user, 0]))
  const waits: number[] = []
  const running: { endsAt: number; waiter: Waiter<Call> }[] = []
  const arriving = USERS.flatMap(({ user, connections }) =>
    Array.from({ length: connections }, () => ({ user, at: chance.next() * SERVICE_MS })),
  ).sort((a, b) => a.at - b.at)
  for (let now = 0; now < ms; ) {
    const ends = running.reduce((first, { endsAt }) => Math.min(first, endsAt), Infinity)
    now = Math.min(ends, arriving[0]?.at ?? Infinity)
    if (ends <= now) finish(now)
    else ask(arriving.shift()!.user, now)
    for (let next = pick(now); next !== null; next = pick(now)) {
      next.value.permit = gate.dispatch(LOAD, now)
      if (next.value.user === 'single') waits.push(now - next.value.at)
      running.push({ endsAt: now + SERVICE_MS * (0.9 + 0.2 * chance.next()), waiter: next })
    }
  }
  const all = [...served.values()].reduce((sum, count) => sum + count, 0)
  return { served, waits, ofSlots: (all * SERVICE_MS) / (SLOTS * ms) }

  function pick(now: number): Waiter<Call> | null {
    return queue.next(now, (_, owed) => gate.admits(LOAD, owed))
  }

  function ask(user: string, now: number): void {
    const call: Call = { user, at: now, permit: null }
    const cost = COST * factor
    queue.enqueue({ value: call, band: 'normal', user, app: '', weight: 1, cost, bytes: 0, deadline: Infinity }, now)
  }

  function finish(now: number): void {
    const at = running.findIndex(({ endsAt }) => endsAt <= now)
    const [{ waiter }] = running.splice(at, 1) as [(typeof running)[number]]
    gate.release(waiter.value.permit!)
    queue.settle(waiter, COST, now)
    served.set(waiter.value.user, served.get(waiter.value.user)! + 1)
    ask(waiter.value.user, now)
  }
}

export const misjudged: Experiment = {
  id: 'P1.4b',
  title: 'users with 60, 60 and 1 connections at 8 slots of 1 s, costs foreseen too high',
  run({ quick, seed }) {
    const ms = quick ? 120_000 : 600_000
    return [0.2, 1, 7, 14].flatMap((factor) => {
      const { served, waits, ofSlots } = run(factor, seed, ms)
      const figure = (name: string, value: number, unit: string, target: Figure['target']): Figure => {
        return { id: 'P1.4b', name: `foreseen ${factor} times: ${name}`, value, unit, target }
      }
      return [
        figure('Jain of the two backlogged', jain([served.get('a')!, served.get('b')!]), '', atLeast(0.99)),
        figure('longest wait of the single one', Math.max(...waits) / 1000, 's', atMost(2)),
        figure('answers, of what the slots can give', ofSlots, '', atLeast(0.97)),
        figure('answers of the single one', served.get('single')! / (ms / 1000), '/s', null),
      ]
    })
  },
}
