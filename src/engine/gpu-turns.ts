import { type Card, decideTurns, type Tenant, type TurnAction, type Want } from '../policy/gpu-turns.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { LaunchWorld } from './launch.ts'
import { gpuCount, leastFree } from './memory-needs.ts'
import type { GpuSource } from './preflight.ts'
import type { EngineWork } from './supervision.ts'
import type { Supervisor } from './supervisor.ts'

type Because = Extract<TurnAction, { do: 'send-away' }>['because']

/** How often one was sent away for another. */
export type Swap = { engine: string; because: Because; count: number }

export type GpuTurnsOptions = {
  engines: () => readonly Supervisor[]
  /** What the gateway has with an engine now. */
  work: (name: string) => EngineWork
  gpu: GpuSource
  world: LaunchWorld
  log: Logger
}

/** While somebody waits for a turn it is looked this often whether it has come. */
const LOOK_EVERY_MS = 500
/** A reading of the GPUs is believed so long, unless an engine came or went. */
const READING_MS = 2000
/** What a start and a waking cost while none was seen: little, since a guess too high keeps the first one waiting. */
const UNSEEN_START_MS = 20_000
const UNSEEN_WAKING_MS = 5000
/** A new measurement's weight in what is known. */
const LEARNING = 0.3

/**
 * The one who starts engines for requests and for operators: at once where there is room, else when it is their turn.
 * It decides nothing itself; `decideTurns` does, with what is read here.
 */
export class GpuTurns {
  private readonly options: GpuTurnsOptions
  private readonly asked = new Map<string, 'operator' | 'start'>()
  private readonly places = new Map<string, readonly number[]>()
  private readonly costs = new Map<string, number>()
  private readonly coming = new Map<string, { since: number; kind: 'start' | 'waking' }>()
  private readonly cameAt = new Map<string, number>()
  private readonly counts = new Map<string, Swap>()
  private reading: { at: number; cards: Card[]; states: string } | null = null
  private undecided: (() => void)[] = []
  private timer: NodeJS.Timeout | undefined
  private looking = false
  private again = false
  private closed = false

  constructor(options: GpuTurnsOptions) {
    this.options = options
  }

  get swaps(): Swap[] {
    return [...this.counts.values()]
  }

  /**
   * An operator wants it now; `start`: it is to run from Lexora's start on, if there is room. Resolves once it is
   * decided whether it comes at once.
   */
  async ask(name: string, by: 'operator' | 'start'): Promise<void> {
    this.asked.set(name, by)
    const decided = new Promise<void>((resolve) => this.undecided.push(resolve))
    this.poke()
    await decided
  }

  /** Somebody took it back. */
  forget(engine: Supervisor): void {
    this.asked.delete(engine.name)
    engine.awaitTurn(false)
  }

  /** A request is about to wait for one of them. */
  want(): void {
    setImmediate(() => this.poke())
  }

  /** Something changed: an engine's state, or somebody waits. Decides soon, and again as long as somebody waits. */
  poke(): void {
    this.note()
    if (this.closed || !this.isWanted()) return
    this.again = true
    if (!this.looking) void this.look()
  }

  /** Starts nobody any more. */
  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.settle()
  }

  private isWanted(): boolean {
    return this.options.engines().some((engine) => this.wantOf(engine) !== null)
  }

  private async look(): Promise<void> {
    this.looking = true
    try {
      while (this.again && !this.closed) {
        this.again = false
        const cards = await this.cards()
        if (this.closed) return
        this.decide(cards)
      }
    } finally {
      this.looking = false
    }
    if (this.closed || !this.isWanted()) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.poke(), LOOK_EVERY_MS)
  }

  private decide(cards: Card[]): void {
    const engines = this.options.engines()
    const tenants = engines.map((engine) => this.tenantOf(engine, cards))
    const { actions } = decideTurns(tenants, cards, performance.now())
    for (const action of actions) this.perform(action, cards)
    for (const engine of engines) engine.awaitTurn(this.asked.get(engine.name) === 'operator')
    this.settle()
    const isMoving = tenants.some(({ is }) => is === 'coming' || is === 'leaving')
    for (const [name, by] of this.asked) {
      if (by !== 'start' || isMoving || actions.length > 0) continue
      this.asked.delete(name)
      this.options.log.warn('an engine is not started with Lexora: others hold its GPU', { engine: name })
    }
  }

  private settle(): void {
    for (const resolve of this.undecided.splice(0)) resolve()
  }

  private perform(action: TurnAction, cards: readonly Card[]): void {
    const { log, engines } = this.options
    const engine = engines().find(({ name }) => name === action.name)!
    if (action.do === 'send-away') {
      const { because } = action
      const key = `${engine.name} ${because}`
      const known = this.counts.get(key)
      this.counts.set(key, { engine: engine.name, because, count: (known?.count ?? 0) + 1 })
      log.info('an engine leaves its GPU to another', { engine: engine.name, for: action.for, because })
      engine.yield()
      return
    }
    const kind = engine.state.is === 'sleeping' ? 'waking' : 'start'
    this.coming.set(engine.name, { since: performance.now(), kind })
    this.places.set(engine.name, action.on)
    // Where there is nothing to choose its command stays as it is configured.
    const isChosen = engine.settings.gpus.length === 0 && cards.length > action.on.length
    if (kind === 'start') engine.assign(isChosen ? action.on : [])
    const isAsked = this.asked.delete(engine.name)
    if (isAsked) engine.start()
    else engine.demand()
  }

  /** Learns how long engines take to come, and since when they are there. */
  private note(): void {
    const now = performance.now()
    for (const engine of this.options.engines()) {
      const { name } = engine
      if (standing(engine) !== 'in') {
        this.cameAt.delete(name)
        continue
      }
      if (!this.cameAt.has(name)) this.cameAt.set(name, now)
      const came = this.coming.get(name)
      if (came === undefined) continue
      this.coming.delete(name)
      const key = `${came.kind} ${name}`
      const took = now - came.since
      const known = this.costs.get(key) ?? took
      this.costs.set(key, known + LEARNING * (took - known))
    }
  }

  private tenantOf(engine: Supervisor, cards: readonly Card[]): Tenant {
    const { name, settings } = engine
    const { inFlight, lastTokenAt, lateAt, debtMs } = this.options.work(name)
    const is = standing(engine)
    const bound = this.takesTurns(engine, cards) ? settings.gpus.flatMap((gpu) => numberOf(gpu)) : []
    const since = this.cameAt.get(name) ?? performance.now()
    const total = Math.max(0, ...cards.map(({ totalBytes }) => totalBytes ?? 0))
    return {
      name,
      is,
      on: is === 'out' || !this.takesTurns(engine, cards) ? [] : this.placeOf(engine, bound, cards),
      bound,
      count: this.takesTurns(engine, cards) ? gpuCount(settings.args) : 0,
      leastBytes: total === 0 ? null : leastFree(settings, this.options.world, total),
      heldBytes: engine.heldBytes,
      // What no request may start would not come back.
      pinned: !engine.isOnDemand,
      since,
      idleSince: inFlight > 0 || lateAt !== null ? null : Math.max(since, lastTokenAt),
      want: this.wantOf(engine),
      costMs: this.costOf(name, is),
      debtMs,
    }
  }

  /** The demo engine and such as name no GPU of their own are in nobody's way. */
  private takesTurns({ settings: { kind, gpus } }: Supervisor, cards: readonly Card[]): boolean {
    if (gpus.length > 0) return true
    return cards.length > 0 && (kind === 'vllm' || kind === 'llama-server')
  }

  private placeOf({ name, gpus }: Supervisor, bound: readonly number[], cards: readonly Card[]): readonly number[] {
    const place = gpus.length > 0 ? gpus : bound.length > 0 ? bound : this.places.get(name)
    // Of one that an earlier Lexora started it may not be known.
    return place ?? cards.map(({ index }) => index)
  }

  private wantOf(engine: Supervisor): Want {
    const by = this.asked.get(engine.name)
    if (by !== undefined) return { by }
    if (!['stopped', 'sleeping'].includes(engine.state.is) || !engine.isOnDemand) return null
    const { lateAt } = this.options.work(engine.name)
    return lateAt === null ? null : { by: 'request', lateAt }
  }

  private costOf(name: string, is: Tenant['is']): number {
    if (is === 'asleep') return this.costs.get(`waking ${name}`) ?? UNSEEN_WAKING_MS
    return this.costs.get(`start ${name}`) ?? UNSEEN_START_MS
  }

  private async cards(): Promise<Card[]> {
    const states = this.options
      .engines()
      .map((engine) => `${engine.name} ${standing(engine)}`)
      .join()
    const now = performance.now()
    const isFresh = this.reading !== null && this.reading.states === states && now - this.reading.at < READING_MS
    if (isFresh) return this.reading!.cards
    const gpus = (await this.options.gpu.sample()) ?? []
    const cards = gpus.map(({ index, totalBytes, freeBytes }) => ({ index, totalBytes, freeBytes }))
    this.reading = { at: performance.now(), cards, states }
    return cards
  }
}

function standing({ state }: Supervisor): Tenant['is'] {
  switch (state.is) {
    case 'preflight':
    case 'starting':
    case 'backoff':
      return 'coming'
    case 'ready':
    case 'busy':
    case 'degraded':
      return 'in'
    case 'draining':
      return 'leaving'
    case 'stopping':
      return state.why === 'restart' || state.why === 'crashed' || state.why === 'unfit' ? 'coming' : 'leaving'
    case 'sleeping':
      return ({ falling: 'leaving', asleep: 'asleep', waking: 'coming' } as const)[state.step]
    default:
      return 'out'
  }
}

/** A GPU that is named by its id is not known by its number. */
function numberOf(gpu: string | number): number[] {
  const number = Number(gpu)
  return Number.isInteger(number) ? [number] : []
}
