/** TLS with a certificate of the operator's own, renewed while it runs. */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/main.ts'
import { startFake, until } from '../support/app.ts'
import { aHome, startRun } from '../support/run.ts'

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined

function certify(folder: string, name: string): void {
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const what = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2', '-subj', `/CN=${name}`]
  execFileSync('openssl', ['req', '-x509', '-nodes', ...what, ...files], { stdio: 'ignore' })
}

/** Whose certificate is shown. */
async function shown(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

describe.skipIf(!hasOpenssl)('server.tls', () => {
  const fileOf = (home: string, url: string) =>
    `server: {port: 0, tls: {cert: ${home}/cert.pem, key: ${home}/key.pem}}
metrics: {request_log: {enabled: false}}
vllm: {url: "${url}"}
`

  test('is served, found by the CLI through its run file, and renewed when its files change', async () => {
    const home = aHome()
    certify(home, 'first')
    const fake = await startFake()
    const lexora = await startRun(fileOf(home, fake.url), home)
    expect(lexora.url).toMatch(/^https:/)
    expect(await shown(lexora.port)).toBe('first')
    let out = ''
    const write = (text: string): void => {
      out += text
    }
    const world = {
      env: { LEXORA_HOME: home },
      cwd: home,
      home,
      platform: process.platform,
      out: write,
      err: write,
      terminal: () => null,
      colour: false,
      errColumns: () => null,
      untilStopped: () => new AbortController().signal,
    }
    expect(await runCommand(['status', '--json'], world as never)).toBe(0)
    expect(JSON.parse(out).server.address).toMatch(/^https:\/\/localhost:\d+\/v1$/)
    const other = aHome()
    certify(other, 'second')
    for (const file of ['key.pem', 'cert.pem']) copyFileSync(join(other, file), join(home, file))
    await until(() => lexora.log().includes('cause=file'))
    expect(await shown(lexora.port)).toBe('second')
    out = ''
    expect(await runCommand(['status', '--json'], world as never)).toBe(0)
  })

  test('that does not fit is refused with its reason, at a start and at a reload', async () => {
    const home = aHome()
    certify(home, 'mine')
    const fake = await startFake()
    const lexora = await startRun(fileOf(home, fake.url), home)
    writeFileSync(join(home, 'key.pem'), 'no key')
    await expect(lexora.commands.reload()).rejects.toThrow('server.tls')
    expect(await shown(lexora.port)).toBe('mine')
    await expect(startRun(fileOf('/nowhere', fake.url))).rejects.toThrow(
      /exit code 78: [\s\S]*cannot be read \(ENOENT\)/,
    )
  })
})
