/** What goes to somebody who is to help: enough to help, and no secret. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { writeBundle } from '../../src/cli/bundle.ts'
import { zip } from '../../src/cli/zip.ts'
import { startApp, startFake } from '../support/app.ts'
import { aChat, ask } from '../support/requests.ts'

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The texts of a zip, read by what stands before each of them. */
function unzip(bytes: Buffer): Map<string, string> {
  const texts = new Map<string, string>()
  for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50; ) {
    const [packed, title, extra] = [
      bytes.readUInt32LE(at + 18),
      bytes.readUInt16LE(at + 26),
      bytes.readUInt16LE(at + 28),
    ]
    const from = at + 30 + title + extra
    const name = bytes.toString('utf8', at + 30, at + 30 + title)
    texts.set(name, inflateRawSync(bytes.subarray(from, from + packed)).toString())
    at = from + packed
  }
  return texts
}

describe('a zip', () => {
  const entries = [
    { name: 'a.txt', text: 'hello\n'.repeat(1000) },
    { name: 'logs/ü.txt', text: '' },
  ]

  test('gives back what went in', () => {
    expect([...unzip(zip(entries, new Date()))]).toEqual(entries.map(({ name, text }) => [name, text]))
  })

  const hasUnzip = spawnSync('unzip', ['-v']).error === undefined
  test.skipIf(!hasUnzip)('passes `unzip -t`', () => {
    const path = join(aFolder(), 'a.zip')
    writeFileSync(path, zip(entries, new Date()))
    expect(spawnSync('unzip', ['-t', path], { encoding: 'utf8' })).toMatchObject({ status: 0 })
  })
})

const CANARIES = {
  user: 'canary-user-key-000001',
  admin: 'canary-admin-key-00002',
  backend: 'canary-backend-key-003',
  header: 'canary-header-value-04',
  env: 'canary-environment-005',
  prompt: 'canary-prompt-text-006',
}

test('holds versions, doctor, settings, snapshot and log, and none of fifty canaries', async () => {
  const home = aFolder()
  const many = Array.from({ length: 44 }, (_, i) => `canary-further-key-${i + 100}`)
  const keys = [CANARIES.user, ...many]
  writeFileSync(
    join(home, 'lexora_config.yaml'),
    `auth: {admin_key: ${CANARIES.admin}, api_keys: [${keys.join(', ')}]}
routing:
  enabled: true
  backends:
    main: {url: http://127.0.0.1:9, api_key: ${CANARIES.backend}, headers: {x-team: ${CANARIES.header}}}
`,
  )
  const fake = await startFake()
  const lexora = await startApp(
    [{ name: 'main', url: fake.url, apiKey: CANARIES.backend, headers: { 'x-team': CANARIES.header } }],
    { config: { auth: { admin_key: CANARIES.admin, api_keys: keys } } },
  )
  await ask(lexora.port, aChat({ messages: [{ role: 'user', content: CANARIES.prompt }] }), {
    authorization: `Bearer ${CANARIES.user}`,
  })
  const machine = { env: { LEXORA_HOME: home, MY_API_KEY: CANARIES.env }, platform: process.platform, home, cwd: home }
  const path = await writeBundle('help.zip', {
    target: { address: lexora.url, key: CANARIES.admin },
    configPath: undefined,
    machine,
    doctor: async () =>
      ({ running: true, checks: [{ name: 'x', text: `it said ${CANARIES.env} ${CANARIES.backend}` }] }) as never,
  })
  expect([path, statSync(path).mode & 0o777]).toEqual([join(home, 'help.zip'), 0o600])
  const texts = unzip(readFileSync(path))
  expect([...texts.keys()]).toEqual([
    'versions.json',
    'doctor.json',
    'snapshot.json',
    'config.json',
    'logs/lexora.json',
  ])
  const all = [...texts.values()].join('\n')
  expect(all).toContain('"main"')
  for (const canary of [...Object.values(CANARIES), ...many]) expect(all).not.toContain(canary)
})

test('is made of what lies on the disk where no Lexora runs, also of a file that is broken', async () => {
  const home = aFolder()
  writeFileSync(join(home, 'lexora_config.yaml'), 'server: {port: x}\n')
  const machine = { env: { LEXORA_HOME: home }, platform: process.platform, home, cwd: home }
  const doctor = async () => ({ running: false, checks: [] })
  const path = await writeBundle('help.zip', { target: null, configPath: undefined, machine, doctor })
  expect(existsSync(path)).toBe(true)
  expect(unzip(readFileSync(path)).get('config.json')).toContain('server.port: must be a whole number')
})
