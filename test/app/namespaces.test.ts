/** Lexora on a network and on a disk of the test's own: what an outsider reaches, and a disk that is full or read-only. */
import { expect, test } from 'vitest'
import type { LanReport } from '../../src/protocol/lan.ts'
import { allows, HERE, inNamespace, NOBODY, OUTSIDE } from '../support/namespaced/run.ts'
import { aFolder } from '../support/records.ts'

type Network = { report: LanReport; right: unknown; wrong: unknown[]; after: Record<string, unknown>; callers: unknown }
type Disk = Record<
  'before' | 'full' | 'freed' | 'readOnly',
  { user: number; chat: number; health: { status: string; reasons: string[] } }
>

test.skipIf(!allows('network'))(
  'in a network of its own (needs user namespaces): lan check finds what others reach; ten wrong keys close an address',
  async () => {
    const { report, right, wrong, after, callers } = (await inNamespace('network', aFolder())) as Network
    const at = (address: string) => report.addresses.find((one) => one.address === address)
    expect(at(HERE)).toMatchObject({
      reach: 'the network',
      open: { '/healthz': 200, '/v1/models': 401, '/metrics': 401, '/admin/snapshot': 403 },
      withKey: 200,
    })
    expect(at(OUTSIDE)).toMatchObject({ reach: 'the network', open: { '/healthz': 'closed' }, withKey: 'closed' })
    expect(report.advice.join()).toContain('firewall')
    expect(right).toEqual([200, false])
    expect(callers).toEqual([
      [200, { address: OUTSIDE, remote: true }],
      [200, { address: HERE, remote: false }],
    ])
    expect(wrong).toEqual([...Array.from({ length: 10 }, () => [401, false]), [429, true]])
    expect(after).toEqual({
      'another right key': [429, true],
      'the right key of before': [200, false],
      'a program of this machine': [200, false],
      'a wrong key of this machine': [401, false],
    })
  },
  90_000,
)

test.skipIf(!allows('network'))(
  'in a network of its own (needs user namespaces): the door to it closes at once, for what is open there, too',
  async () => {
    expect(await inNamespace('door', aFolder())).toEqual({
      before: [200, 200],
      pendingRestart: [],
      now: { network: false, own: true },
      after: { others: 0, own: 200 },
    })
  },
  90_000,
)

test.skipIf(!allows('network'))(
  'in a network of its own (needs user namespaces): working offline no packet leaves, and afterwards they do again',
  async () => {
    const { online, offline, answer, list, again } = (await inNamespace('offline', aFolder())) as Record<
      string,
      unknown
    >
    expect({ offline, answer, list }).toEqual({
      offline: 0,
      answer: [503, 'no_backend'],
      list: expect.objectContaining({ offline: true, rows: [expect.objectContaining({ host: `${NOBODY}:8000` })] }),
    })
    expect([online, again].every((packets) => Number(packets) > 0)).toBe(true)
  },
  90_000,
)

test.skipIf(!allows('mounts'))(
  'on a disk of its own (needs user namespaces) that is full, and then read-only: it serves, refuses changes with 507, and says why',
  async () => {
    const { before, full, freed, readOnly } = (await inNamespace('disk', aFolder())) as Disk
    const well = { user: 200, chat: 200, health: { status: 'healthy', reasons: [] } }
    expect({ before, freed }).toEqual({ before: well, freed: well })
    expect(full).toMatchObject({ user: 507, chat: 200, health: { status: 'degraded' } })
    expect(full.health.reasons.join()).toMatch(/users and keys cannot be written \(.*full/)
    expect(readOnly).toMatchObject({ user: 507, chat: 200, health: { status: 'degraded' } })
    expect(readOnly.health.reasons.join()).toMatch(/users and keys can only be read \(.*read-only/)
  },
  90_000,
)
