import type { Config, ResolvedBackend } from '../protocol/config.ts'
import type { Certificate } from './tls.ts'

/** What a configuration means for a Lexora that runs. */
export type AppSettings = {
  config: Config
  backends: readonly ResolvedBackend[]
  defaultBackend: string | null
  /** Backends that are left out by `privacy.blocked`. Left out: none. */
  blocked?: readonly string[]
  engines: Config['engines']
  certificate: Certificate | null
}
