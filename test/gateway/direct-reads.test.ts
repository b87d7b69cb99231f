import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { DIRECT_READS, PIECE_BYTES, readDirectly } from '../../src/backends/direct-reads.ts'

const KERNEL_READ_BYTES = 32 * 1024
const open: { destroy(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.destroy()
})

/** Both ends of a connection; `near` reads directly. */
async function connected(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ noDelay: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', onread: DIRECT_READS })
  near.on('error', () => undefined)
  readDirectly(near)
  const [far] = (await once(server, 'connection')) as [Socket]
  open.push(near, far, { destroy: () => server.close() })
  far.on('error', () => undefined)
  return { near, far }
}

/** All that `near` gets until its end, taken as soon as it is told of. */
async function everything(near: Socket): Promise<Buffer> {
  const parts: Buffer[] = []
  near.on('readable', () => {
    for (let part = near.read(); part !== null; part = near.read()) parts.push(part)
  })
  await once(near, 'end')
  return Buffer.concat(parts)
}

test.each([1, PIECE_BYTES, KERNEL_READ_BYTES, KERNEL_READ_BYTES + 1, 3_000_000])(
  '%d bytes arrive as they were sent, and then the end',
  async (length) => {
    const { near, far } = await connected()
    const sent = randomBytes(length)
    far.end(sent)
    expect((await everything(near)).equals(sent)).toBe(true)
  },
)

test('what is told of in one turn outlives what other sockets read after it', async () => {
  const pairs = await Promise.all([connected(), connected(), connected()])
  const got = pairs.map(({ near }) => everything(near))
  const sent = pairs.map((_, n) => Array.from({ length: 50 }, (_, at) => Buffer.from(`${n}:${at} `.repeat(20))))
  for (let at = 0; at < 50; at++) {
    for (const [n, { far }] of pairs.entries()) far.write(sent[n]![at]!)
    await turn()
  }
  for (const { far } of pairs) far.end()
  const texts = (await Promise.all(got)).map(String)
  expect(texts).toEqual(sent.map((parts) => String(Buffer.concat(parts))))
})

test('a reader that stops gets little, holds one read of the kernel at most, and loses nothing', async () => {
  const { near, far } = await connected()
  const sent = randomBytes(20_000_000)
  far.end(sent)
  near.on('readable', () => undefined)
  const parts: Buffer[] = []
  let taken = 0
  let most = 0
  while (!near.readableEnded) {
    const part: Buffer | null = near.read()
    if (part !== null) {
      expect(part.length).toBeLessThanOrEqual(PIECE_BYTES)
      parts.push(part)
      taken += part.length
    }
    most = Math.max(most, near.bytesRead - taken)
    if (part === null || parts.length % 50 === 0) await turn()
  }
  expect(Buffer.concat(parts).equals(sent)).toBe(true)
  expect(most).toBeLessThanOrEqual(KERNEL_READ_BYTES)
})

test('what a reader puts back comes first, and does not make the socket read on', async () => {
  const { near, far } = await connected()
  const sent = randomBytes(400_000)
  far.end(sent)
  near.on('readable', () => undefined)
  const kept: Buffer[] = []
  let taken = 0
  let most = 0
  for (let step = 0; !near.readableEnded; step++) {
    const part: Buffer | null = near.read()
    if (part === null) {
      await turn()
      continue
    }
    // Of three pieces one is put back in part, and one as a copy: the neighbours in memory are not its neighbours.
    const keep = step % 3 === 0 ? Math.ceil(part.length / 3) : part.length
    const rest = part.subarray(keep)
    if (rest.length > 0) near.unshift(step % 2 === 0 ? rest : Buffer.from(rest))
    kept.push(part.subarray(0, keep))
    taken += keep
    most = Math.max(most, near.bytesRead - taken)
    if (step % 7 === 0) await turn()
  }
  expect(Buffer.concat(kept).equals(sent)).toBe(true)
  expect(most).toBeLessThanOrEqual(KERNEL_READ_BYTES)
})

test('an end that comes while bytes are held waits until they were taken', async () => {
  const { near, far } = await connected()
  const seen: string[] = []
  near.on('end', () => seen.push('end'))
  const told = once(near, 'readable')
  far.end('the last words')
  await told
  for (let n = 0; n < 20; n++) await turn()
  expect(seen).toEqual([])
  const end = once(near, 'end')
  const last = near.read()
  near.read()
  await end
  expect(String(last)).toBe('the last words')
})

test('a socket that its reader destroys tells of nothing more', async () => {
  const { near, far } = await connected()
  let told = 0
  near.on('readable', () => {
    told++
    near.read()
    near.destroy()
  })
  far.write('first')
  await once(near, 'close')
  far.write('second')
  for (let n = 0; n < 20; n++) await turn()
  expect(told).toBe(1)
})
