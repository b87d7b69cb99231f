import { type EngineFailure, type EngineView, isComing } from '../../src/protocol/engine.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import type { Translate } from '../i18n/index.ts'

export type Remedy = { changes: { path: string; value: unknown }[]; words: string }

/** What Lexora computed as the mend of a failure, for a button; null: there is none. A setting without a value is removed. */
export function remedyOf(engine: string, failure: Pick<EngineFailure, 'change'> | null, t: Translate): Remedy | null {
  const entries = Object.entries(failure?.change ?? {})
  const [first] = entries
  if (first === undefined) return null
  const changes = entries.map(([setting, value]) => ({ path: `engines.${engine}.${setting}`, value }))
  const [setting, value] = first
  if (entries.length > 1) return { changes, words: t('fail.applyAll', { count: entries.length }) }
  if (value === null) return { changes, words: t('fail.applyWithout', { setting }) }
  return { changes, words: t('fail.apply', { setting, value: String(value) }) }
}

/** What a button of the trouble panel does. */
export type TroubleVerb =
  | { do: 'change'; remedy: Remedy }
  | { do: 'licence'; url: string }
  | {
      do:
        | 'start'
        | 'holders'
        | 'log'
        | 'free-port'
        | 'adopt'
        | 'install'
        | 'versions'
        | 'files'
        | 'data'
        | 'diagnostics'
    }

/** The classes whose remedy Lexora has a place or a command for (reference/desktop.md 4.5). */
const BY_CLASS: Record<string, TroubleVerb['do']> = {
  model_bad: 'files',
  model_missing: 'files',
  wrong_model: 'files',
  engine_old: 'versions',
  arch: 'versions',
  environment: 'versions',
  disk: 'data',
  hang: 'diagnostics',
  stalled: 'diagnostics',
  driver: 'diagnostics',
  gpu_missing: 'diagnostics',
  gpu_lost: 'diagnostics',
  gpu_fault: 'diagnostics',
}

const OF_MEMORY = /vram|memory|kv|ctx|weights|oom_gpu/

/**
 * At most two things to do about an engine that cannot run, the better one first. `first`: it stands out, which what
 * would fail the same way again does not.
 */
export function troubleVerbs(
  { name, kind, state }: Pick<EngineView, 'name' | 'kind' | 'state'>,
  t: Translate,
): { verbs: TroubleVerb[]; first: boolean } {
  if (state.is === 'foreign') {
    const speaks = (state.holder.models ?? []).length > 0
    return { verbs: [{ do: 'free-port' }, { do: speaks ? 'adopt' : 'start' }], first: true }
  }
  const failure = 'failure' in state ? state.failure : null
  const remedy = remedyOf(name, failure, t)
  const kindOf = failure?.class ?? ''
  const url = linkPieces(failure?.fix ?? '').find(({ url }) => url !== null)?.url ?? null
  const special: TroubleVerb | null =
    remedy !== null
      ? { do: 'change', remedy }
      : kindOf === 'auth' && url !== null
        ? { do: 'licence', url }
        : state.is === 'not-installed' && kind === 'vllm'
          ? { do: 'install' }
          : BY_CLASS[kindOf] !== undefined
            ? ({ do: BY_CLASS[kindOf] } as TroubleVerb)
            : null
  const look: TroubleVerb = { do: OF_MEMORY.test(kindOf) ? 'holders' : 'log' }
  const again: TroubleVerb = { do: 'start' }
  if (special === null) return { verbs: [again, look], first: state.is === 'backoff' || failure?.canHeal === true }
  return { verbs: [special, special.do === 'change' ? look : again], first: true }
}

/** A text in which addresses are to be links. */
export function linkPieces(text: string): { text: string; url: string | null }[] {
  return text
    .split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:)])/)
    .flatMap((piece, i) => (piece === '' ? [] : [{ text: piece, url: i % 2 === 1 ? piece : null }]))
}

/** A port beside the one that is taken, the nearest first. */
export function portsToTry(taken: number): number[] {
  return Array.from({ length: 20 }, (_, i) => taken + 1 + i).filter((port) => port < 65_536)
}

/** What makes of a server that holds an engine's port a backend; null: it would put another one out of use. */
export function adoption(
  port: number,
  config: readonly { path: string; value: unknown; source: string }[],
): Remedy['changes'] | null {
  const entry = (path: string) => config.find((one) => one.path === path)
  const isRouted = entry('routing.enabled')?.value === true
  if (!isRouted && config.some(({ path, source }) => path.startsWith('vllm.') && source !== 'default')) return null
  const value = { type: 'openai_compatible', url: `http://127.0.0.1:${port}` }
  return [
    { path: `routing.backends.port-${port}`, value },
    ...(isRouted ? [] : [{ path: 'routing.enabled', value: true }]),
  ]
}

/** What callers of a model get while its engine cannot run. */
export function callersSay(
  { name, model, state }: EngineView,
  { models, backends }: Pick<AppSnapshot, 'models' | 'backends'>,
  t: Translate,
): string {
  const shown = model ?? name
  const entry = models.find(({ id }) => id === model)
  const others = entry?.backends.filter((backend) => backend !== name) ?? []
  if (entry?.state === 'ready' && others.length > 0)
    return t('fail.callersServed', { model: shown, backends: others.join(', ') })
  if (!isComing(state)) {
    const own = backends.find((backend) => backend.name === name)?.fallbacks ?? []
    const serving = backends.filter(({ status, breaker }) => status !== 'down' && breaker !== 'open')
    const stand = own.filter((fallback) => serving.some((backend) => backend.name === fallback))
    if (stand.length > 0) return t('fail.callersServed', { model: shown, backends: stand.join(', ') })
  }
  return isComing(state) ? t('fail.callersWait') : t('fail.callers', { model: shown })
}
