import { decideTurns, PATIENCE_MS, residencyMs, type Tenant, type Turns } from '../../src/policy/gpu-turns.ts'
import { Chance } from './chance.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'

/** The demand of scheduling.md 7.3. */
const DEMAND = [
  { name: 'A', perSecond: 2.5, band: 'high' },
  { name: 'B', perSecond: 0.08, band: 'normal' },
  { name: 'C', perSecond: 0.02, band: 'normal' },
  { name: 'D', perSecond: 0.05, band: 'low' },
] as const
/** What one engine runs at once, and how long an answer takes it; chosen here, since 7.3 does not say. */
const SLOTS = 32
const ANSWER = { median: 3000, sigma: 0.6, cap: 30_000 }
const CARD = { index: 0, totalBytes: 32, freeBytes: 0 }

type Model = {
  name: string
  band: keyof typeof PATIENCE_MS
  is: 'out' | 'coming' | 'in' | 'leaving'
  since: number
  idleSince: number | null
  running: number
  queue: number[]
  waits: number[]
}

/** Lexora's, and two that others use (scheduling.md 7.3): the head of one line for all; whoever is there until it is idle. */
type Policy = 'lexora' | 'fifo' | 'resident-first'

type Event = { at: number; do: () => void }

/** `hot`: only A has work. */
function run(hours: number, swapMs: number, seed: number, { hot = false, policy = 'lexora' as Policy } = {}) {
  const chance = new Chance(seed)
  const until = hours * 3_600_000
  const events: Event[] = []
  let [now, swaps, swappingMs, cut] = [0, 0, 0, 0]
  let again = Infinity
  const models = DEMAND.map(
    ({ name, band }): Model => ({
      name,
      band,
      is: 'out',
      since: 0,
      idleSince: null,
      running: 0,
      queue: [],
      waits: [],
    }),
  )
  const schedule = (inMs: number, work: () => void): void => {
    const event = { at: now + inMs, do: work }
    let low = 0
    for (let high = events.length; low < high; ) {
      const mid = (low + high) >> 1
      if (events[mid]!.at >= event.at) low = mid + 1
      else high = mid
    }
    events.splice(low, 0, event)
  }
  const arrive = (model: Model, perSecond: number): void => {
    schedule(chance.gapMs(perSecond), () => {
      model.queue.push(now)
      serve(model)
      arrive(model, perSecond)
    })
  }
  const serve = (model: Model): void => {
    while (model.is === 'in' && model.running < SLOTS && model.queue.length > 0 && isNext(model)) {
      model.waits.push(now - model.queue.shift()!)
      model.running++
      schedule(chance.length(ANSWER), () => {
        if (model.is === 'out' || model.is === 'coming') cut++
        model.running--
        serve(model)
        leave(model)
      })
    }
    const isIdle = model.running === 0 && model.queue.length === 0
    model.idleSince = isIdle ? (model.idleSince ?? now) : null
  }
  /** In one line for all nobody overtakes. */
  const isNext = ({ queue }: Model): boolean =>
    policy !== 'fifo' || models.every((other) => other.queue.length === 0 || other.queue[0]! >= queue[0]!)
  /** What leaves does so once nothing runs in it. */
  const leave = (model: Model): void => {
    if (model.is === 'leaving' && model.running === 0) model.is = 'out'
  }
  const come = (model: Model): void => {
    model.is = 'coming'
    swaps++
    swappingMs += swapMs
    schedule(swapMs, () => {
      model.is = 'in'
      model.since = now
      model.idleSince = null
      serve(model)
    })
  }
  const decide = (): void => {
    const turns = policy === 'lexora' ? decideTurns(models.map(asTenant), [CARD], now) : losing()
    again = turns.again ?? Infinity
    for (const action of turns.actions) {
      const model = models.find(({ name }) => name === action.name)!
      if (action.do === 'bring') come(model)
      else {
        model.is = 'leaving'
        leave(model)
        if (model.running === 0) decide()
      }
    }
  }
  /** How others choose: the oldest request's model; in `resident-first` only once nobody else has work. */
  const losing = (): Turns => {
    const [first] = models.filter(({ queue }) => queue.length > 0).toSorted((a, b) => a.queue[0]! - b.queue[0]!)
    const there = models.find(({ is }) => is !== 'out')
    if (first === undefined || first === there) return { actions: [], again: null }
    if (there === undefined) return { actions: [{ do: 'bring', name: first.name, on: [0] }], again: null }
    const mayLeave = policy === 'fifo' || (there.running === 0 && there.queue.length === 0)
    if (there.is !== 'in' || !mayLeave) return { actions: [], again: null }
    return { actions: [{ do: 'send-away', name: there.name, for: first.name, because: 'late' }], again: null }
  }
  const asTenant = (model: Model): Tenant => ({
    name: model.name,
    is: model.is,
    on: model.is === 'out' ? [] : [0],
    bound: [],
    count: 1,
    leastBytes: null,
    heldBytes: null,
    pinned: false,
    since: model.since,
    idleSince: model.idleSince,
    want: model.queue.length === 0 ? null : { by: 'request', lateAt: model.queue[0]! + PATIENCE_MS[model.band] },
    costMs: swapMs,
    debtMs: 0,
  })
  for (const [i, { name, perSecond }] of DEMAND.entries()) if (!hot || name === 'A') arrive(models[i]!, perSecond)
  while (now < until) {
    const event = events.at(-1)!
    now = Math.min(event.at, again)
    if (event.at <= again) events.pop()!.do()
    decide()
  }
  const waiting = models[0]!.queue.length
  const served = models[0]!.waits.length / Math.max(1, models[0]!.waits.length + waiting)
  return { models, swaps, swapShare: swappingMs / until, cut, served }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0) / 1000
}

function swapped(swapMs: number, hours: number, seed: number): Figure[] {
  const { models, swaps, swapShare, cut } = run(hours, swapMs, seed)
  const id = 'P7.1'
  const label = `swap ${swapMs / 1000} s`
  const told = models.flatMap(({ name, waits }): Figure[] =>
    [0.5, 0.99].map((share) => ({
      id,
      name: `${label}: ${name} waits, p${100 * share}`,
      value: percentile(waits, share),
      unit: 's',
      target: null,
    })),
  )
  const bounds = models.map(({ name, band, waits }): Figure => {
    // Patience, then the turns of the others: residency, the longest answer, the swap.
    const turn = residencyMs(swapMs) + ANSWER.cap + swapMs
    const bound = (PATIENCE_MS[band] + (models.length - 1) * turn) / 1000
    return { id, name: `${label}: ${name} waits, most`, value: percentile(waits, 1), unit: 's', target: atMost(bound) }
  })
  const share = swapMs <= 4000 ? atMost(0.2) : null
  return [
    ...bounds,
    { id, name: `${label}: share of the time swapping`, value: swapShare, unit: '', target: share },
    { id, name: `${label}: swaps an hour`, value: swaps / hours, unit: '', target: null },
    { id: 'P7.2', name: `${label}: requests cut off by a swap`, value: cut, unit: '', target: atMost(0) },
    ...told,
  ]
}

/** The policies that lose, and by what. */
function losers(hours: number, seed: number): Figure[] {
  const fifo = run(hours, 4000, seed, { policy: 'fifo' })
  const resident = run(hours, 4000, seed, { policy: 'resident-first' })
  const id = 'P7.0'
  const worst = (of: typeof resident): number =>
    Math.max(...of.models.slice(1, 3).map(({ waits }) => percentile(waits, 1)))
  return [
    { id, name: 'one line for all: share of the time swapping', value: fifo.swapShare, unit: '', target: atLeast(0.3) },
    { id, name: 'one line for all: of A’s requests served', value: fifo.served, unit: '', target: atMost(0.7) },
    { id, name: 'resident first: B or C wait, most', value: worst(resident), unit: 's', target: atLeast(500) },
    { id, name: 'resident first: swaps an hour', value: resident.swaps / hours, unit: '', target: null },
  ]
}

/** Engines that take turns on one card (scheduling.md 7.3). */
export const turns: Experiment = {
  id: 'P7',
  title: 'four models, one card',
  run: ({ quick, seed }) => {
    const hours = quick ? 2 : 12
    const hot = run(hours, 4000, seed, { hot: true })
    return [
      ...losers(hours, seed),
      ...swapped(4000, hours, seed),
      ...swapped(45_000, hours, seed),
      {
        id: 'P7.3',
        name: 'one hot model alone: swaps after its start',
        value: hot.swaps - 1,
        unit: '',
        target: atMost(0),
      },
      {
        id: 'P7.3',
        name: 'one hot model alone: served',
        value: hot.models[0]!.waits.length,
        unit: '',
        target: atLeast(hours * 8000),
      },
    ]
  },
}
