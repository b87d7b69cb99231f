/** TLS with a certificate of the operator's own, renewed while it runs. */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { certificateNames, makeCertificate } from '../../src/app/certificate.ts'
import { freePort } from '../../src/engine/ports.ts'
import { startFake, until } from '../support/app.ts'
import { aHome, startRun } from '../support/run.ts'
import { inTerminal } from '../support/terminal.ts'

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

/** Whether a client that trusts `ca` alone trusts what is shown there for `localhost`. */
async function trusted(port: number, ca: Buffer): Promise<{ authorized: boolean; fingerprint: string }> {
  return await new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: 'localhost', ca, rejectUnauthorized: false }
    const socket = connect(options, () => {
      resolve({ authorized: socket.authorized, fingerprint: socket.getPeerCertificate().fingerprint256 })
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
    const status = await inTerminal(home, 'status', '--json')
    expect(status.code).toBe(0)
    expect(JSON.parse(status.out).server.address).toMatch(/^https:\/\/localhost:\d+\/v1$/)
    const other = aHome()
    certify(other, 'second')
    for (const file of ['key.pem', 'cert.pem']) copyFileSync(join(other, file), join(home, file))
    await until(() => lexora.log().includes('cause=file'))
    expect(await shown(lexora.port)).toBe('second')
    expect((await inTerminal(home, 'status', '--json')).code).toBe(0)
  })

  test('with another port is in force at once; at the same one it waits for the next start, and is said to', async () => {
    const home = aHome()
    certify(home, 'mine')
    const fake = await startFake()
    const plain = (port: number) => `server: {port: ${port}}\nvllm: {url: "${fake.url}"}\n`
    const lexora = await startRun(plain(0), home)
    const secure = fileOf(home, fake.url)
    writeFileSync(lexora.file, secure)
    expect(await lexora.commands.reload()).toMatchObject({ pendingRestart: ['server.tls'] })
    writeFileSync(lexora.file, plain(0))
    expect(await lexora.commands.reload()).toMatchObject({ pendingRestart: [] })
    const port = await freePort()
    writeFileSync(lexora.file, secure.replace('port: 0', `port: ${port}`))
    expect(await lexora.commands.reload()).toMatchObject({ pendingRestart: [] })
    expect(await shown(port)).toBe('mine')
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

  test('is made here, for this machine and the names asked for, and served from the next start on', async () => {
    const home = aHome()
    const fake = await startFake()
    const text = `# kept\nserver: {port: 0}\nmetrics: {request_log: {enabled: false}}\nvllm: {url: "${fake.url}"}\n`
    const first = await startRun(text, home)
    expect(await first.commands.readTls()).toEqual({ certificate: null, pendingRestart: false })
    const made = await first.commands.createCertificate({ names: 'gpu.example, 192.0.2.7' })
    expect(made).toMatchObject({ certificate: { selfSigned: true }, pendingRestart: true })
    const { names, endsAt, cert, key, fingerprint } = made.certificate!
    expect(names).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', 'gpu.example', '192.0.2.7']))
    expect(Date.parse(endsAt)).toBeGreaterThan(Date.now() + 800 * 86_400_000)
    expect(statSync(key).mode & 0o777).toBe(0o600)
    expect(readdirSync(dirname(cert)).sort()).toEqual(['lexora.crt', 'lexora.key'])
    const written = readFileSync(first.file, 'utf8')
    expect(written).toContain('# kept')
    await first.stop()
    const second = await startRun(written, home)
    expect(await second.commands.readTls()).toEqual({ certificate: made.certificate, pendingRestart: false })
    expect(await trusted(second.port, readFileSync(cert))).toEqual({ authorized: true, fingerprint })
    const again = await second.commands.createCertificate()
    expect(again.certificate!.names).not.toContain('gpu.example')
    expect(again.certificate!.fingerprint).not.toBe(fingerprint)
    const seen = await trusted(second.port, readFileSync(cert))
    expect(seen).toEqual({ authorized: true, fingerprint: again.certificate!.fingerprint })
  })

  test('is refused for a name that is none, and without openssl; nothing is changed then', async () => {
    const fake = await startFake()
    const lexora = await startRun(`server: {port: 0}\nvllm: {url: "${fake.url}"}\n`)
    await expect(lexora.commands.createCertificate({ names: 'a b' })).rejects.toThrow("names: 'a b' is neither")
    expect(await lexora.commands.readTls()).toEqual({ certificate: null, pendingRestart: false })
    const folder = join(aHome(), 'tls')
    await expect(makeCertificate(folder, ['localhost'], { PATH: '' })).rejects.toThrow('openssl is not installed here')
    expect(readdirSync(folder)).toEqual([])
  })

  test('is not made where the file could not name it: the one in force is another source, or the file is broken', async () => {
    const home = aHome()
    certify(home, 'mine')
    const fake = await startFake()
    const text = `server: {port: 0}\nvllm: {url: "${fake.url}"}\n`
    const tls = JSON.stringify({ cert: join(home, 'cert.pem'), key: join(home, 'key.pem') })
    const held = await startRun(text, home, { LEXORA_SERVER__TLS: tls })
    await expect(held.commands.createCertificate()).rejects.toThrow('server.tls is set by LEXORA_SERVER__TLS')
    expect(existsSync(join(home, 'tls'))).toBe(false)
    const broken = await startRun(text)
    writeFileSync(broken.file, 'server: {prot: 1}\n')
    await expect(broken.commands.createCertificate()).rejects.toThrow('server.prot')
    expect(existsSync(join(broken.home, 'tls'))).toBe(false)
  })
})

test('a certificate is for names and addresses, and for no more than are given or this machine has', () => {
  const machine = { hostname: 'box', interfaces: { eth0: [{ address: '10.0.0.5' }, { address: 'fe80::1' }] } as never }
  const own = ['localhost', 'box', 'box.local', '127.0.0.1', '::1', '10.0.0.5']
  expect(certificateNames('', machine)).toEqual(own)
  expect(certificateNames('*.example.com, localhost,', machine)).toEqual([...own, '*.example.com'])
  expect(certificateNames('', { ...machine, hostname: 'box.lan' })).not.toContain('box.lan.local')
  for (const bad of ['-a', 'a\nb', 'a;IP:1.2.3.4', 'x'.repeat(64), 'https://a', '*'])
    expect(certificateNames(bad, machine)).toContain('is neither a host name nor an address')
  const many = Array.from({ length: 101 }, (_, i) => `h${i}`).join()
  expect(certificateNames(many, machine)).toBe('more than 100 names')
})
