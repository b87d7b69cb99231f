import { hostname, networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
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
    },
    {
      host: 'hub.example:8443',
      purpose: 'updates',
      firstAt: '2026-11-22T12:00:10.000Z',
      lastAt: '2026-11-22T12:00:10.000Z',
      count: 1,
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

test('the lists of two processes are one to who looks', () => {
  const core = aLedger()
  const window = aLedger()
  core.pass(10)
  core.ledger.spoke('https://hub.example', 'hub')
  window.pass(20)
  window.ledger.spoke('https://updates.example', 'updates')
  const { since, rows } = joinedLines(
    { ...core.ledger.report(), since: '2026-11-22T13:00:00.000Z' },
    window.ledger.report(),
  )
  expect(since).toBe('2026-11-22T12:00:00.000Z')
  expect(rows.map(({ host }) => host)).toEqual(['hub.example', 'updates.example'])
})
