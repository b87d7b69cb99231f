/** `GET /admin/events`: what a watcher sees, and what a slow one costs. */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AdminEvents } from '../../src/gateway/admin-events.ts'
import type { AppSnapshot } from '../../src/protocol/snapshot.ts'
import { activeTimers, assertSettled, startApp, startFake, until } from '../support/app.ts'
import { parseAnswer, RawClient } from '../support/raw-client.ts'
import { aChat, ask } from '../support/requests.ts'
import { aSnapshot } from '../support/snapshots.ts'

const SESSION = 'session-secret-0123456789'

async function setUp() {
  const fake = await startFake()
  const lexora = await startApp([{ name: 'main', url: fake.url }], { session: SESSION })
  return { fake, lexora, baseline: activeTimers() }
}

async function watch(port: number): Promise<RawClient> {
  const client = await RawClient.open(port)
  return client.send(`GET /admin/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${SESSION}\r\n\r\n`)
}

/** The snapshots that have come whole so far. */
function snapshotsIn(text: string): AppSnapshot[] {
  const events = [...text.matchAll(/^event: snapshot\ndata: (.*)\n\n/gm)]
  return events.map(([, data]) => JSON.parse(data!) as AppSnapshot)
}

describe('the stream', () => {
  test('begins with a snapshot, tells a change soon, and numbers what it sends', async () => {
    const { lexora, fake, baseline } = await setUp()
    const client = await watch(lexora.port)
    const first = await client.until((text) => snapshotsIn(text).length === 1)
    expect(first).toMatch(
      /^HTTP\/1.1 200 OK\r\ncontent-type: text\/event-stream; charset=utf-8\r\ncache-control: no-store\r\n/i,
    )
    await ask(lexora.port, aChat({ user: 'ann' }))
    const text = await client.until((so) => snapshotsIn(so).some(({ users }) => users[0]?.name === 'ann'))
    const startedAt = Date.parse(snapshotsIn(text)[0]!.server.startedAt)
    expect([...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(
      snapshotsIn(text).map(({ revision }) => `${startedAt}-${revision}`),
    )
    client.destroy()
    await assertSettled(lexora, [fake], baseline)
  })

  test('shows how Lexora drains, and ends with it', async () => {
    const { lexora, fake } = await setUp()
    fake.fault({ do: 'stall', afterEvents: 1 })
    const running = await RawClient.open(lexora.port)
    running.post('/v1/chat/completions', aChat({ stream: true }))
    await running.until((text) => text.includes('data:'))
    const client = await watch(lexora.port)
    await client.until((text) => snapshotsIn(text).length === 1)
    const stopped = lexora.app.stop(20_000)
    await client.until((text) => snapshotsIn(text).at(-1)?.server.state === 'draining')
    running.destroy()
    await stopped
    expect(parseAnswer(await client.closed()).status).toBe(200)
    expect(client.wasReset).toBe(false)
    expect(client.text.endsWith('0\r\n\r\n')).toBe(true)
  })

  test('is for 64 watchers; who leaves makes room', async () => {
    const { lexora, fake, baseline } = await setUp()
    const clients = []
    for (let i = 0; i < 64; i++) clients.push(await watch(lexora.port))
    for (const client of clients) await client.until((text) => snapshotsIn(text).length > 0)
    const late = await watch(lexora.port)
    expect(await late.until((text) => text.includes('"overloaded"'))).toMatch(/^HTTP\/1.1 503 /)
    clients.pop()!.destroy()
    const refused = async () => {
      const client = await watch(lexora.port)
      clients.push(client)
      return (await client.until((text) => text.includes('\r\n\r\n'))).startsWith('HTTP/1.1 503')
    }
    let tries = 0
    while (await refused()) expect(++tries).toBeLessThan(100)
    for (const client of [...clients, late]) client.destroy()
    await assertSettled(lexora, [fake], baseline)
  })
})

/** A response whose client takes what `open` lets through. */
class Reader extends EventEmitter {
  taken: string[] = []
  open = true
  destroyed = false
  ended = false
  writeHead(): this {
    return this
  }
  write(text: string): boolean {
    this.taken.push(text)
    return this.open
  }
  end(): void {
    this.ended = true
    this.emit('close')
  }
  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
  get revisions(): number[] {
    return this.taken.flatMap((text) => snapshotsIn(text).map(({ revision }) => revision))
  }
}

describe('a watcher', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
  afterEach(() => vi.useRealTimers())

  /** A stream over a source that the test drives. */
  function aStream() {
    const listeners = new Set<(snapshot: AppSnapshot) => void>()
    let revision = 1
    const events = new AdminEvents((listener) => {
      listeners.add(listener)
      listener(aSnapshot({ revision }))
      return () => listeners.delete(listener)
    })
    return {
      events,
      listeners,
      change: () => {
        revision++
        const snapshot = aSnapshot({ revision })
        for (const listener of listeners) listener(snapshot)
      },
      join: () => {
        const reader = new Reader()
        events.open(reader as unknown as ServerResponse)
        return reader
      },
    }
  }

  test('that is slow is sent nothing more until it has taken what it has, and then the newest', () => {
    const { change, join } = aStream()
    const [slow, quick] = [join(), join()]
    slow.open = false
    for (let i = 0; i < 1000; i++) change()
    expect([slow.revisions, quick.revisions.length]).toEqual([[1, 2], 1001])
    slow.open = true
    slow.emit('drain')
    change()
    expect(slow.revisions).toEqual([1, 2, 1001, 1002])
  })

  test('that takes nothing for a minute is cut', () => {
    const { change, join, listeners } = aStream()
    const [deaf, quick] = [join(), join()]
    deaf.open = false
    change()
    vi.advanceTimersByTime(59_000)
    expect(deaf.destroyed).toBe(false)
    vi.advanceTimersByTime(16_000)
    expect([deaf.destroyed, quick.destroyed, listeners.size]).toEqual([true, false, 1])
  })

  test('hears a comment every 15 seconds while nothing changes', () => {
    const { join } = aStream()
    const reader = join()
    vi.advanceTimersByTime(45_000)
    expect(reader.taken.slice(1)).toEqual([': keep-alive\n\n', ': keep-alive\n\n', ': keep-alive\n\n'])
  })

  test('that was the last leaves no timer and no subscription', () => {
    const { join, listeners } = aStream()
    const readers = [join(), join()]
    for (const reader of readers) reader.destroy()
    expect([listeners.size, vi.getTimerCount()]).toEqual([0, 0])
  })

  test('is ended when the stream closes', () => {
    const { join, events, listeners } = aStream()
    const readers = [join(), join()]
    events.close()
    expect([readers.map(({ ended }) => ended), listeners.size]).toEqual([[true, true], 0])
  })

  test('shares one writing of a snapshot with all others', () => {
    const { join, change } = aStream()
    const readers = [join(), join()]
    const stringify = vi.spyOn(JSON, 'stringify')
    change()
    expect(stringify).toHaveBeenCalledTimes(1)
    stringify.mockRestore()
    expect(readers.map(({ revisions }) => revisions.at(-1))).toEqual([2, 2])
  })
})

test('nothing is computed while nobody watches', async () => {
  const { lexora, fake, baseline } = await setUp()
  const before = (await lexora.app.commands.snapshot()).revision
  const client = await watch(lexora.port)
  await client.until((text) => snapshotsIn(text).length === 1)
  client.destroy()
  await until(() => activeTimers() <= baseline)
  const after = (await lexora.app.commands.snapshot()).revision
  for (let i = 0; i < 20; i++) await ask(lexora.port, aChat())
  expect((await lexora.app.commands.snapshot()).revision).toBe(after + 1)
  expect(after).toBeGreaterThan(before + 1)
  await assertSettled(lexora, [fake], baseline)
})
