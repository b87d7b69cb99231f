import type { EngineFailure } from '../../src/protocol/engine.ts'
import type { Translate } from '../i18n/index.ts'

export type Remedy = { changes: { path: string; value: string | number | boolean | null }[]; words: string }

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
