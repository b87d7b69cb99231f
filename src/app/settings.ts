import { resolveBackends } from '../config/backends.ts'
import type { Environment } from '../config/environment.ts'
import type { Issue } from '../config/issues.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type Config, engineSchema } from '../protocol/config.ts'
import type { AppSettings } from './app-settings.ts'
import { readCertificate } from './tls.ts'

export const DEMO = 'demo'

export type Settings =
  /** `demo`: nothing else was configured. */
  { ok: true; settings: AppSettings; notes: string[]; demo: boolean } | { ok: false; issues: Issue[] }

/** What a configuration means here and now: keys from the environment, certificates from their files. `engine`: of `--engine`. */
export function settingsOf(loaded: LoadedConfig, env: Environment, engine: string | null): Settings {
  const { config } = loaded
  const resolved = resolveBackends(loaded, env)
  if (resolved.issues.length > 0) return { ok: false, issues: resolved.issues }
  const certificate = readCertificate(config)
  if (certificate !== null && 'message' in certificate) {
    return { ok: false, issues: [issueAt(loaded, certificate.path, certificate.message)] }
  }
  const demo = engine === DEMO || (!resolved.configured && engine !== 'none')
  const engines = engineConfigs(demo ? withDemo(config.engines) : config.engines, engine)
  const { backends, defaultBackend, blocked, notes } = resolved
  return { ok: true, settings: { config, backends, defaultBackend, blocked, engines, certificate }, notes, demo }
}

export function issueAt({ explain }: LoadedConfig, path: string, message: string): Issue {
  const said = explain(path)
  const isDefault = said === undefined || said.from === 'default'
  return { path, message, source: said?.from ?? 'default', place: isDefault ? '' : said.detail }
}

/** The demo engine beside what is configured: supervised like any other, it starts at once. */
function withDemo(engines: Config['engines']): Config['engines'] {
  return { ...engines, [DEMO]: engineSchema.parse({ kind: 'demo', port: 0, autostart: true }) }
}

/** `--engine NAME` starts that one, `none` none of them, `demo` the built-in one alone. */
function engineConfigs(engines: Config['engines'], asked: string | null): Config['engines'] {
  if (asked === null) return engines
  if (asked === 'none') return {}
  if (asked === DEMO) return { [DEMO]: engines[DEMO]! }
  const named = engines[asked]
  return named === undefined ? engines : { ...engines, [asked]: { ...named, autostart: true } }
}
