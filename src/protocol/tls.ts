import { z } from 'zod'
import { row } from './command-row.ts'
import { say } from './sentence.ts'

/** What clients are shown. */
export type CertificateView = {
  /** Where it is read from, and its private key. */
  cert: string
  key: string
  /** Whom it is for. */
  names: string[]
  /** Nobody but itself vouches for it: each client must be told to trust it. */
  selfSigned: boolean
  /** ISO 8601. */
  endsAt: string
  /** SHA-256, in pairs of digits with colons between them. */
  fingerprint: string
}

/** `pendingRestart`: not shown yet, but from the next start of Lexora on. */
export type TlsReport = { certificate: CertificateView | null; pendingRestart: boolean }

const MOST_NAMES_LENGTH = 2000

export const TLS_COMMANDS = {
  readTls: row<TlsReport>()({
    method: 'GET',
    path: '/admin/tls',
    cli: ['tls'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the certificate that clients are shown, for whom it is and until when',
  }),
  createCertificate: row<TlsReport>()({
    method: 'POST',
    path: '/admin/tls/create',
    cli: ['tls', 'create'],
    scope: 'admin:write',
    args: z.strictObject({
      names: z.string(say('is not text')).max(MOST_NAMES_LENGTH, say('is too long')).optional(),
    }),
    about: 'make a certificate for this machine that signs itself, and serve https with it from the next start on',
    answersWithinMs: 120_000,
  }),
} as const
