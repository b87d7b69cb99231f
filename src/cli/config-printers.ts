import type { ConfigText, ConfigView, ReloadReport, ValidationReport } from '../protocol/config-view.ts'
import type { TlsReport } from '../protocol/tls.ts'
import { plain } from './format.ts'

const WHEN = { now: 'in force', 'engine-restart': 'its engine restarts', restart: 'after a restart of Lexora' }

/** What the commands for the configuration print for people. */
export const CONFIG_PRINTERS = {
  reload: reloadLines,
  setConfig: reloadLines,
  writeConfig: reloadLines,
  undoConfig: reloadLines,
  readTls: tlsLines,
  createCertificate: tlsLines,
  configText: ({ text }: ConfigText): string[] => text.split('\n').map(plain),
  getConfig: ({ path, exists, entries, pendingRestart }: ConfigView): string[] => [
    plain(exists ? path : `${path} (does not exist yet: defaults hold)`),
    ...entries.map(
      ({ path: key, value, source, detail }) =>
        `${plain(key)} = ${plain(JSON.stringify(value))}${source === 'default' ? '' : `   (${source} ${plain(detail)})`}`,
    ),
    ...pendingLines(pendingRestart),
  ],
  validateConfig: ({ ok, issues, notes }: ValidationReport): string[] => [
    ...notes.map((note) => plain(`note: ${note}`)),
    ...issues.map(({ place, path, message }) => plain([place, path ? `${path}: ${message}` : message].join('  '))),
    ok ? 'The configuration is valid.' : 'Nothing would start.',
  ],
}

function tlsLines({ certificate, pendingRestart }: TlsReport): string[] {
  if (certificate === null) return ['Served without TLS. `lexora tls create` makes a certificate for this machine.']
  const { cert, key, names, selfSigned, endsAt, fingerprint } = certificate
  return [
    plain(`certificate  ${cert}`),
    plain(`private key  ${key}`),
    plain(`for          ${names.join(', ')}`),
    `until        ${endsAt.slice(0, 10)}`,
    `SHA-256      ${fingerprint}`,
    ...(pendingRestart ? ['In force after a restart of Lexora.'] : []),
    ...(selfSigned ? ['It signs itself: tell each client to trust that file, and compare the fingerprint.'] : []),
  ]
}

function reloadLines({ changed, pendingRestart, notes }: ReloadReport): string[] {
  if (changed.length === 0 && pendingRestart.length === 0) return ['Nothing has changed.']
  return [
    ...notes.map((note) => plain(`note: ${note}`)),
    ...changed.map(({ path, effect }) => `${plain(path)}: ${WHEN[effect]}`),
    ...pendingLines(pendingRestart),
  ]
}

function pendingLines(pending: readonly string[]): string[] {
  return pending.length === 0 ? [] : [`Waiting for a restart of Lexora: ${pending.map(plain).join(', ')}`]
}
