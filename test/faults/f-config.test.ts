/** Section 2.F of the fault catalogue: the configuration file while Lexora runs, busy ports, a loop that stands still. */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startFake, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask, dataOf } from '../support/requests.ts'
import { aHome, startRun } from '../support/run.ts'

const yaml = (url: string, more = '') => `# kept by Ann
server: {port: 0}
metrics: {request_log: {enabled: false}}
routing:
  enabled: true
  backends:
    main: {url: "${url}"}   # the big card
${more}`

async function setUp(more = '') {
  const fake = await startFake({ tokenMs: 2 })
  const lexora = await startRun(yaml(fake.url, more))
  return { fake, lexora }
}

describe('F: the configuration', () => {
  test('F3 the file is empty or half written: what ran goes on, and the last good one is kept and named', async () => {
    const { fake, lexora } = await setUp()
    const kept = join(lexora.home, 'lexora_config.last-good.yaml')
    expect([readFileSync(kept, 'utf8'), statSync(kept).mode & 0o777]).toEqual([yaml(fake.url), 0o600])
    writeFileSync(lexora.file, '')
    await expect(lexora.commands.reload()).rejects.toMatchObject({ message: expect.stringContaining('is empty') })
    writeFileSync(lexora.file, yaml(fake.url).slice(0, 60))
    await expect(lexora.commands.reload()).rejects.toThrow('Nothing was changed')
    expect((await ask(lexora.port, aChat())).status).toBe(200)
    expect(readFileSync(kept, 'utf8')).toBe(yaml(fake.url))
  })

  test('F3 a start finds the file broken: exit code 78, and the copy is named', async () => {
    const home = aHome()
    writeFileSync(join(home, 'lexora_config.last-good.yaml'), 'server: {port: 0}\n')
    await expect(startRun('server: {port: x}\n', home)).rejects.toThrow(
      /exit code 78: [\s\S]*yaml:1:10 {2}server\.port: must be a whole number[\s\S]*kept at .*last-good\.yaml/,
    )
  })

  test('F4 the file is not valid: every error with its line, as 400; traffic is untouched', async () => {
    const { fake, lexora } = await setUp()
    const client = await RawClient.open(lexora.port)
    onTestFinished(() => client.destroy())
    client.post('/v1/chat/completions', aChat({ stream: true, max_tokens: 60 }), { connection: 'close' })
    await client.until((text) => text.includes('data:'))
    writeFileSync(lexora.file, yaml(fake.url, 'retri: {}\ntimeouts: {idle: soon}\n'))
    const headers = { authorization: `Bearer ${lexora.record.token}` }
    const answer = await fetch(`${lexora.url}/admin/reload`, { method: 'POST', headers })
    const { error } = (await answer.json()) as { error: { code: string; message: string; param: string } }
    expect([answer.status, error.code, error.param]).toEqual([400, 'invalid_request', 'retri'])
    expect(error.message).toMatch(/yaml:8:1 {2}retri: unknown key\. Did you mean "retry"/)
    expect(error.message).toMatch(/yaml:9:\d+ {2}timeouts\.idle: must be a number/)
    const faultOf = async () => (await lexora.commands.snapshot()).server.configFault
    expect(await faultOf()).toEqual({ place: expect.stringMatching(/yaml:8:1$/), path: 'retri', count: 2 })
    expect(dataOf(parseAnswer(await client.closed()).body).at(-1)).toBe('[DONE]')
    writeFileSync(lexora.file, yaml(fake.url))
    await lexora.commands.reload()
    expect(await faultOf()).toBeNull()
  })

  test('F5 the file changes by rename, by writing and by signal: each is read once it has come to rest', async () => {
    const { fake, lexora } = await setUp()
    const rateOf = async () =>
      (await lexora.commands.getConfig()).entries.find(({ path }) => path === 'rate_limit.default_rate')!.value
    const reads = () => lexora.log().split('configuration read again').length - 1
    writeFileSync(`${lexora.file}.new`, yaml(fake.url, 'rate_limit: {default_rate: 21}\n'))
    renameSync(`${lexora.file}.new`, lexora.file)
    await until(() => reads() === 1)
    expect(await rateOf()).toBe(21)
    writeFileSync(lexora.file, yaml(fake.url, 'rate_limit: {default_rate: 22}\n'))
    await until(() => reads() === 2)
    expect(await rateOf()).toBe(22)
    lexora.reload()
    await until(() => reads() === 3)
    expect(lexora.log()).toContain('cause=signal changed=nothing')
  })

  test('F5 settings change by a command: comments stay, the answer says what needs a restart', async () => {
    const { fake, lexora } = await setUp()
    const report = await lexora.commands.setConfig({
      changes: [
        { path: 'routing.backends.main.weight', value: 3 },
        { path: 'logging.format', value: 'json' },
      ],
    })
    expect(report).toMatchObject({
      changed: [
        { path: 'routing.backends.main.weight', effect: 'now' },
        { path: 'logging.format', effect: 'restart' },
      ],
      pendingRestart: ['logging.format'],
    })
    const text = readFileSync(lexora.file, 'utf8')
    for (const part of ['# kept by Ann', '# the big card', 'weight: 3', fake.url]) expect(text).toContain(part)
    expect((await lexora.commands.snapshot()).server.pendingRestart).toEqual(['logging.format'])
    await lexora.commands.setConfig({ changes: [{ path: 'logging.format', value: null }] })
    expect((await lexora.commands.snapshot()).server.pendingRestart).toEqual([])
    await expect(lexora.commands.setConfig({ changes: [{ path: 'queue.max_size', value: 0 }] })).rejects.toMatchObject({
      problem: { code: 'invalid_request', param: 'queue.max_size' },
    })
    expect(readFileSync(lexora.file, 'utf8')).not.toContain('max_size')
  })

  test('F5 a text is checked without going over to it', async () => {
    const { lexora } = await setUp()
    expect(await lexora.commands.validateConfig({ text: 'server: {port: 1}\n' })).toMatchObject({
      ok: true,
      issues: [],
    })
    expect(await lexora.commands.validateConfig({ text: 'server: {prot: 1}\n' })).toMatchObject({
      ok: false,
      issues: [{ path: 'server.prot', message: expect.stringContaining('port') }],
    })
    expect((await lexora.commands.getConfig()).entries.find(({ path }) => path === 'server.port')!.value).toBe(0)
  })
})

test('F1 the port is in use: one line that names it, and never silently another', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }

  // DESIGN 2 has a code of its own for it, 6, where the catalogue says 78.
  await expect(startRun(`server: {port: ${port}}\n`)).rejects.toThrow(
    new RegExp(`exit code 6: Lexora did not start: 127.0.0.1:${port} is in use`),
  )
})
