import { type Problem, problem } from '../protocol/errors.ts'
import { nearestNames } from '../protocol/nearest-name.ts'
import { say } from '../protocol/sentence.ts'
import { type Arm, armOf, unitHash } from './choose-backend.ts'

/** What routing needs to know of a backend, taken from the registry at the moment of the request. */
export type BackendView = {
  name: string
  /** Names a client may ask for here: the configured list, what it maps, and what it reported. */
  models: ReadonlySet<string>
  modelMapping: ReadonlyMap<string, string>
  /** What it answers with as a fallback, whatever was asked for; null: with the model that was. */
  soleModel: string | null
  fallbackBackends: readonly string[]
  /** False while its breaker is open, its probe fails, or it asked us to wait. */
  usable: boolean
  /** False for a backend without a configured list that has not told its models yet. */
  modelsKnown: boolean
  inFlight: number
  /** Somebody else's computer: only for users who may send their text there. */
  remote: boolean
  /** Its tokens of this day are used up. */
  spent: boolean
}

/** `unit`: what an A/B split keeps together: the session, else the user, else the key (scheduling.md 3.2). */
export type Asked = { model: string | null; task: string | null; unit: string; allowRemote: boolean }

export type RouteTable = {
  /** A list is a sticky split by weight. */
  aliases: ReadonlyMap<string, string | readonly Arm[]>
  tasks: ReadonlyMap<string, { primary: string; fallback: readonly string[] }>
  defaultBackend: string | null
  defaultModel: string | null
  /** What to say while there is no backend at all: an engine that is still loading, for instance. */
  absence?: Problem
  /** Backends on other computers are left out. */
  offline?: boolean
  /** Backends that are left out because their place is blocked. */
  blocked?: readonly string[]
}

export type Candidate = {
  backend: string
  /** The name to send; equal to the requested one where nothing is mapped. */
  model: string | null
  role: 'peer' | 'fallback'
}

/** `model` is the resolved name, for headers, metrics and the log. */
export type Route = { ok: true; model: string; candidates: Candidate[] } | { ok: false; problem: Problem }

/**
 * Model → ordered candidates, each backend at most once: alias → backends that have the model (usable first, least
 * busy first) → the default backend → the first one's fallbacks. Deterministic for equal input.
 */
export function planRoute(asked: Asked, all: readonly BackendView[], table: RouteTable): Route {
  const names = namesFor(asked, table)
  if (!names.ok) return names
  const backends = all.some((view) => view.remote || view.spent) ? all.filter((view) => isOpenTo(asked, view)) : all
  const candidates: Candidate[] = []
  for (const name of names.models) addCandidates(candidates, name, backends, table)
  const model = names.models[0]
  if (candidates.length > 0) return { ok: true, model: model ?? '', candidates: usableFirst(candidates, backends) }
  if (backends.length < all.length) {
    const closed = closedTo(asked, names.models, all, table)
    if (closed !== null) return { ok: false, problem: closed }
  }
  if (model === undefined) return missingModel(backends, table)
  return unknownModel(model, backends, table)
}

type Names = { ok: true; models: string[] } | { ok: false; problem: Problem }

function namesFor(asked: Asked, table: RouteTable): Names {
  if (asked.task !== null) {
    const task = table.tasks.get(asked.task)
    if (task === undefined) {
      const near = nearestNames(asked.task, table.tasks.keys())
      const hint = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''
      return {
        ok: false,
        problem: problem('invalid_request', `Unknown task '${printable(asked.task)}'.${hint}`, {
          param: 'x-lexora-task',
        }),
      }
    }
    return { ok: true, models: [task.primary, ...task.fallback].map((name) => dealias(name, asked, table)) }
  }
  const name = asked.model ?? table.defaultModel
  return { ok: true, models: name === null ? [] : [dealias(name, asked, table)] }
}

function dealias(name: string, { unit }: Asked, table: RouteTable): string {
  const to = table.aliases.get(name) ?? name
  return typeof to === 'string' ? to : (armOf(to, unitHash(name, unit)) ?? name)
}

function isOpenTo({ allowRemote }: Asked, { remote, spent }: BackendView): boolean {
  return !spent && (allowRemote || !remote)
}

/** Why nobody who may be asked serves the model, where somebody does who may not be asked. */
function closedTo(
  { allowRemote }: Asked,
  models: readonly string[],
  all: readonly BackendView[],
  { defaultBackend }: RouteTable,
): Problem | null {
  const serving = all.filter((view) => view.name === defaultBackend || models.some((model) => view.models.has(model)))
  if (serving.length === 0) return null
  if (serving.every(({ remote }) => remote && !allowRemote)) {
    const message = say('Only a remote backend serves this model, and this user may not send anything there.')
    return problem('permission_denied', message, { param: 'model' })
  }
  return problem('overloaded', say('The tokens of this day are used up where this model is served.'), {
    param: 'model',
    retryAfterMs: SPENT_RETRY_MS,
  })
}

/** Days are long: an hour is soon enough to ask again. */
const SPENT_RETRY_MS = 3_600_000

function addCandidates(into: Candidate[], model: string, backends: readonly BackendView[], table: RouteTable): void {
  const add = (view: BackendView | undefined, role: Candidate['role']): void => {
    if (view === undefined || into.some(({ backend }) => backend === view.name)) return
    const own = view.models.has(model) ? null : view.soleModel
    into.push({ backend: view.name, model: view.modelMapping.get(model) ?? own ?? model, role })
  }
  const first = into.length === 0
  const peers = backends.filter((view) => view.models.has(model))
  if (peers.length > 1) peers.sort((a, b) => a.inFlight - b.inFlight)
  if (peers.length === 0 && first) peers.push(...backends.filter(({ name }) => name === table.defaultBackend))
  for (const view of peers) add(view, first ? 'peer' : 'fallback')
  for (const peer of peers) {
    for (const name of peer.fallbackBackends)
      add(
        backends.find((view) => view.name === name),
        'fallback',
      )
  }
}

/** Unusable candidates are dropped while a usable one is left; when none is, the first are tried all the same. */
function usableFirst(candidates: Candidate[], backends: readonly BackendView[]): Candidate[] {
  if (candidates.length === 1 || backends.every((view) => view.usable)) return candidates
  const usable = new Set(backends.filter((view) => view.usable).map(({ name }) => name))
  const kept = candidates.filter(({ backend }) => usable.has(backend))
  return kept.length > 0 ? kept : candidates
}

function missingModel(backends: readonly BackendView[], table: RouteTable): Route {
  const fallback = backends.find(({ name }) => name === table.defaultBackend)
  // vLLM answers without a model name too: its one model.
  if (fallback !== undefined) {
    return { ok: true, model: '', candidates: [{ backend: fallback.name, model: null, role: 'peer' }] }
  }
  if (backends.length === 0) return noBackend(table)
  const known = listModels(backends, table)
  return {
    ok: false,
    problem: problem('invalid_request', `${say('Name a model.')} ${servedHere(known, 'none yet')}`, { param: 'model' }),
  }
}

function unknownModel(model: string, backends: readonly BackendView[], table: RouteTable): Route {
  if (backends.length === 0) return noBackend(table)
  const silent = backends.filter((view) => !view.modelsKnown).map(({ name }) => name)
  if (silent.length > 0) {
    const message = say`No backend is known to serve '${printable(model)}', and ${silent.join(', ')} has not told its models yet.`
    return { ok: false, problem: problem('no_backend', message, { param: 'model', retryAfterMs: 2000 }) }
  }
  const names = listModels(backends, table)
  const near = nearestNames(model, names).join(' or ')
  const refused = (message: string): Route => ({
    ok: false,
    problem: problem('model_not_found', message, { param: 'model' }),
  })
  const name = printable(model)
  const isPlain = !table.offline && !table.blocked?.length
  if (isPlain && near !== '') return refused(say`The model '${name}' does not exist. Did you mean ${near}?`)
  const missing = isPlain
    ? say`The model '${name}' does not exist.`
    : table.offline
      ? say`The model '${name}' does not exist on this computer, and Lexora works offline.`
      : `The model '${name}' does not exist, and ${blockedWords(table.blocked!)}.`
  return refused(`${missing} ${near === '' ? servedHere(names, 'none') : `Did you mean ${near}?`}`)
}

function noBackend({ absence, offline, blocked = [] }: RouteTable): Route {
  if (absence !== undefined) return { ok: false, problem: absence }
  const message = offline
    ? say('No backend is on this computer, and Lexora works offline.')
    : blocked.length > 0
      ? `No backend is left: ${blockedWords(blocked)}.`
      : say('No backend is configured.')
  return { ok: false, problem: problem('no_backend', message, { retryAfterMs: 5000 }) }
}

/** Which backends are blocked, and how an operator lets them in again. */
function blockedWords(blocked: readonly string[]): string {
  const [only] = blocked
  return blocked.length === 1
    ? `the backend ${only} is blocked (privacy.blocked; lifted by lexora outbound allow)`
    : `the backends ${blocked.join(', ')} are blocked (privacy.blocked; lifted by lexora outbound allow)`
}

function servedHere(models: readonly string[], none: string): string {
  return models.length === 0 ? `Served here: ${none}.` : say`Served here: ${models.slice(0, 5).join(', ')}.`
}

function listModels(backends: readonly BackendView[], table: RouteTable): string[] {
  return [...new Set([...table.aliases.keys(), ...backends.flatMap((view) => [...view.models])])]
}

/** Request text inside a message: bounded and without control characters. */
function printable(text: string): string {
  return text.slice(0, 100).replace(/[\p{Cc}\p{Cf}]/gu, '\u{FFFD}')
}
