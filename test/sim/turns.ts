import { decideTurns, PATIENCE_MS, residencyMs, type Tenant } from '../../src/policy/gpu-turns.ts'
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

type Event = { at: number; do: () => void }

/** `hot`: only A has work. */
function run(hours: number, swapMs: number, seed: number, hot: boolean) {
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
    while (model.is === 'in' && model.running < SLOTS && model.queue.length > 0) {
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
    const turns = decideTurns(models.map(asTenant), [CARD], now)
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
  return { models, swaps, swapShare: swappingMs / until, cut }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0) / 1000
}

function swapped(swapMs: number, hours: number, seed: number): Figure[] {
  const { models, swaps, swapShare, cut } = run(hours, swapMs, seed, false)
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

/** Engines that take turns on one card (scheduling.md 7.3). */
export const turns: Experiment = {
  id: 'P7',
  title: 'four models, one card',
  run: ({ quick, seed }) => {
    const hours = quick ? 2 : 12
    const hot = run(hours, 4000, seed, true)
    return [
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
