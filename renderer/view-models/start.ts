import type { EngineState } from '../../src/protocol/engine.ts'
import type { EngineStartView } from '../../src/protocol/ui-commands.ts'
import type { MessageKey, Translate } from '../i18n/index.ts'

/** A start's phases in their order, and the step of five that each belongs to: spawn, weights, compile, cache, ready. */
const STEPS = {
  launching: 1,
  configuring: 1,
  'starting engine': 1,
  downloading: 2,
  'loading weights': 2,
  compiling: 3,
  'measuring memory': 4,
  'capturing graphs': 4,
  'warming up': 5,
  'opening port': 5,
} as const

const isPhase = (phase: string): phase is keyof typeof STEPS => Object.hasOwn(STEPS, phase)

export function stepOf(phase: string): number {
  return isPhase(phase) ? STEPS[phase] : 1
}

/** A phase in the window's language; one that is not known, as the engine's log has it. */
export function phaseWords(phase: string, t: Translate): string {
  return isPhase(phase) ? t(`step.${phase}`) : phase
}

/** Classes of failures, by the few words that tell them apart. */
const CAUSES: readonly (readonly [title: MessageKey, classes: readonly string[]])[] = [
  ['cause.vram_busy', ['vram_busy', 'vram_changed']],
  ['cause.ctx_too_big', ['ctx_too_big']],
  ['cause.vram_peak', ['vram_peak', 'oom_gpu']],
  ['cause.too_big', ['weights_too_big', 'cpu_memory']],
  ['cause.port_busy', ['port_busy']],
  ['cause.auth', ['auth']],
  ['cause.model_bad', ['model_bad', 'wrong_model', 'template']],
  ['cause.model_missing', ['model_missing', 'offline', 'hub_limit']],
  ['cause.engine_old', ['engine_old']],
  ['cause.driver', ['driver', 'gpu_missing', 'gpu_lost', 'gpu_fault', 'docker_gpu']],
  ['cause.arch', ['arch', 'attention', 'dtype', 'quantization']],
  ['cause.disk', ['disk', 'permission']],
  ['cause.host', ['oom_host', 'host_limits', 'wsl_memory']],
  ['cause.hang', ['hang', 'stalled', 'start_timeout', 'warm_up']],
  [
    'cause.missing',
    ['not_installed', 'executable_missing', 'environment', 'docker_missing', 'image_missing', 'wsl_missing'],
  ],
  ['cause.setting', ['bad_args', 'bad_env', 'parallel', 'remote_code', 'ipc_path', 'container_name']],
]

/** What kind of failure it is, in the window's language; null where no rule knew it. */
export function causeTitle(failureClass: string, t: Translate): string | null {
  const found = CAUSES.find(([, classes]) => classes.includes(failureClass))
  return found === undefined ? null : t(found[0])
}

export type StartRow = { name: string; from: number; share: number; ms: number }

/** The phases of a start one below the other, as shares of the whole. */
export function startRows({ phases, totalMs }: Pick<EngineStartView, 'phases' | 'totalMs'>): StartRow[] {
  const whole = Math.max(
    totalMs,
    phases.reduce((sum, { ms }) => sum + ms, 0),
    1,
  )
  let at = 0
  return phases.map(({ name, ms }) => {
    const from = at / whole
    at += ms
    return { name, from, share: ms / whole, ms }
  })
}

/**
 * The start that is under way, as far as it was watched: a phase is as long as it was seen. `seen`: what was watched
 * before, of the same start. Null while none is.
 */
export type LiveStart = { engine: string; began: number; phases: { name: string; from: number }[] }

export function watchStart(
  seen: LiveStart | null,
  engine: string,
  state: EngineState,
  upMs: number | null,
  now: number,
): LiveStart | null {
  if (state.is !== 'starting') return null
  const before = seen?.engine === engine ? seen : null
  // It is told anew with every view, with some jitter: what was heard first stands.
  const began = before?.began ?? now - (upMs ?? 0)
  // What passed before anybody looked is not this phase's.
  const first = stepOf(state.phase) === 1 ? [] : [{ name: '', from: began }]
  const phases = before?.phases ?? first
  if (phases.at(-1)?.name === state.phase) return { engine, began, phases }
  return { engine, began, phases: [...phases, { name: state.phase, from: phases.length === 0 ? began : now }] }
}

/** What a start under way looks like at `now`. */
export function liveRows({ began, phases }: LiveStart, leftMs: number | null, now: number): StartRow[] {
  const elapsed = Math.max(1, now - began)
  const whole = elapsed + (leftMs ?? 0)
  return phases.map(({ name, from }, i) => {
    const ms = (phases[i + 1]?.from ?? now) - from
    return { name, from: (from - began) / whole, share: ms / whole, ms }
  })
}
