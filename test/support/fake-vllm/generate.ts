import { createHash } from 'node:crypto'

/** What one sequence says: its tokens, and why it ends. */
export type Generation = { pieces: string[]; finish: 'stop' | 'length' | 'tool_calls'; stopReason: string | null }

type Wish = {
  /** Equal seeds speak equally. */
  seed: string
  /** Most tokens there is room for. */
  room: number
  /** The request's own limit; null where it named none. */
  maxTokens: number | null
  /** Length where the request named no limit. */
  tokens: number
  stop: string[]
  /** A text that has to come, as with a JSON schema. */
  forced?: string
}

const WORDS =
  ' the gate way ser ves one ste ady ad dress for eve ry loc al app and each tok en cos ts a lit tle time so it is cou nted here'
    .split(' ')
    .slice(1)
    .map((word) => ` ${word}`)

export function generate(wish: Wish): Generation {
  const limit = Math.min(
    wish.maxTokens ?? (wish.forced === undefined ? wish.tokens : Number.POSITIVE_INFINITY),
    wish.room,
  )
  const all = wish.forced === undefined ? words(wish.seed, limit) : (wish.forced.match(/[\s\S]{1,4}/g) ?? [])
  const pieces = all.slice(0, limit)
  const stopped = cutAtStop(pieces, wish.stop)
  if (stopped) return stopped
  const whole =
    wish.forced === undefined ? wish.maxTokens === null && limit === wish.tokens : pieces.length === all.length
  return { pieces, finish: whole ? 'stop' : 'length', stopReason: null }
}

function words(seed: string, count: number): string[] {
  const bytes = createHash('sha256').update(seed).digest()
  return Array.from({ length: count }, (_, at) => WORDS[(bytes[at % bytes.length]! + at) % WORDS.length]!)
}

function cutAtStop(pieces: string[], stop: string[]): Generation | null {
  const text = pieces.join('')
  const found = stop.map((word) => ({ word, at: text.indexOf(word) })).filter(({ at }) => at >= 0)
  const first = found.sort((one, other) => one.at - other.at)[0]
  if (!first) return null
  let left = first.at
  const kept: string[] = []
  for (const piece of pieces) {
    if (left <= 0 && kept.length > 0) break
    kept.push(piece.slice(0, left))
    left -= piece.length
  }
  return { pieces: kept, finish: 'stop', stopReason: first.word }
}

/** The tokens of several sequences in the order in which a stream sends them: one of each, in turn. */
export function* inTurns(sequences: Generation[]): Iterable<{ said: Generation; index: number; at: number }> {
  const longest = Math.max(...sequences.map(({ pieces }) => pieces.length))
  for (let at = 0; at < longest; at += 1) {
    for (const [index, said] of sequences.entries()) if (at < said.pieces.length) yield { said, index, at }
  }
}

/** A short name made of what it stands for, where vLLM draws a random one: so equal requests have equal answers. */
export function digest(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}
