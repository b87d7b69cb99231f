import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { isBlocked } from '../../src/protocol/blocked.ts'
import { blockedPlace } from '../../src/protocol/outbound.ts'
import { joinedLines, OutboundLedger } from '../../src/telemetry/outbound.ts'

const BEGAN = Date.UTC(2026, 10, 22, 12)

function aLedger({ isOutside }: { isOutside?: (host: string) => boolean } = {}) {
  let now = BEGAN
  const ledger = new OutboundLedger({ now: () => now, ...(isOutside === undefined ? {} : { isOutside }) })
  return {
    ledger,
    pass: (seconds: number) => {
      now += seconds * 1000
    },
    told: () => ledger.report().rows.map(({ host, purpose, count }) => `${purpose} ${host} ${count}`),
  }
}

/** As an URL writes them. Those of one link only have a zone that no URL can say. */
function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return all
    .filter(({ scopeid = 0 }) => scopeid === 0)
    .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address))
}

test('a list begins empty, and tells since when', () => {
  expect(aLedger().ledger.report()).toEqual({ since: '2026-11-22T12:00:00.000Z', rows: [] })
})

test('a host is told with its purpose, its times and its count, and with nothing of what was asked', () => {
  const { ledger, pass } = aLedger()
  ledger.spoke('https://someone:secret@hub.example/acme/private-model?token=hf_x#part', 'hub')
  pass(5)
  ledger.spoke('https://hub.example/other', 'hub')
  pass(5)
  ledger.spoke('https://hub.example:8443/', 'updates')
  expect(ledger.report().rows).toEqual([
    {
      host: 'hub.example',
      purpose: 'hub',
      firstAt: '2026-11-22T12:00:00.000Z',
      lastAt: '2026-11-22T12:00:05.000Z',
      count: 2,
      sent: null,
      received: null,
    },
    {
      host: 'hub.example:8443',
      purpose: 'updates',
      firstAt: '2026-11-22T12:00:10.000Z',
      lastAt: '2026-11-22T12:00:10.000Z',
      count: 1,
      sent: null,
      received: null,
    },
  ])
})

test.each([
  'http://localhost:8000',
  'http://gpu.localhost/v1',
  'http://127.0.0.1:8000',
  'http://127.8.7.6',
  'http://[::1]:8000',
  'http://0.0.0.0:8000',
  'http://[::]:8000',
  `http://${hostname()}:8000`,
  ...ownAddresses().map((address) => `http://${address}:8000`),
])('%s is this computer', (address) => {
  const { ledger, told } = aLedger()
  expect(ledger.line(address, 'backend')).toBeNull()
  ledger.spoke(address, 'hub')
  expect(told()).toEqual([])
})

test.each(['http://192.168.1.20:8000', 'http://gpu-box/v1', 'http://localhost.example', 'http://[fd00::1]'])(
  '%s is another one',
  (address) => {
    const { ledger, told } = aLedger()
    ledger.spoke(address, 'hub')
    expect(told()).toHaveLength(1)
  },
)

test('what is said to be remote is listed wherever it seems to be, and only when it is used', () => {
  const { ledger, told } = aLedger()
  const line = ledger.line('http://127.0.0.1:9000/v1', 'backend', true)
  expect(told()).toEqual([])
  line?.use()
  line?.use()
  expect(told()).toEqual(['backend 127.0.0.1:9000 2'])
})

test('two backends at one host are one row', () => {
  const { ledger, pass } = aLedger()
  const [one, other] = [
    ledger.line('https://api.example/a', 'backend'),
    ledger.line('https://api.example/b', 'backend'),
  ]
  one?.use()
  pass(1)
  other?.use()
  pass(1)
  one?.use()
  expect(ledger.report().rows).toEqual([
    {
      host: 'api.example',
      purpose: 'backend',
      firstAt: '2026-11-22T12:00:00.000Z',
      lastAt: '2026-11-22T12:00:02.000Z',
      count: 3,
      sent: null,
      received: null,
    },
  ])
})

test('of many hosts the fifty stay that were used last, and one that was left out comes back with its count', () => {
  const { ledger, pass, told } = aLedger()
  const old = ledger.line('https://old.example', 'backend')
  old?.use()
  for (let i = 0; i < 1000; i++) {
    pass(1)
    ledger.spoke(`https://h${String(i).padStart(4, '0')}.example`, 'hub')
  }
  expect(told()).toHaveLength(50)
  expect([told()[0], told()[49]]).toEqual(['hub h0950.example 1', 'hub h0999.example 1'])
  pass(1)
  old?.use()
  expect(told()).toHaveLength(50)
  expect([told()[0], told()[49]]).toEqual(['hub h0951.example 1', 'backend old.example 2'])
})

/** A connection to whoever answers with ten times as much; closed when asked to. */
async function aConnection(): Promise<{
  socket: Socket
  say: (text: string) => Promise<void>
  end: () => Promise<void>
}> {
  const server = createServer((peer) => peer.on('data', (data) => peer.write(String(data).repeat(10))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  onTestFinished(() => void socket.destroy())
  let heard = 0
  socket.on('data', (data) => {
    heard += data.length
  })
  return {
    socket,
    say: async (text) => {
      const due = heard + 10 * text.length
      socket.write(text)
      while (heard < due) await once(socket, 'data')
    },
    end: async () => {
      socket.destroy()
      await once(socket, 'close')
    },
  }
}

test('what connections carry is counted while they are open, and stays when they close', async () => {
  const { ledger } = aLedger()
  const [one, other] = [await aConnection(), await aConnection()]
  const bytes = () => ledger.report().rows.map(({ sent, received }) => [sent, received])
  ledger.spoke('https://hub.example/a', 'hub')
  expect(bytes()).toEqual([[null, null]])
  ledger.carried('https://hub.example', 'hub', one.socket)
  await one.say('hello')
  expect(bytes()).toEqual([[5, 50]])
  ledger.carried('https://hub.example', 'hub', other.socket)
  await other.say('hi')
  expect(bytes()).toEqual([[7, 70]])
  await one.end()
  await other.say('you')
  expect(bytes()).toEqual([[10, 100]])
})

test('a list goes on where an earlier process left it', async () => {
  const earlier = aLedger()
  const { socket, say } = await aConnection()
  earlier.ledger.spoke('https://hub.example', 'hub')
  earlier.ledger.carried('https://hub.example', 'hub', socket)
  await say('hello')
  const left = earlier.ledger.report()
  const later = aLedger()
  later.pass(3600)
  later.ledger.resume(left)
  expect(later.ledger.report()).toEqual(left)
  later.ledger.line('https://hub.example', 'hub')?.use()
  later.ledger.spoke('https://index.example', 'packages')
  expect(later.ledger.report()).toMatchObject({
    since: left.since,
    rows: [
      { host: 'hub.example', count: 2, sent: 5, received: 50, lastAt: '2026-11-22T13:00:00.000Z' },
      { host: 'index.example', count: 1, sent: null },
    ],
  })
})

test('a host is blocked by its name, or by name and port', () => {
  const blocked = ['hub.example', 'GPU.lan:8000', '[fd00::1]', 'plain.example:443']
  const hosts = ['hub.example', 'hub.example:8443', 'gpu.lan:8000', '[fd00::1]:80', 'plain.example']
  expect(hosts.filter((host) => isBlocked(host, blocked))).toEqual(hosts)
  const others = ['ahub.example', 'hub.example.org', 'gpu.lan', 'gpu.lan:8001', 'plain.example:8443', '[fd00::2]']
  expect(others.filter((host) => isBlocked(host, blocked))).toEqual([])
  expect(['https://x', 'x/y', '', '*', 'a b', 'x:port'].filter((text) => blockedPlace.safeParse(text).success)).toEqual(
    [],
  )
})

test('the lists of two processes are one to who looks', () => {
  const core = aLedger()
  const window = aLedger()
  core.pass(10)
  core.ledger.spoke('https://hub.example', 'hub')
  window.pass(20)
  window.ledger.spoke('https://updates.example', 'updates')
  window.ledger.spoke('https://hub.example', 'hub')
  const { since, rows } = joinedLines(
    { ...core.ledger.report(), since: '2026-11-22T13:00:00.000Z' },
    window.ledger.report(),
  )
  expect(since).toBe('2026-11-22T12:00:00.000Z')
  expect(rows.map(({ host, count }) => [host, count])).toEqual([
    ['hub.example', 2],
    ['updates.example', 1],
  ])
})
