import type { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { checkLan, lanAdvice } from '../../src/app/lan-check.ts'
import { lanLines } from '../../src/cli/lan.ts'
import type { LanAddress } from '../../src/protocol/lan.ts'
import { startApp, startFake } from '../support/app.ts'

const card = (address: string, internal: boolean) => [
  { address, family: 'IPv4' as const, internal, netmask: '', mac: '', cidr: null },
]

test('what others reach is what Lexora answers through each address, with and without a key', async () => {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { auth: { api_keys: ['the-key'] } } })
  // Of loopback, 127.0.0.2 reaches nothing that listens at 127.0.0.1: so does an address that is not served.
  const interfaces: ReturnType<typeof networkInterfaces> = {
    lo: card('127.0.0.1', true),
    docker0: card('127.0.0.2', false),
  }
  const report = await checkLan({ port: lexora.port, secure: false, key: 'the-key', interfaces })
  expect(report.addresses).toMatchObject([
    { reach: 'this machine', open: { '/healthz': 200, '/v1/models': 401, '/admin/snapshot': 403 }, withKey: 200 },
    { reach: 'containers', open: { '/healthz': 'closed', '/v1/models': 'closed' }, withKey: 'closed' },
  ])
  expect(report.advice.join('\n')).toContain("server.host '[127.0.0.1, 127.0.0.2]'")
  expect(lanLines(report)[1]).toMatch(/127\.0\.0\.1:\d+ +this machine +open +needs a key/)
})

test('the window asks the same, of the Lexora that it belongs to', async () => {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }], { config: { auth: { api_keys: ['the-key'] } } })
  const { port, addresses } = await lexora.app.commands.checkLan({})
  expect(port).toBe(lexora.port)
  expect(addresses.find(({ address }) => address === '127.0.0.1')).toMatchObject({
    reach: 'this machine',
    open: { '/healthz': 200, '/v1/models': 401 },
    withKey: null,
  })
})

const anAddress = (over: Partial<LanAddress>): LanAddress => ({
  address: '192.168.1.20',
  interface: 'eth0',
  reach: 'the network',
  open: { '/healthz': 200, '/v1/models': 401, '/admin/snapshot': 403 },
  withKey: null,
  ...over,
})

test.each<[what: string, address: LanAddress, advice: string]>([
  ['served with keys', anAddress({}), 'firewall'],
  ['served without keys', anAddress({ open: { '/healthz': 200, '/v1/models': 200 } }), 'without a key'],
  ['not served', anAddress({ open: { '/healthz': 'closed' } }), 'Nobody in the network reaches it'],
  ['with an open admin API', anAddress({ open: { '/healthz': 200, '/admin/snapshot': 200 } }), 'report this'],
])('a machine %s is told what to do', (_, address, advice) => {
  expect(lanAdvice([address], 8001).join('\n')).toContain(advice)
})
