import { type BackendLoad, chooseBackend } from '../../src/policy/choose-backend.ts'
import { Chance, quantile } from './chance.ts'
import { CONSTANTS } from './constants.ts'
import { Engine, probedPrefillRate } from './engine.ts'
import { atLeast, atMost, type Experiment, type Figure } from './figures.ts'

const MODEL = CONSTANTS.models['8B']
const FLAGS = CONSTANTS.defaultFlags
const ENGINES = 4
const SESSIONS = 120
const THINK_MS = 8000

/** Conversations: scheduling.md 3.3 tells only their number and think time. [assumed] */
const OPENING = { median: 1500, sigma: 0.7, cap: 12_000 }
const MESSAGE = { median: 300, sigma: 0.8, cap: 4000 }
const TURNS = 8
const WARM_UP_MS = 60_000

type Session = { id: number; chance: Chance; history: number; turn: number; home: number; known: number }
type Router = (loads: readonly BackendLoad[], session: Session, prompt: number) => number
type Run = { hitRate: number; ttft: number[]; perSecond: number }

/** An engine and the conversations whose KV it still holds, oldest first: what is free of its cache, LRU. */
class CachingEngine {
  readonly engine = new Engine(MODEL, FLAGS)
  readonly #held = new Map<number, number>()
  #heldTokens = 0
  stepEndsAt = Infinity
  inFlight = 0
  backlog = 0

  take(session: number): number {
    this.#evict()
    const tokens = this.#held.get(session) ?? 0
    this.#held.delete(session)
    this.#heldTokens -= tokens
    return tokens
  }

  keep(session: number, tokens: number): void {
    this.take(session)
    this.#held.set(session, tokens)
    this.#heldTokens += tokens
    this.#evict()
  }

  /** From the oldest conversation, its end first, as blocks are. */
  #evict(): void {
    for (const [session, tokens] of this.#held) {
      const excess = this.#heldTokens - MODEL.kvTokens * (1 - this.engine.kvUse)
      if (excess <= 0) return
      const gone = Math.min(tokens, Math.ceil(excess))
      if (gone === tokens) this.#held.delete(session)
      else this.#held.set(session, tokens - gone)
      this.#heldTokens -= gone
    }
  }
}

function run(router: Router, seed: number, ms: number): Run {
  const engines = Array.from({ length: ENGINES }, () => new CachingEngine())
  const starts = new Chance(seed)
  const sessions = Array.from({ length: SESSIONS }, (_, id) => newSession(id, seed))
  const due = sessions.map((session) => ({ session, at: starts.next() * 2 * THINK_MS }))
  const ttft: number[] = []
  let [now, hits, prompts, done] = [0, 0, 0, 0]
  while (now < ms) {
    const next = due.reduce((first, other) => (other.at < first.at ? other : first))
    const step = engines.reduce((first, other) => (other.stepEndsAt < first.stepEndsAt ? other : first))
    now = Math.min(next.at, step.stepEndsAt)
    if (next.at <= step.stepEndsAt) send(next)
    else {
      step.stepEndsAt = Infinity
      step.engine.end()
    }
    for (const one of engines) if (one.stepEndsAt === Infinity) one.stepEndsAt = now + (one.engine.begin() ?? Infinity)
  }
  return { hitRate: hits / prompts, ttft, perSecond: done / ((ms - WARM_UP_MS) / 1000) }

  function send(entry: (typeof due)[number]): void {
    const { session } = entry
    entry.at = Infinity
    const prompt = session.history + session.chance.length(session.turn === 0 ? OPENING : MESSAGE)
    const answer = session.chance.length(CONSTANTS.shapes.chat.answer)
    const index = router(
      engines.map((one, i) => loadOf(one, i, session)),
      session,
      prompt,
    )
    const chosen = engines[index]!
    const [sentAt, cached] = [now, Math.min(chosen.take(session.id), prompt - 1)]
    const uncached = prompt - cached
    if (now > WARM_UP_MS) {
      hits += cached
      prompts += prompt
    }
    chosen.inFlight++
    chosen.backlog += uncached
    const onFirstToken = (): void => {
      chosen.backlog -= uncached
      if (sentAt > WARM_UP_MS) ttft.push(now - sentAt)
    }
    const onEnd = (): void => {
      chosen.inFlight--
      chosen.keep(session.id, prompt + answer)
      if (now > WARM_UP_MS) done++
      goOn(session, index, prompt + answer)
      entry.at = now + session.chance.gapMs(1000 / THINK_MS)
    }
    const start = { priority: 0, generated: 0, computed: cached, blocks: 0 }
    chosen.engine.add({ prompt, answer, ...start, onFirstToken, onToken: () => {}, onEnd })
  }
}

function newSession(id: number, seed: number): Session {
  return { id, chance: new Chance(seed * 10_000 + id), history: 0, turn: 0, home: -1, known: 0 }
}

function goOn(session: Session, home: number, tokens: number): void {
  const ends = session.turn + 1 >= TURNS
  session.turn = ends ? 0 : session.turn + 1
  session.history = ends ? 0 : tokens
  session.home = ends ? -1 : home
  session.known = ends ? 0 : tokens
}

/** What the gateway knows: not what the engine has evicted since. */
function loadOf(one: CachingEngine, index: number, session: Session): BackendLoad {
  return {
    backend: String(index),
    prefillBacklog: one.backlog,
    prefillRate: probedPrefillRate(MODEL, FLAGS),
    cachedTokens: session.home === index ? session.known : 0,
    queueWaitMs: 0,
    inFlight: one.inFlight,
    weight: 1,
    swapMs: 0,
    kvUse: one.engine.kvUse,
  }
}

const ROUTERS = {
  random: (loads, session) => Math.floor(session.chance.next() * loads.length),
  'least outstanding': (loads) =>
    loads.reduce((best, load, i) => (load.inFlight < loads[best]!.inFlight ? i : best), 0),
  'strict stickiness': (_, session) => session.id % ENGINES,
  lexora: (loads, _, prompt) => Number(chooseBackend(loads, prompt)!.backend),
} satisfies Record<string, Router>

export const routing: Experiment = {
  id: 'P3.1',
  title: '4 engines, 120 conversations, think time 8 s',
  run({ quick, seed }) {
    const ms = quick ? 200_000 : 600_000
    const sticky = run(ROUTERS['strict stickiness'], seed, ms)
    const ours = run(ROUTERS.lexora, seed, ms)
    const figure = (name: string, value: number, unit: string, target: Figure['target']) => ({
      id: 'P3.1',
      name,
      value,
      unit,
      target,
    })
    const told = (name: string, { hitRate, ttft, perSecond }: Run): Figure[] => [
      figure(`${name}: prefix hits`, hitRate, '', null),
      figure(`${name}: TTFT p50`, quantile(ttft, 0.5) / 1000, 's', null),
      figure(`${name}: TTFT p99`, quantile(ttft, 0.99) / 1000, 's', null),
      figure(`${name}: answers`, perSecond, '/s', null),
    ]
    return [
      ...told('random', run(ROUTERS.random, seed, ms)),
      ...told('least outstanding', run(ROUTERS['least outstanding'], seed, ms)),
      ...told('strict stickiness', sticky),
      ...told('lexora', ours),
      figure('prefix hits, of strict stickiness', ours.hitRate / sticky.hitRate, '', atLeast(0.95)),
      figure(
        'TTFT p99, of strict stickiness',
        quantile(ours.ttft, 0.99) / quantile(sticky.ttft, 0.99),
        '',
        atMost(0.6),
      ),
    ]
  },
}
