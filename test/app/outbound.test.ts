/** Whom Lexora has spoken to, told by those who speak: over real connections, with loopback counted as outside where a test says so. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
import { aChat, ask, errorOf } from '../support/requests.ts'
import { startRun } from '../support/run.ts'
import { inTerminal } from '../support/terminal.ts'

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
    blocked: [],
    rows: [
      {
        host: new URL(far.url).host,
        purpose: 'backend',
        firstAt: expect.any(String),
        lastAt: expect.any(String),
        count: expect.any(Number),
        sent: expect.any(Number),
        received: expect.any(Number),
      },
    ],
  })
  // The looks whether it is well count as well.
  expect(countOf(after)).toBeGreaterThan(countOf(before))
  expect(JSON.stringify(after)).not.toContain('secret')
  // The request is one line and its answer another: both were carried.
  const [carried, earlier] = [after.rows[0]!, before.rows[0]]
  expect(carried.sent! - (earlier?.sent ?? 0)).toBeGreaterThan(JSON.stringify(aChat({ model: 'far' })).length)
  expect(carried.received! - (earlier?.received ?? 0)).toBeGreaterThan(100)
})

test('a place is blocked and let in again, in a terminal too; the list outlives a restart', async () => {
  const far = await startFake({ models: ['far'] })
  const { host } = new URL(far.url)
  const file = `server: {port: 0} # kept by Ann
metrics: {request_log: {enabled: false}}
routing:
  enabled: true
  backends:
    far: {url: "${far.url}", remote: true}
rate_limit: {users: {ann: {allow_remote: true}}}
`
  const lexora = await startRun(file)
  const says = async () => {
    const answer = await ask(lexora.port, aChat({ model: 'far' }), { 'x-lexora-user': 'ann' })
    return [answer.status, answer.status === 200 ? null : errorOf(answer).message]
  }
  expect(await says()).toEqual([200, null])
  const blocked = await inTerminal(lexora.home, 'outbound', 'block', host.toUpperCase())
  expect([blocked.code, blocked.err]).toEqual([0, ''])
  expect((await lexora.commands.snapshot()).server.blocked).toEqual([host])
  const asked = () => far.requests.filter(({ path }) => path === '/v1/chat/completions').length
  expect(asked()).toBe(1)
  expect(await says()).toEqual([
    503,
    expect.stringMatching(/far is blocked \(privacy\.blocked; .*lexora outbound allow/),
  ])
  expect(asked()).toBe(1)
  expect(await lexora.commands.listOutbound()).toMatchObject({ blocked: [host], rows: [{ host, purpose: 'backend' }] })
  // Once is enough.
  expect(await lexora.commands.blockOutbound({ host })).toMatchObject({ changed: [] })
  await expect(lexora.commands.blockOutbound({ host: 'https://hub.example' })).rejects.toThrow(/host: must be a host/)
  await expect(lexora.commands.allowOutbound({ host: '127.0.0.1' })).rejects.toThrow(
    `127.0.0.1 is not blocked as a whole, only ${host} is.`,
  )
  await lexora.commands.allowOutbound({ host })
  expect(await says()).toEqual([200, null])
  expect(readFileSync(lexora.file, 'utf8')).toContain('# kept by Ann')
  const last = await lexora.commands.listOutbound()
  await lexora.stop()
  await far.close()
  const again = await startRun(file, lexora.home)
  const [row] = (await again.commands.listOutbound()).rows
  expect([(await again.commands.listOutbound()).since, row?.firstAt]).toEqual([last.since, last.rows[0]?.firstAt])
  expect(row?.received).toBeGreaterThanOrEqual(last.rows[0]!.received!)
  await again.stop()
  writeFileSync(join(lexora.home, 'outbound.json'), '{"since": 7')
  const anew = await startRun(file, lexora.home)
  expect(anew.log()).toContain('begins anew')
  expect(Date.parse((await anew.commands.listOutbound()).since)).toBeGreaterThan(Date.parse(last.since))
})

test('a blocked hub is not asked, nor a place that it leads to; a blocked index ends an installation', async () => {
  const { desk, commands, hub, outbound } = await aDesk()
  const { host } = new URL(hub.address)
  const privacy = (...blocked: string[]) => desk.reconfigure({ engines: {}, privacy: { offline: false, blocked } })
  privacy(host)
  await expect(commands.pullModel({ repo: 'acme/tiny' })).rejects.toThrow(
    `Nothing is fetched from ${host}: it is blocked. To let it in: lexora outbound allow ${host}`,
  )
  expect([hub.requests, outbound.report().rows]).toEqual([[], []])
  privacy()
  const pulled = async (repo: string) => {
    const { id } = await commands.pullModel({ repo, files: ['README.md'] })
    const view = () => desk.pulls.views().find((pull) => pull.id === id)
    await until(() => ['done', 'failed'].includes(view()?.state ?? ''))
    return view()
  }
  expect((await pulled('acme/other'))?.state).toBe('done')
  const cdn = outbound.report().rows.find((row) => row.host !== host)!.host
  const asked = hub.requests.filter(({ atCdn }) => atCdn).length
  privacy(cdn)
  expect((await pulled('acme/tiny'))?.problem?.cause).toContain(`${cdn}: it is blocked`)
  expect(hub.requests.filter(({ atCdn }) => atCdn)).toHaveLength(asked)
  privacy('pypi.org')
  await expect(commands.offeredEngines()).rejects.toThrow(/To let it in: lexora outbound allow pypi\.org$/)
  await commands.installEngine({})
  await until(() => desk.installer.view()?.phase === 'failed')
  expect(desk.installer.view()?.problem).toMatchObject({ fix: 'To let it in: lexora outbound allow pypi.org' })
  desk.reconfigure({ engines: {}, privacy: { offline: true, blocked: [] } })
  await expect(commands.offeredEngines()).rejects.toThrow(/works offline/)
  expect(outbound.report().rows.filter(({ purpose }) => purpose === 'packages')).toEqual([])
})

test('what is blocked while something comes from there comes no further', async () => {
  const { desk, commands, hub, outbound, root } = await aDesk()
  const block = (host: string) => desk.reconfigure({ engines: {}, privacy: { offline: false, blocked: [host] } })
  hub.fault = (_, nth) => (nth === 1 ? { stallAfter: 300 } : null)
  await commands.pullModel({ repo: 'acme/tiny', files: ['README.md'] })
  await until(() => desk.pulls.views()[0]!.bytes >= 300)
  const cdn = outbound.report().rows.find((row) => row.host !== new URL(hub.address).host)!.host
  block(cdn)
  await until(() => desk.pulls.views()[0]!.state === 'failed')
  expect(desk.pulls.views()[0]!.problem?.cause).toContain(`${cdn}: it is blocked`)
  expect(hub.requests.filter(({ atCdn }) => atCdn)).toHaveLength(1)
  writeFileSync(join(root, 'uv'), '#!/bin/sh\nexec /bin/sleep 60\n', { mode: 0o755 })
  await commands.installEngine({})
  block('download.pytorch.org')
  await until(() => desk.installer.view()?.phase === 'failed')
  expect(desk.installer.view()?.problem?.cause).toBe('It was cancelled.')
})

test('where uv is told of a folder only, there is no index to ask', async () => {
  const { commands, outbound } = await aDesk({ UV_DEFAULT_INDEX: '/srv/wheels' })
  await expect(commands.offeredEngines()).rejects.toThrow('uv is told of no package index on the network.')
  expect(outbound.report().rows).toEqual([])
})

test('a pull tells of the hub, and of where the hub leads', async () => {
  const { desk, commands, hub, outbound } = await aDesk()
  expect(outbound.report().rows).toEqual([])
  const { id } = await commands.pullModel({ repo: 'acme/tiny', files: ['README.md'] })
  await until(() => desk.pulls.views().find((pull) => pull.id === id)?.state === 'done')
  const { rows } = outbound.report()
  expect(rows.every(({ purpose }) => purpose === 'hub')).toBe(true)
  expect(rows.map(({ host }) => host)).toContain(new URL(hub.address).host)
  // Large files lie at another address.
  expect([rows.length, hub.requests.some(({ atCdn }) => atCdn)]).toEqual([2, true])
  expect(JSON.stringify(rows)).not.toMatch(/acme|tiny|README/)
  // What was fetched is in what was received.
  expect(rows.reduce((sum, { received }) => sum + received!, 0)).toBeGreaterThan(1000)
  expect(rows.every(({ sent }) => sent! > 0)).toBe(true)
})

/** Models and engines of a Lexora to which every place is another computer. */
async function aDesk(more: Record<string, string> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'lx-outbound-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const files = { 'config.json': '{"hidden_size": 64}', 'README.md': Buffer.alloc(1000, 65) }
  writeFileSync(join(root, 'uv'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const hub = await FakeHub.start({ 'acme/tiny': { files }, 'acme/other': { files } })
  const machine = {
    env: { LEXORA_HOME: join(root, 'home'), HF_HOME: join(root, 'hf'), PATH: root, HF_ENDPOINT: hub.address, ...more },
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
  return { desk, commands, hub, outbound, root }
}
