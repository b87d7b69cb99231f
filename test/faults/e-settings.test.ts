/** Section 2.E of the fault catalogue, where the configuration is changed by a command. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { App } from '../../src/app/app.ts'
import { PortTakenError } from '../../src/app/listeners.ts'
import { startApp, startFake } from '../support/app.ts'
import { startRun } from '../support/run.ts'

const FILE =
  'server: {port: 0}\nmetrics: {request_log: {enabled: false}}\nrouting: {enabled: true, backends: {first: {type: dummy}}}\n'

describe('E: settings that come by a command', () => {
  test.each([
    'http://169.254.169.254/latest',
    'http://[fd00:ec2::254]/',
    'http://metadata.google.internal/',
    'http://0.0.0.0:8000',
    'http://0x0/',
    'http://2852039166/',
    'http://user:pass@10.0.0.1/',
    'http://10.0.0.1/#@evil.example',
    'file:///etc/passwd',
  ])('E14 a backend at %s is refused, and nothing is written', async (url) => {
    const lexora = await startRun(FILE)
    const changes = [
      { path: 'routing.backends.other.url', value: url },
      { path: 'routing.backends.other.type', value: 'vllm' },
    ]
    await expect(lexora.commands.setConfig({ changes })).rejects.toMatchObject({
      problem: { code: 'invalid_request', param: 'routing.backends.other.url' },
    })
    expect(readFileSync(lexora.file, 'utf8')).toBe(FILE)
  })

  test.each<[path: string, value: unknown]>([
    ['engines.main.args', { '--trust-remote-code; rm -rf /': true }],
    ['engines.main.args', { 'a b': 1 }],
    ['engines.main.env', { 'A;B': 'x' }],
    ['engines.main.launch', 'sh -c'],
    ['engines.ma;in.model', 'x'],
    ['engines.main.shell', 'true'],
  ])('E16 an option of an engine that is no option is refused: %s %j', async (path, value) => {
    const lexora = await startRun(FILE)
    await expect(lexora.commands.setConfig({ changes: [{ path, value }] })).rejects.toMatchObject({
      problem: { code: 'invalid_request' },
    })
    expect(readFileSync(lexora.file, 'utf8')).toBe(FILE)
  })

  test('E16 what is an option travels as one word, whatever stands in it', async () => {
    const lexora = await startRun(FILE)
    const value = '$(touch /tmp/x); `id` && echo "a b"'
    await lexora.commands.setConfig({
      changes: [
        { path: 'engines.main.model', value: 'a/model' },
        { path: 'engines.main.args', value: { 'chat-template': value } },
      ],
    })
    const { entries } = await lexora.commands.getConfig()
    expect(entries.find(({ path }) => path === 'engines.main.args')!.value).toEqual({ 'chat-template': value })
  })
})

test('E18 somebody holds the other loopback: nothing is served at half an address', async () => {
  const server = createServer()
  const held = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(0, '::1', () => resolve(true))
  })
  onTestFinished(() => void server.close())
  // A machine without IPv6 has no other loopback to squat on.
  const port = held ? (server.address() as { port: number }).port : 0
  const fake = await startFake()
  const start = startApp([{ name: 'main', url: fake.url }], { config: { server: { port } } })
  if (held) await expect(start).rejects.toThrow(PortTakenError)
  else expect((await start).app).toBeInstanceOf(App)
})
