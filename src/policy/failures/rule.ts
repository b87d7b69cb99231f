import type { EngineFailure } from '../../protocol/engine.ts'
import { say } from '../../protocol/sentence.ts'

/** What the engine was started with, as far as it is known: computed values are better with it. */
export type Settings = {
  port?: number
  model?: string
  /** `args` of the engine's configuration. */
  args?: Readonly<Record<string, unknown>>
}

/** `class`, `canHeal`: where the words alone do not tell it. */
export type Told = Pick<EngineFailure, 'cause' | 'fix'> & Partial<Pick<EngineFailure, 'class' | 'change' | 'canHeal'>>
type Beside = { settings: Settings; log: readonly string[]; serves: boolean }

/** One cause by its own words. `change` names keys of the engine's configuration, with dots; null takes one away. */
export type Rule = {
  class: string
  match: RegExp
  /** Trying again may work though nothing was changed. */
  canHeal?: boolean
  /** It ends a whole engine that serves, not only one request. */
  whileServing?: boolean
  explain: (found: RegExpExecArray, beside: Beside) => Told
}

export const says =
  (cause: string, fix: string | null, change: EngineFailure['change'] = null) =>
  (): Told => ({ cause, fix, change })

/** A setting of `args`, however it is spelled. */
export function given({ args = {} }: Settings, name: string): unknown {
  return args[name] ?? args[name.replaceAll('-', '_')]
}

/** The name of a flag in `args`. */
export function keyOf(flag: string): string {
  return flag.replace(/^-+/, '').replace(/=.*$/, '').replaceAll('_', '-')
}

/** A flag taken away again, where it is one of those that the configuration has. */
export function without(flag: string, { args }: Settings): Pick<Told, 'fix' | 'change'> {
  const key = keyOf(flag)
  const has = args === undefined || given({ args }, key) !== undefined
  return { fix: say`Remove ${key} from \`args\`.`, change: has ? { [`args.${key}`]: null } : null }
}
