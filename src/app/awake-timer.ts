const LOOK_MS = 100

/**
 * Calls once after so many milliseconds, of which a stretch in which this program was too busy to hear anything counts
 * as one short look: a plain timer is due before what came meanwhile is heard, and its own silence would be taken for
 * the other's. Returns what ends it.
 */
export function awakeTimer(ms: number, onLate: () => void): () => void {
  let left = Math.ceil(ms / LOOK_MS)
  const timer = setInterval(() => {
    if (--left > 0) return
    clearInterval(timer)
    onLate()
  }, LOOK_MS)
  return () => clearInterval(timer)
}
