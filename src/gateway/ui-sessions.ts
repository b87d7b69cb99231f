import { createHash, randomBytes } from 'node:crypto'

const LINK_MS = 10 * 60_000
const MAX_LINKS = 32
const MAX_SESSIONS = 256
/** Wrong keys in a minute, from anybody: more is a program that guesses. */
const MAX_WRONG = 20
const WRONG_WINDOW_MS = 60_000

/**
 * Who may use the window in a browser. Links are good once and for ten minutes; sessions last as long as this process.
 * Only digests are kept. `now` in ms since 1970.
 */
export class UiSessions {
  private readonly links = new Map<string, number>()
  private readonly sessions = new Set<string>()
  private readonly now: () => number
  private wrong: number[] = []

  constructor(now: () => number = Date.now) {
    this.now = now
  }

  /** A token for a link that opens one session. */
  newLink(): { token: string; expiresAt: Date } {
    const token = newToken()
    const expires = this.now() + LINK_MS
    this.links.set(digest(token), expires)
    dropOldest(this.links, MAX_LINKS)
    return { token, expiresAt: new Date(expires) }
  }

  /** The session of a link that was not used yet; null: wrong, used, or too late. */
  enter(token: string): string | null {
    const key = digest(token)
    const expires = this.links.get(key)
    this.links.delete(key)
    return expires !== undefined && this.now() < expires ? this.open() : null
  }

  /** A session for somebody who has proven who he is. */
  open(): string {
    const session = newToken()
    this.sessions.add(digest(session))
    dropOldest(this.sessions, MAX_SESSIONS)
    return session
  }

  has(session: string): boolean {
    return this.sessions.has(digest(session))
  }

  end(session: string): void {
    this.sessions.delete(digest(session))
  }

  /** Ms until another try is taken; 0: now. */
  get waitMs(): number {
    const now = this.now()
    this.wrong = this.wrong.filter((at) => now - at < WRONG_WINDOW_MS)
    return this.wrong.length < MAX_WRONG ? 0 : WRONG_WINDOW_MS - (now - this.wrong[0]!)
  }

  countWrong(): void {
    this.wrong.push(this.now())
  }
}

function newToken(): string {
  return randomBytes(32).toString('base64url')
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function dropOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return
    kept.delete(key)
  }
}
