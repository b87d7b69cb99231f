import { type BackendLoad, chooseBackend } from '../../src/policy/choose-backend.ts'
import { PrefixIndex, textHash } from '../../src/policy/prefix-index.ts'
import { Chance } from './chance.ts'
import { CONSTANTS, type Length } from './constants.ts'
import { Engine, probedPrefillRate } from './engine.ts'
import { lexoraFor } from './overload.ts'
import { type Job, Lexora, Ranked, type SimPolicy } from './policies.ts'
import { promptEstimate } from './workloads.ts'
import { SAMPLE_MS, sequenceOf } from './world.ts'

const MODEL = CONSTANTS.models['8B']
const FLAGS = CONSTANTS.defaultFlags
const ENGINES = 4
const CONVERSATIONS = 120
const THINK_MS = 8000
const WARM_UP_MS = 60_000
const APP = ''

/** The index knows text by blocks of 256 bytes: about 64 tokens. */
const INDEX_BLOCK_TOKENS = 64
const INDEX_BLOCKS = MODEL.kvTokens / INDEX_BLOCK_TOKENS

/** What people send, and how the engines keep what they have read. */
export type Setting = {
  opening: Length
  message: Length
  turns: number
  /**
   * Room for the KV of idle conversations. A share of an engine's KV cache: beside it, and found when a request is sent
   * (as scheduling.md 3.3 seems to have had it). 'free': what running requests leave of it, found when the engine begins
   * with a request, as in a vLLM.
   */
  idleRoom: number | 'free'
}

/**
 * `gated`: a queue and a gate in front of each engine, as the product has them; else all goes to the engine at once.
 * `untaught`: no answer tells how much of its prompt was cached. `oneUser`: all are his; else everybody is one.
 */
export type Strategy = { route: Router; gated: boolean; untaught?: boolean; oneUser?: boolean }
export type Router = (story: { loads: () => BackendLoad[]; talk: Talk; job: Job; seed: number }) => number
export type Run = { hitRate: number; ttft: number[]; perSecond: number }

/** Somebody who talks: one conversation after another. */
export type Talk = {
  readonly id: number
  readonly chance: Chance
  /** How many conversations came before this one: another one has other text. */
  past: number
  turn: number
  /** Tokens of the conversation so far. */
  history: number
  hashes: number[]
}

/** One of the engines, what stands in front of it, and whose KV it still holds, the one used longest ago first. */
class Member {
  readonly engine = new Engine(MODEL, FLAGS)
  readonly policy: SimPolicy
  readonly index = new PrefixIndex(INDEX_BLOCKS)
  readonly #idleRoom: number | 'free'
  readonly #idle = new Map<string, number>()
  #idleTokens = 0
  stepEndsAt = Infinity
  /** As the gateway counts and samples. */
  inFlight = 0
  prefillBacklog = 0
  kvUse = 0

  constructor({ idleRoom }: Setting, gated: boolean) {
    this.#idleRoom = idleRoom
    this.policy = gated ? lexoraFor(MODEL, FLAGS, { patient: true }) : new Ranked(Infinity, () => 0, false)
  }

  take(conversation: string): number {
    const tokens = this.#idle.get(conversation) ?? 0
    this.#idle.delete(conversation)
    this.#idleTokens -= tokens
    return tokens
  }

  keep(conversation: string, tokens: number): void {
    this.take(conversation)
    this.#idle.set(conversation, tokens)
    this.#idleTokens += tokens
    this.evict()
  }

  /** From the conversation used longest ago, its end first, as blocks are. */
  evict(): void {
    const room = MODEL.kvTokens * (this.#idleRoom === 'free' ? 1 - this.engine.kvUse : this.#idleRoom)
    for (const [conversation, tokens] of this.#idle) {
      const excess = Math.ceil(this.#idleTokens - room)
      if (excess <= 0) return
      const left = tokens - Math.min(tokens, excess)
      if (left === 0) this.#idle.delete(conversation)
      else this.#idle.set(conversation, left)
      this.#idleTokens -= tokens - left
    }
  }
}

export function converse(
  setting: Setting,
  { route, gated, untaught = false, oneUser = false }: Strategy,
  seed: number,
  ms: number,
): Run {
  const members = Array.from({ length: ENGINES }, () => new Member(setting, gated))
  const starts = new Chance(seed)
  const due = Array.from({ length: CONVERSATIONS }, (_, id) => ({
    talk: { id, chance: new Chance(seed * 10_000 + id), past: 0, turn: 0, history: 0, hashes: [] } as Talk,
    at: starts.next() * 2 * THINK_MS,
  }))
  const sent = new Map<Job, { entry: (typeof due)[number]; lookUp: () => number }>()
  const ttft: number[] = []
  let [now, hits, prompts, answers] = [0, 0, 0, 0]
  for (let sampleAt = SAMPLE_MS; now < ms; ) {
    const next = due.reduce((first, other) => (other.at < first.at ? other : first))
    const step = members.reduce((first, other) => (other.stepEndsAt < first.stepEndsAt ? other : first))
    now = Math.min(next.at, step.stepEndsAt, sampleAt)
    if (next.at <= now) send(next)
    else if (step.stepEndsAt <= now) {
      step.stepEndsAt = Infinity
      step.engine.end()
    } else {
      sampleAt += SAMPLE_MS
      for (const member of members) {
        member.kvUse = member.engine.kvUse
        member.policy.sample(member.engine, now)
      }
    }
    for (const member of members) {
      for (const job of member.policy.pump(now)) dispatch(member, job)
      if (member.stepEndsAt === Infinity) member.stepEndsAt = now + (member.engine.begin() ?? Infinity)
      if (setting.idleRoom === 'free') member.evict()
    }
  }
  return { hitRate: hits / prompts, ttft, perSecond: answers / ((ms - WARM_UP_MS) / 1000) }

  function send(entry: (typeof due)[number]): void {
    const { talk } = entry
    entry.at = Infinity
    const job = nextJob(talk, setting, oneUser ? '' : `${talk.id}`, now)
    const loads = (): BackendLoad[] => members.map((member, i) => loadOf(member, i, talk, job, gated, now))
    const member = members[route({ loads, talk, job, seed })]!
    job.cachedEstimate = cachedTokens(member, talk, job)
    const name = nameOf(talk)
    const lookUp = (): number => {
      const cached = Math.min(member.take(name), job.prompt - 1)
      if (now <= WARM_UP_MS) return cached
      hits += cached
      prompts += job.prompt
      return cached
    }
    const early = setting.idleRoom === 'free' ? null : lookUp()
    sent.set(job, { entry, lookUp: () => early ?? lookUp() })
    member.policy.arrive(job, now)
  }

  function dispatch(member: Member, job: Job): void {
    const { entry, lookUp } = sent.get(job)!
    const { talk } = entry
    const name = nameOf(talk)
    job.dispatchedAt = now
    const hashes = hashesOf(talk, job.prompt)
    const claimed = member.index.known(hashes)
    member.index.hold(hashes)
    member.inFlight++
    member.prefillBacklog += job.promptEstimate - job.cachedEstimate
    const sequence = sequenceOf(job, member.policy, () => now)
    const { onFirstToken, onEnd } = sequence
    let cached = -1
    member.engine.add({
      ...sequence,
      lookUp: () => {
        // What is preempted later was pushed out for good.
        if (cached !== -1) return 0
        cached = lookUp()
        return cached
      },
      onFirstToken: () => {
        onFirstToken()
        member.prefillBacklog -= job.promptEstimate - job.cachedEstimate
        if (job.arrivedAt > WARM_UP_MS) ttft.push(now - job.arrivedAt)
      },
      onEnd: () => {
        onEnd()
        sent.delete(job)
        member.index.free(hashes)
        if (!untaught) member.index.learn(claimed, Math.floor(cached / INDEX_BLOCK_TOKENS))
        member.inFlight--
        member.keep(name, job.prompt + job.answer)
        if (now > WARM_UP_MS) answers++
        goOn(talk, job.prompt + job.answer, setting)
        entry.at = now + talk.chance.gapMs(1000 / THINK_MS)
      },
    })
  }
}

function nextJob(talk: Talk, { opening, message }: Setting, user: string, now: number): Job {
  const { answer } = CONSTANTS.shapes.chat
  const prompt = talk.history + talk.chance.length(talk.turn === 0 ? opening : message)
  return {
    user,
    band: 'normal',
    app: APP,
    weight: 1,
    prompt,
    promptEstimate: promptEstimate(prompt, talk.chance),
    cachedEstimate: 0,
    answer: talk.chance.length(answer),
    maxTokens: answer.cap,
    arrivedAt: now,
    predictedWaitMs: null,
    dispatchedAt: Number.NaN,
    firstTokenAt: Number.NaN,
    endedAt: Number.NaN,
    lost: false,
  }
}

function goOn(talk: Talk, tokens: number, { turns }: Setting): void {
  talk.turn++
  talk.history = tokens
  if (talk.turn < turns) return
  talk.turn = 0
  talk.history = 0
  talk.hashes = []
  talk.past++
}

const nameOf = ({ id, past }: Talk): string => `${id} ${past}`

/** Of the first blocks of the conversation, as src/gateway/turn.ts makes them of its text. */
function hashesOf(talk: Talk, tokens: number): Uint32Array {
  const count = Math.floor(tokens / INDEX_BLOCK_TOKENS)
  for (let block = talk.hashes.length; block < count; block++) {
    talk.hashes.push(textHash(`${nameOf(talk)} ${block}`))
  }
  return Uint32Array.from(talk.hashes.slice(0, count))
}

/** The share of the text that is known, of the estimate: as src/gateway/turn.ts has it. */
function cachedTokens({ index }: Member, talk: Talk, { prompt, promptEstimate }: Job): number {
  const known = index.known(hashesOf(talk, talk.history)) * INDEX_BLOCK_TOKENS
  return Math.floor(promptEstimate * Math.min(1, known / prompt))
}

/** What the gateway knows: as src/gateway/turn.ts and backend-queue.ts put it together. */
function loadOf(member: Member, index: number, talk: Talk, job: Job, gated: boolean, now: number): BackendLoad {
  const { policy, kvUse } = member
  const common = { backend: String(index), cachedTokens: cachedTokens(member, talk, job), weight: 1, swapMs: 0, kvUse }
  if (!gated || !(policy instanceof Lexora)) {
    const { prefillBacklog, inFlight } = member
    return { ...common, prefillBacklog, prefillRate: probedPrefillRate(MODEL, FLAGS), queueWaitMs: 0, inFlight }
  }
  const { gate, queue } = policy
  const { prefillBacklog, prefillRate, inFlight, limit } = gate.state(now)
  const fits = queue.size === 0 && inFlight < limit
  const queueWaitMs = fits ? 0 : (queue.predictWaitMs(job, now) ?? 1000 * (1 + queue.size))
  return { ...common, prefillBacklog, prefillRate, queueWaitMs, inFlight }
}

/** The production rule. */
export const byRule: Router = ({ loads, job }) => Number(chooseBackend(loads(), job.promptEstimate)!.backend)
