import type { Config, ResolvedBackend } from '../protocol/config.ts'
import type { Certificate } from './tls.ts'

/** What a configuration means for a Lexora that runs. */
export type AppSettings = {
  config: Config
  backends: readonly ResolvedBackend[]
  defaultBackend: string | null
  engines: Config['engines']
  certificate: Certificate | null
}
