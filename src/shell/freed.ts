import type { StopReceipt } from '../protocol/engine.ts'
import type { Say } from './words.ts'

/** What freeing the GPU brought back, for people. */
export function freedSaid(freed: readonly { receipt: StopReceipt | null }[], say: Say): string {
  if (freed.length === 0) return say('notice.freed.nothing')
  const told = freed.map(({ receipt }) => receipt?.freedBytes ?? null).filter((bytes) => bytes !== null)
  if (told.length === 0) return say('notice.freed.unknown')
  const bytes = told.reduce((sum, one) => sum + one, 0)
  return say('notice.freed.body', { size: (bytes / 1024 ** 3).toFixed(1) })
}
