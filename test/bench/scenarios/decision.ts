/** What one decision costs by itself: a request comes, the next one is picked, admitted and settled, in a full house. */
import { FairQueue } from '../../../src/policy/fair-queue.ts'
import type { Waiter } from '../../../src/policy/flows.ts'
import { type Load, type Permit, PermitGate } from '../../../src/policy/permit-gate.ts'
import type { Bench, Measured } from '../measure.ts'

const WAITING = 500
const FLOWS = 100
const IN_FLIGHT = 100
const DECISIONS = 20_000

const load = (i: number): Load => {
  const promptTokens = 100 + ((i * 37) % 900)
  const band = i % 10 === 0 ? 'high' : i % 3 === 0 ? 'low' : 'normal'
  return { band, promptTokens, uncachedTokens: promptTokens, meanAnswer: 300, sdAnswer: 100, maxTokens: null }
}

/** 500 wait in 100 flows while 100 run; each decision ends one, takes one in, picks one and lets it run. */
export async function decision({ settings }: Bench): Promise<Measured> {
  const rounds = Array.from({ length: settings.rounds }, () => round(DECISIONS)).sort((a, b) => a - b)
  return {
    rows: [{ target: 'lexora', figures: { decisionUs: rounds[rounds.length >> 1]! } }],
    notes: [
      `${WAITING} waiting in ${FLOWS} flows, ${IN_FLIGHT} in flight, KV tokens so scarce that each pick projects`,
    ],
  }
}

/** Microseconds per decision. */
function round(decisions: number): number {
  // Room for what runs and hardly more: so the costly projection of the KV cache is made each time.
  const gate = new PermitGate({ limit: 'auto', kvTokens: 110_000, maxSequences: 1000, prefillRate: 1e6 })
  const queue = new FairQueue<Load>({ perFlow: 1000, perBand: 10_000, bytes: 1e12 })
  const running: { permit: Permit; waiter: Waiter<Load> }[] = []
  let now = 0
  let arrivals = 0
  const arrive = (): void => {
    const asked = load(arrivals)
    const flow = arrivals++ % FLOWS
    const cost = asked.promptTokens + 600
    const name = { user: `user ${flow >> 1}`, app: `app ${flow & 1}` }
    queue.enqueue(
      { value: asked, band: asked.band, ...name, weight: 1, cost, bytes: 1000, deadline: now + 60_000 },
      now,
    )
  }
  const pick = (): void => {
    const waiter = queue.next(now, (next, owed) => running.length < IN_FLIGHT && gate.admits(next.value, owed))
    if (waiter === null) return
    const permit = gate.dispatch(waiter.value, now)
    gate.firstToken(permit, now + 1)
    running.push({ permit, waiter })
  }
  const end = (): void => {
    const done = running.shift()
    if (done === undefined) return
    gate.release(done.permit)
    queue.settle(done.waiter, done.waiter.cost, now)
  }
  for (let i = 0; i < WAITING + IN_FLIGHT; i++) arrive()
  for (let i = 0; i < IN_FLIGHT; i++) pick()
  const from = process.cpuUsage()
  for (let i = 0; i < decisions; i++) {
    now += 5
    end()
    arrive()
    pick()
  }
  const { user, system } = process.cpuUsage(from)
  return (user + system) / decisions
}
