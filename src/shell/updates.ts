import { existsSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Agent } from 'undici'
import type { InstallKind } from '../policy/update-verdict.ts'
import type { UpdateView } from '../protocol/desktop.ts'
import { countedConnect } from '../telemetry/counted-connect.ts'
import { type Feed, fetchOffer, isStillWhole, type Offer, Refused, readFeed, readOffer } from './update-feed.ts'
import type { Installer } from './update-installer.ts'

export type UpdateParts = {
  /** As set, read by `feedSetting`. */
  feed: unknown
  /** Null: an installation that is not replaced by itself. */
  kind: InstallKind | null
  version: string
  arch: string
  /** For what has been fetched; nobody else's. */
  folder: string
  installer: (kind: InstallKind, offer: Offer) => Promise<Installer>
  /** Why nobody may be asked at an address, if so. `unknown`: that is not known yet, so that nobody is asked. */
  restsFor: (url: string) => 'offline' | 'blocked' | 'unknown' | null
  /** Told when the feed is asked. */
  onAsk: (url: string) => void
  /** Told of every connection. */
  onSocket: (address: string, socket: Socket) => void
  onChange: () => void
  log: (message: string, fields: Record<string, unknown>) => void
}

const FIRST_AFTER_MS = 60_000
const EVERY_MS = 6 * 3_600_000

/**
 * Newer versions of this app: looked for, fetched and checked while it runs, installed only when it ends because somebody
 * wants it to. Without a feed it does nothing and asks nobody. Any doubt is a refusal, and what runs goes on.
 */
export class Updates {
  private readonly parts: UpdateParts
  private readonly feed: Feed | null
  private readonly ended = new AbortController()
  private looking = new AbortController()
  private state: UpdateView
  private fetched: { path: string; offer: Offer } | null = null
  private timer: NodeJS.Timeout | null = null
  private checking: Promise<void> | null = null

  constructor(parts: UpdateParts) {
    this.parts = parts
    const feed = readFeed(parts.feed)
    this.feed = typeof feed === 'string' || parts.kind === null ? null : feed
    if (typeof feed === 'string') parts.log('updates are off: their setting is wrong', { reason: feed })
    if (feed === null) this.state = { is: 'off', why: 'no-feed' }
    else if (typeof feed === 'string') this.state = { is: 'off', why: 'bad-feed' }
    else this.state = parts.kind === null ? { is: 'off', why: 'no-way' } : { is: 'waiting' }
  }

  view(): UpdateView {
    const why = this.state.is === 'ready' ? null : this.whyResting
    return why === null || why === 'unknown' ? this.state : { is: 'off', why }
  }

  /** The version that a restart would bring. */
  get ready(): string | null {
    return this.state.is === 'ready' ? this.state.version : null
  }

  /** Somebody wants the restart; it waits until nothing runs. */
  get isAsked(): boolean {
    return this.state.is === 'ready' && this.state.asked
  }

  begin(): void {
    if (this.feed !== null) this.later(FIRST_AFTER_MS)
  }

  ask(): void {
    if (this.state.is === 'ready') this.become({ ...this.state, asked: true })
  }

  /** Looks once, also while another look is under way. Never throws. */
  check(): Promise<void> {
    if (this.feed === null || this.fetched !== null) return Promise.resolve()
    if (this.whyResting !== null) {
      this.later(FIRST_AFTER_MS)
      return Promise.resolve()
    }
    this.checking ??= this.look(this.feed, this.parts.kind!).finally(() => {
      this.checking = null
      this.later(EVERY_MS)
    })
    return this.checking
  }

  /** Ends a look that is under way where nobody may be asked any more; the next one is a usual one. */
  restIfDue(): void {
    const why = this.whyResting
    if (why === 'offline' || why === 'blocked') this.looking.abort()
  }

  private get whyResting(): ReturnType<UpdateParts['restsFor']> {
    return this.feed === null ? null : this.parts.restsFor(this.feed.url)
  }

  /** At the very end, when everything else has stopped. False: nothing was installed. */
  async install(relaunch: boolean): Promise<boolean> {
    const { fetched, parts } = this
    if (fetched === null || this.state.is !== 'ready') return false
    const { offer, path } = fetched
    try {
      if (!(await isStillWhole(path, offer.file))) throw new Refused('hash', `${path} has changed since it was fetched`)
      const installer = await parts.installer(parts.kind!, offer)
      await installer.stage(path)
      if (!installer.install(relaunch)) throw new Refused('installer', 'the installer of this system refused')
      parts.log('a newer version is installed', { version: offer.version })
      return true
    } catch (error) {
      this.refuse(error, 'installer')
      return false
    }
  }

  close(): void {
    this.ended.abort()
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private async look(feed: Feed, kind: InstallKind): Promise<void> {
    const { version, arch, folder } = this.parts
    this.looking = new AbortController()
    const via = new Agent({ connect: countedConnect(this.parts.onSocket) })
    const resting = this.looking.signal
    const signal = AbortSignal.any([this.ended.signal, resting])
    try {
      this.become({ is: 'checking' })
      this.parts.onAsk(feed.url)
      const offer = await readOffer({ ...feed, via }, { version, kind, arch }, signal)
      if (offer === null) return this.become({ is: 'none' })
      this.become({ is: 'loading', version: offer.version })
      this.parts.onAsk(feed.url)
      this.fetched = { path: await fetchOffer({ ...feed, via }, offer, folder, signal), offer }
      this.become({ is: 'ready', version: offer.version, asked: false })
    } catch (error) {
      if (resting.aborted) this.become({ is: 'waiting' })
      else this.refuse(error, 'unreachable')
    } finally {
      void via.destroy()
    }
  }

  private refuse(error: unknown, otherwise: 'unreachable' | 'installer'): void {
    this.fetched = null
    if (this.ended.signal.aborted) return
    const why = error instanceof Refused ? error.why : otherwise
    this.parts.log('an update was refused', { why, reason: (error as Error).message })
    this.become({ is: 'refused', why })
  }

  private become(state: UpdateView): void {
    this.state = state
    this.parts.onChange()
  }

  private later(ms: number): void {
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.ended.signal.aborted) return
    this.timer = setTimeout(() => void this.check(), ms)
    this.timer.unref()
  }
}

/** The feed that is set: by the person, in the preferences' file; else by who made the package. */
export function feedSetting(preference: unknown, resources: string | null): unknown {
  if (preference !== undefined || resources === null) return preference
  try {
    return JSON.parse(readFileSync(join(resources, 'update-feed.json'), 'utf8'))
  } catch {
    return undefined
  }
}

/** Null: it is a folder that somebody unpacked, a working copy, or a system whose packages are not signed yet. */
export function installKind({
  resources,
  platform,
  execPath,
  appImage,
}: {
  resources: string | null
  platform: NodeJS.Platform
  execPath: string
  appImage: string | undefined
}): InstallKind | null {
  if (resources === null) return null
  if (platform === 'win32') return 'nsis'
  if (platform !== 'linux') return null
  if (appImage !== undefined && appImage !== '') return 'AppImage'
  const path = join(resources, 'package-type')
  // The same folder is in the tar.gz, which may lie anywhere.
  if (!execPath.startsWith('/opt/') || !existsSync(path)) return null
  const kind = readFileSync(path, 'utf8').trim()
  return kind === 'deb' || kind === 'rpm' ? kind : null
}
