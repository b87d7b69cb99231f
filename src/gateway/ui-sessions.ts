import { createHash, randomBytes } from 'node:crypto'

const LINK_MS = 10 * 60_000
const MAX_LINKS = 32
const MAX_SESSIONS = 256
/** reliability.md 3.2, 13. A window that watches is in use. */
const SESSION_IDLE_MS = 30 * 60_000
const SESSION_MS = 12 * 3_600_000
/** Wrong keys in a minute, from anybody: more is a program that guesses. */
const MAX_WRONG = 20
const WRONG_WINDOW_MS = 60_000

/**
 * Who may use the window in a browser. Links are good once and for ten minutes; sessions end half an hour
 * after their last use, and after twelve hours in any case. Only digests are kept. `now` in ms since 1970.
 */
export class UiSessions {
  private readonly links = new Map<string, number>()
  private readonly sessions = new Map<string, { begun: number; used: number }>()
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
    const now = this.now()
    this.sessions.set(digest(session), { begun: now, used: now })
    dropOldest(this.sessions, MAX_SESSIONS)
    return session
  }

  /** Asking is using. */
  has(session: string): boolean {
    const key = digest(session)
    const known = this.sessions.get(key)
    if (known === undefined) return false
    const now = this.now()
    if (now - known.used < SESSION_IDLE_MS && now - known.begun < SESSION_MS) {
      known.used = now
      return true
    }
    this.sessions.delete(key)
    return false
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

function dropOldest(kept: Map<string, unknown>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return
    kept.delete(key)
  }
}
