import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { say } from '../protocol/sentence.ts'
import type { CertificateView } from '../protocol/tls.ts'

/** Apple's systems trust none that is valid for longer. */
const VALID_DAYS = 825
const MADE_WITHIN_MS = 20_000
const MOST_NAMES = 100
const DNS_NAME = /^(?=.{1,253}$)(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

export type CertificateFiles = { cert: string; key: string }

/** The names to make one for: those asked for after those of the machine. A text says which of them is none. */
export function certificateNames(
  asked: string,
  machine: { hostname: string; interfaces: ReturnType<typeof networkInterfaces> },
): string[] | string {
  const given = asked
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const bad = given.find((name) => !isName(name))
  if (bad !== undefined) return `'${bad.slice(0, 80)}' is neither a host name nor an address`
  const addresses = Object.values(machine.interfaces)
    .flatMap((all) => all ?? [])
    .filter(({ address }) => !address.startsWith('fe80'))
    .map(({ address }) => address)
  // What multicast DNS calls it in the network.
  const inNetwork = machine.hostname.includes('.') ? [] : [`${machine.hostname}.local`]
  const own = ['localhost', machine.hostname, ...inNetwork, '127.0.0.1', '::1', ...addresses]
  const names = [...new Set([...own.filter(isName), ...given])]
  return names.length > MOST_NAMES ? `more than ${MOST_NAMES} names` : names
}

const isName = (name: string): boolean => isIP(name) !== 0 || DNS_NAME.test(name)

/**
 * Makes a key and a certificate that signs itself, by the system's openssl, in place of those that were made here
 * before. Rejects with a reason for people; then nothing has changed.
 */
export async function makeCertificate(
  folder: string,
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<CertificateFiles> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = mkdtempSync(join(folder, 'new-'))
  const made = { cert: join(draft, 'lexora.crt'), key: join(draft, 'lexora.key') }
  try {
    const request = join(draft, 'request.cnf')
    writeFileSync(request, requestOf(names))
    const what = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256']
    await openssl(
      ['req', ...what, '-days', `${VALID_DAYS}`, '-config', request, '-keyout', made.key, '-out', made.cert],
      env,
    )
    chmodSync(made.key, 0o600)
    const kept = { cert: join(folder, 'lexora.crt'), key: join(folder, 'lexora.key') }
    renameSync(made.key, kept.key)
    renameSync(made.cert, kept.cert)
    return kept
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** For nothing but serving under these names: nobody can sign others with it. */
function requestOf(names: readonly string[]): string {
  const alternatives = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',')
  return `[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
CN = Lexora
O = ${names.find((name) => isIP(name) === 0 && name !== 'localhost') ?? 'localhost'}
[extensions]
subjectAltName = ${alternatives}
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
`
}

async function openssl(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = { env, timeout: MADE_WITHIN_MS, windowsHide: true }
    execFile('openssl', [...args], options, (error, _, stderr) => {
      if (error === null) return resolve()
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      const why = stderr.trim().split('\n').at(-1) ?? error.message
      reject(
        new Error(
          isMissing
            ? say('openssl is not installed here: install it, or set server.tls to a certificate of your own')
            : say`openssl made no certificate: ${why}`,
        ),
      )
    })
  })
}

/** What a certificate says of itself. */
export function describeCertificate(pem: string, files: CertificateFiles): CertificateView {
  const read = new X509Certificate(pem)
  const alternatives = read.subjectAltName?.split(', ') ?? []
  return {
    ...files,
    names: alternatives.map((name) => name.replace(/^(DNS|IP Address):/, '')),
    selfSigned: read.checkIssued(read),
    endsAt: read.validToDate.toISOString(),
    fingerprint: read.fingerprint256,
  }
}
