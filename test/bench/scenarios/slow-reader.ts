import { type Bench, type Figures, type Measured, pause, until } from '../measure.ts'
import type { Flood } from '../mock.ts'
import { residentBytes, type SocketQueues, socketQueues } from '../procfs.ts'
import { chatRequest } from '../requests.ts'
import type { Target } from '../rig.ts'
import { available, withFresh } from '../targets.ts'

const READERS = 8
const OFFERED_BYTES = 200 * 2 ** 20
/** Nothing moved for so long: everything is full. */
const STILL_MS = 500

/** Eight clients ask for 200 MiB each and do not read: what the target holds beyond the kernel's socket buffers. */
export async function slowReader(bench: Bench): Promise<Measured> {
  const rows = []
  for (const name of available(bench, ['bare', 'lexora', 'pipe'])) {
    rows.push({ target: name, figures: await withFresh(bench, name, (target) => stall(bench, target)) })
  }
  return { rows, notes: [`${READERS} readers; held = pushed by the mock - read by the client - kernel's queues`] }
}

async function stall({ rig }: Bench, target: Target): Promise<Figures> {
  const { mock, load } = rig
  const idleBytes = target.pid === null ? 0 : residentBytes(target.pid)
  await mock.call('behave', { is: 'flood', bytes: OFFERED_BYTES })
  await load.call('slow', { port: target.port, request: chatRequest({ stream: true }), count: READERS })
  try {
    const floods = await allStill(() => mock.call('floods'))
    const queues = socketQueues()
    const grownBytes = target.pid === null ? 0 : residentBytes(target.pid) - idleBytes
    const readers = await load.call('slowState')

    // Proxies may frame their chunks anew, so all is compared in payload: what waits below the client is read to its end.
    await mock.call('freeze')
    const reached = await load.call(
      'slowReadTo',
      readers.map(({ localPort, wireBytes }) => ({
        localPort,
        wireBytes: wireBytes + between(queues, target.port, localPort),
      })),
    )
    const delivered = reached.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0)
    const pushed = floods.reduce((sum, flood) => sum + payloadPast(queues, rig.mockPort, flood), 0)
    return {
      heldKb: (pushed - delivered) / READERS / 1024,
      rssGrowthKb: grownBytes / READERS / 1024,
      pushedMb: floods.reduce((sum, { wireBytes }) => sum + wireBytes, 0) / READERS / 2 ** 20,
    }
  } finally {
    await load.call('slowStop')
    await until(
      'the end of the floods',
      () => mock.call('calls'),
      ({ open }) => open === 0,
    )
  }
}

async function allStill(read: () => Promise<Flood[]>): Promise<Flood[]> {
  const total = (floods: Flood[]) => floods.reduce((sum, { wireBytes }) => sum + wireBytes, 0)
  let seen = await until('every flood', read, (floods) => floods.length === READERS)
  for (;;) {
    await pause(STILL_MS)
    const now = await read()
    if (now.length < READERS) throw new Error('a stream of 200 MiB went through although nobody read it')
    if (total(now) === total(seen)) return now
    seen = now
  }
}

/** Payload that has left the mock and is no longer in the kernel between it and the proxy. */
function payloadPast(queues: Map<string, SocketQueues>, mockPort: number, flood: Flood): number {
  const payloadShare = flood.payloadBytes / flood.wireBytes
  return flood.payloadBytes - between(queues, mockPort, flood.remotePort) * payloadShare
}

/** Bytes on their way from a server's port to one client: not yet sent, and not yet read. */
function between(queues: Map<string, SocketQueues>, serverPort: number, clientPort: number): number {
  const sending = queues.get(`${serverPort}:${clientPort}`)
  const receiving = queues.get(`${clientPort}:${serverPort}`)
  if (!sending || !receiving) throw new Error(`no socket between ${serverPort} and ${clientPort}`)
  return sending.unsentBytes + receiving.unreadBytes
}
