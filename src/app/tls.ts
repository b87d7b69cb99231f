import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config } from '../protocol/config.ts'

/** PEM texts. */
export type Certificate = { cert: string; key: string }

/** The certificate that `server.tls` names; null where it names none. What is wrong with it is a value. */
export function readCertificate({ server: { tls } }: Config): Certificate | null | { path: string; message: string } {
  if (tls === null) return null
  const pem: Certificate = { cert: '', key: '' }
  for (const part of ['cert', 'key'] as const) {
    try {
      pem[part] = readFileSync(tls[part], 'utf8')
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
      return { path: `server.tls.${part}`, message: `the file ${tls[part]} cannot be read (${code})` }
    }
  }
  try {
    createSecureContext(pem)
    return pem
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return { path: 'server.tls', message: `cert and key are no PEM certificate and its own private key (${why})` }
  }
}
