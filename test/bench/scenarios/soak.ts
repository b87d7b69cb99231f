import { API_KEY } from '../lexora-config.ts'
import { type Bench, type Measured, pause } from '../measure.ts'
import { residentBytes } from '../procfs.ts'
import { chatRequest } from '../requests.ts'
import { available, withFresh } from '../targets.ts'

const REQUESTS = 1_000_000
const PARTS = 10
const LOOK_EVERY_MS = 100
/** The bound only ends a run that would never end. */
const WITHIN_MS = 600_000
const HEAP = /^nodejs_heap_size_used_bytes (\S+)$/m

type Part = { requests: number; floorBytes: number }

/**
 * A million whole answers through one process: what each leaves in the heap. Between collections a heap only grows, so
 * the lowest of many looks is taken for each tenth; the first tenth, in which caches and rings fill, counts for nothing.
 */
export async function soak(bench: Bench): Promise<Measured> {
  const [name] = available(bench, ['lexora'])
  if (name === undefined) return { rows: [], notes: [] }
  return withFresh(bench, name, async ({ port, pid }) => {
    const { mock, load } = bench.rig
    await mock.call('behave', { is: 'json' })
    await load.call('loop', { port, request: chatRequest({ stream: false }), connections: 64, events: 0 })
    const parts: Part[] = []
    let [requests, failed] = [0, 0]
    const deadline = performance.now() + WITHIN_MS
    try {
      for (let part = 1; part <= PARTS; part++) {
        let floorBytes = Number.POSITIVE_INFINITY
        while (requests < (REQUESTS * part) / PARTS) {
          if (performance.now() > deadline) throw new Error(`only ${requests} requests within ${WITHIN_MS / 1000} s`)
          await pause(LOOK_EVERY_MS)
          floorBytes = Math.min(floorBytes, await heapBytes(port))
          const counted = await load.call('loopTake')
          requests += counted.answers
          failed += counted.failed
        }
        parts.push({ requests, floorBytes })
      }
    } finally {
      await load.call('loopStop')
    }
    const rssMb = residentBytes(pid ?? 0) / 2 ** 20
    const heapBytesPerRequest = slope(parts.slice(1))
    const floors = parts.map(({ floorBytes }) => (floorBytes / 2 ** 20).toFixed(1)).join(', ')
    return {
      rows: [{ target: name, figures: { requests, heapBytesPerRequest, failed, rssMb } }],
      notes: [`lowest heap of each tenth: ${floors} MB`],
    }
  })
}

async function heapBytes(port: number): Promise<number> {
  const headers = { authorization: `Bearer ${API_KEY}` }
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers })
  const bytes = HEAP.exec(await answer.text())?.[1]
  if (bytes === undefined) throw new Error(`/metrics does not tell the heap: ${answer.status}`)
  return Number(bytes)
}

/** Least squares: bytes for each request. */
function slope(parts: readonly Part[]): number {
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(parts.map(({ requests }) => requests))
  const y = mean(parts.map(({ floorBytes }) => floorBytes))
  const over = parts.reduce((sum, part) => sum + (part.requests - x) * (part.floorBytes - y), 0)
  return over / parts.reduce((sum, part) => sum + (part.requests - x) ** 2, 0)
}
