/** Whom Lexora has spoken to, told by those who speak: over real connections, with loopback counted as outside where a test says so. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { adminClient } from '../../src/app/admin-client.ts'
import { gpuDesk } from '../../src/app/gpu-desk.ts'
import { modelCommands } from '../../src/app/model-commands.ts'
import { ModelDesk } from '../../src/app/model-desk.ts'
import { lexoraPaths } from '../../src/config/paths.ts'
import { OutboundLedger } from '../../src/telemetry/outbound.ts'
import { startApp, startFake, until } from '../support/app.ts'
import { FakeHub } from '../support/fake-hub.ts'
import { aChat, ask } from '../support/requests.ts'

const SESSION = 'session-secret-0123456789'
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test('a remote backend is listed with what was sent there, one of this computer is not', async () => {
  const [near, far] = [await startFake({ models: ['near'] }), await startFake({ models: ['far'] })]
  const lexora = await startApp(
    [
      { name: 'near', url: near.url },
      { name: 'far', url: far.url, remote: true, apiKey: 'sk-far-secret-0123' },
    ],
    { config: { rate_limit: { users: { ann: { allow_remote: true } } } }, session: SESSION },
  )
  const commands = adminClient({ address: lexora.url, key: SESSION, certificate: null })
  const before = await commands.listOutbound()
  expect((await ask(lexora.port, aChat({ model: 'near' }))).status).toBe(200)
  expect((await ask(lexora.port, aChat({ model: 'far' }), { 'x-lexora-user': 'ann' })).status).toBe(200)
  const after = await commands.listOutbound()
  const countOf = ({ rows }: typeof after): number => rows[0]?.count ?? 0
  expect(after).toEqual({
    since: before.since,
    offline: false,
    rows: [
      {
        host: new URL(far.url).host,
        purpose: 'backend',
        firstAt: expect.any(String),
        lastAt: expect.any(String),
        count: expect.any(Number),
      },
    ],
  })
  // The looks whether it is well count as well.
  expect(countOf(after)).toBeGreaterThan(countOf(before))
  expect(JSON.stringify(after)).not.toContain('secret')
})

test('a pull tells of the hub, and of where the hub leads', async () => {
  const root = mkdtempSync(join(tmpdir(), 'lx-outbound-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const files = { 'config.json': '{"hidden_size": 64}', 'README.md': Buffer.alloc(1000, 65) }
  const hub = await FakeHub.start({ 'acme/tiny': { files } })
  const machine = {
    env: { LEXORA_HOME: join(root, 'home'), HF_HOME: join(root, 'hf'), PATH: '', HF_ENDPOINT: hub.address },
    home: root,
    cwd: root,
    platform: process.platform,
  }
  const outbound = new OutboundLedger({ isOutside: () => true })
  const desk = new ModelDesk({
    machine,
    paths: lexoraPaths(machine),
    engines: {},
    gpu: gpuDesk(null),
    store: null,
    log: SILENT,
    outbound,
    timing: { retryMs: [0, 0] },
    resume: false,
  })
  onTestFinished(async () => await desk.close())
  const commands = modelCommands({ desk, engines: () => [], lastUsed: () => new Map(), gateway: () => null })
  expect(outbound.report().rows).toEqual([])
  const { id } = await commands.pullModel({ repo: 'acme/tiny', files: ['README.md'] })
  await until(() => desk.pulls.views().find((pull) => pull.id === id)?.state === 'done')
  const { rows } = outbound.report()
  expect(rows.every(({ purpose }) => purpose === 'hub')).toBe(true)
  expect(rows.map(({ host }) => host)).toContain(new URL(hub.address).host)
  // Large files lie at another address.
  expect([rows.length, hub.requests.some(({ atCdn }) => atCdn)]).toEqual([2, true])
  expect(JSON.stringify(rows)).not.toMatch(/acme|tiny|README/)
})
