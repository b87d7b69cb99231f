import type { EngineStanding } from '../backends/engine-handle.ts'
import type { Band } from '../policy/band-shares.ts'
import { type BackendLoad, chooseBackend } from '../policy/choose-backend.ts'
import { BLOCK_BYTES, blockHashes, type PrefixIndex, textHash } from '../policy/prefix-index.ts'
import type { Candidate } from '../policy/route.ts'
import type { Problem } from '../protocol/errors.ts'
import type { Usage } from '../wire/usage.ts'
import type { BackendQueue, PermitSink, Ticket } from './backend-queue.ts'
import type { Queues } from './queues.ts'
import type { Forecast } from './token-forecast.ts'

/** What decides about a request's turn. `user` and `app` name its flow. */
export type TurnFacts = {
  requestId: string
  band: Band
  user: string
  app: string
  weight: number
  model: string
  /** Whom statistics name. */
  named: string | null
  forecast: Forecast
  maxTokens: number | null
  body: Buffer
  /** Where the conversation stands in the body; null: nothing is known of it. */
  text: { start: number; end: number } | null
  session: string | null
  streams: boolean
}

/** How long it may wait: in the queue, and for an engine that is on its way. Milliseconds. */
export type Patience = { queueMs: number; engineMs: number }

/** Told when the request may run at the backend it asked for, or that it may not. */
export type TurnOwner = {
  onTurn(waitedMs: number): void
  onRefused(told: Problem, waitedMs: number): void
}

const NO_HASHES = new Uint32Array(0)

/** One request's way to a backend: which one, when, and what its permit is told while it runs. */
export class Turn implements PermitSink {
  private readonly queues: Queues
  private readonly facts: TurnFacts
  private readonly owner: TurnOwner
  private ticket: Ticket | null = null
  /** Of the conversation's beginning; made once, where anybody needs them. */
  private hashes: Uint32Array | null = null
  /** Where they are held, and how many of them were thought to be there already. */
  private held: { index: PrefixIndex; claimed: number } | null = null

  constructor(queues: Queues, facts: TurnFacts, owner: TurnOwner) {
    this.queues = queues
    this.facts = facts
    this.owner = owner
  }

  /** Of the answer so far; null: no stream has begun. */
  get tokens(): number | null {
    const { ticket } = this
    return ticket === null || ticket.streamedBytes === 0 ? null : ticket.queue.tokensOf(ticket)
  }

  get isWaiting(): boolean {
    return this.ticket !== null && this.ticket.permit === null
  }

  /** Of several backends that list the model, the one with the least estimated time to first token. */
  choose(peers: readonly Candidate[], now: number): Candidate {
    if (peers.length === 1) return peers[0]!
    const loads = peers.map(({ backend }) => this.loadOf(this.queues.of(backend), now))
    const choice = chooseBackend(loads, this.facts.forecast.promptTokens)
    return peers.find(({ backend }) => backend === choice?.backend) ?? peers[0]!
  }

  /** Asks for a permit, which may come before this returns. A problem: there is no room even to wait. */
  ask({ backend }: Candidate, patience: Patience, now: number): Problem | null {
    const { facts } = this
    const queue = this.queues.of(backend)
    const { promptTokens, meanAnswer, sdAnswer } = facts.forecast
    const entered = queue.enter(
      {
        requestId: facts.requestId,
        user: facts.user,
        app: facts.app,
        weight: facts.weight,
        model: facts.model,
        named: facts.named,
        load: {
          band: facts.band,
          promptTokens,
          uncachedTokens: queue.weighsTokens ? promptTokens - this.cachedTokens(queue) : promptTokens,
          meanAnswer,
          sdAnswer,
          maxTokens: facts.maxTokens,
        },
        bytes: facts.body.length,
        deadline: now + patience.queueMs,
        lastDeadline: now + patience.engineMs,
        streams: facts.streams,
      },
      this,
      now,
    )
    if (!entered.ok) return entered.problem
    // It may have run, and ended, already.
    if (!entered.ticket.over) this.ticket = entered.ticket
    return null
  }

  onPermit(ticket: Ticket, waitedMs: number): void {
    this.ticket = ticket
    if (this.hashes !== null) this.hold(ticket.queue.prefixes, this.hashes)
    this.owner.onTurn(waitedMs)
  }

  onRefused(told: Problem, waitedMs: number): void {
    this.ticket = null
    this.owner.onRefused(told, waitedMs)
  }

  firstToken(now: number): void {
    this.ticket?.queue.firstToken(this.ticket, now)
  }

  streamed(bytes: number): void {
    this.ticket?.queue.streamed(this.ticket, bytes)
  }

  /** Out of the queue, or of flight. `ran`: it has cost the engine something; `aborted`: cut off before its end. */
  end(usage: Usage | null, ran: boolean, aborted: boolean, now: number): void {
    const { ticket } = this
    if (ticket === null) return
    this.ticket = null
    this.letGo(usage)
    ticket.queue.leave(ticket, usage, ran, aborted, now)
  }

  /** The conversation goes into the engine's cache now. */
  private hold(index: PrefixIndex, hashes: Uint32Array): void {
    this.held = { index, claimed: index.known(this.blocksOf(hashes)) }
    index.hold(hashes)
  }

  private letGo(usage: Usage | null): void {
    const { held, hashes } = this
    if (held === null || hashes === null) return
    this.held = null
    held.index.free(hashes)
    if (usage?.cached == null || usage.prompt === null || usage.prompt === 0) return
    held.index.learn(held.claimed, Math.floor((usage.cached / usage.prompt) * this.blocksOf(hashes).length))
  }

  /** Without the hash of the session, which is no block. */
  private blocksOf(hashes: Uint32Array): Uint32Array {
    return this.facts.session === null ? hashes : hashes.subarray(1)
  }

  /** For the comments of a stream that waits. */
  describe(): string {
    if (this.ticket === null || !this.isWaiting) return 'waiting'
    const { place, of } = this.ticket.queue.placeOf(this.ticket)
    return place === 0 ? 'waiting' : `waiting, place ${place} of ${of}`
  }

  private loadOf(queue: BackendQueue, now: number): BackendLoad {
    const { band, user, app, weight } = this.facts
    const { prefillBacklog, prefillRate, inFlight, kvUse } = queue.state(now)
    return {
      backend: queue.backend.name,
      prefillBacklog,
      prefillRate,
      cachedTokens: this.cachedTokens(queue),
      queueWaitMs: queue.predictWaitMs({ band, user, app, weight }, now),
      inFlight,
      weight: queue.backend.options.weight,
      swapMs: swapMs(queue.backend.engine?.standing()),
      kvUse,
    }
  }

  /** Of its prompt, what the backend has seen lately: by its text, or by the session that the client names. */
  private cachedTokens({ prefixes }: BackendQueue): number {
    const { text, session, forecast } = this.facts
    this.hashes ??= this.makeHashes()
    if (this.hashes.length === 0) return 0
    const known = prefixes.known(this.blocksOf(this.hashes))
    if (text === null) return 0
    const share = (known * BLOCK_BYTES) / Math.max(1, text.end - text.start)
    const sessionTokens =
      session !== null && prefixes.known(this.hashes.subarray(0, 1)) === 1 ? forecast.promptTokens / 2 : 0
    return Math.min(forecast.promptTokens, Math.max(sessionTokens, Math.floor(share * forecast.promptTokens)))
  }

  /** The session's own hash first, where there is one. */
  private makeHashes(): Uint32Array {
    const { body, text, model, session } = this.facts
    const blocks = text === null ? NO_HASHES : blockHashes(body, text.start, text.end, model)
    return session === null ? blocks : Uint32Array.of(textHash(`session ${session}`), ...blocks)
  }
}

/** What an engine that is not there yet adds; where nobody knows, a start takes about a minute. */
function swapMs(standing: EngineStanding | undefined): number {
  if (standing === undefined || standing.is === 'serving') return 0
  return standing.is === 'unavailable' ? Number.POSITIVE_INFINITY : (standing.leftMs ?? 60_000)
}
