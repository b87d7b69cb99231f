import type { LimitRules, UserRules } from '../gateway/admission-controller.ts'
import type { AuthOptions } from '../gateway/authenticate.ts'
import { CommandError } from '../protocol/commands.ts'
import type { Config } from '../protocol/config.ts'
import { problem } from '../protocol/errors.ts'
import { nearestNames } from '../protocol/nearest-name.ts'
import { say } from '../protocol/sentence.ts'
import type { UserLoad } from '../protocol/snapshot.ts'
import { type KeyView, NO_LIMITS, type Scope, type UserLimits, type UserView } from '../protocol/users.ts'
import type { Accounts, StoredKey, StoredUser } from '../store/accounts.ts'
import type { UserDays } from '../telemetry/user-days.ts'
import { describeKey, mintSecret, type UserStanding } from '../users/api-key.ts'
import { authOptions, limitRules, userRules } from './gateway-options.ts'
import { isoOrNull } from './moments.ts'

export type PeopleOptions = {
  config: Config
  accounts: Accounts
  /** Why the accounts are not those of this Lexora, and nothing may be written into them; null: they are. */
  unusable: string | null
  days: UserDays
  now: () => number
  /** Told of the limits in force, at once and after each change. */
  onRules: (rules: LimitRules) => void
  /** Told of a key that is none any more. */
  onRevoked: (keyId: string) => void
  /** Who has something running or waiting. */
  loads: () => readonly UserLoad[]
}

/** What is to change of a user; what is left out stays. */
export type UserChange = Partial<UserLimits> & { expiresMs?: number | null; disabled?: boolean; note?: string | null }

const MAX_USERS = 10_000
const MAX_LIVE_KEYS = 100
/** Names under which statistics gather those who have none. */
const RESERVED = new Set(['anonymous', 'other'])
/** How soon a change by another Lexora of the same files is seen. */
const LOOK_MS = 1000
const MINUTE_MS = 60_000

/**
 * Who may call: users and keys of the configuration, which are only read, and those that Lexora keeps. Every change is
 * on the disk before it is told, and holds from the next request on.
 */
export class People {
  private readonly options: PeopleOptions
  private config: Config
  /** All that it listens at. */
  private hosts: readonly string[] | undefined
  /** What the gateway asks; changed in place. */
  readonly auth: AuthOptions
  private users = new Map<string, StoredUser>()
  private keys = new Map<string, StoredKey>()
  /** Of the configuration: whom it names, and its keys as they may be shown. */
  private ofFile: ReadonlySet<string> = new Set()
  private listed: readonly Omit<KeyView, 'lastUsed'>[] = []
  private lostKeys: string | null = null
  private version = 0
  private timer: NodeJS.Timeout | null = null

  constructor(options: PeopleOptions) {
    this.options = options
    this.config = options.config
    this.auth = authOptions(options.config)
    this.apply()
  }

  /** Sees what another process writes into the same file, until `close`. */
  watch(): void {
    this.timer ??= setInterval(() => this.look(), LOOK_MS).unref()
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  /** A new configuration: its keys, its users, its defaults. */
  reconfigure(config: Config, hosts: readonly string[]): void {
    this.config = config
    this.hosts = hosts
    Object.assign(this.auth, authOptions(config, hosts))
    this.apply()
  }

  /** Reads the store again and puts everything in force. */
  apply(): void {
    const { accounts, days, onRules } = this.options
    this.version = accounts.foreignVersion()
    this.users = new Map(accounts.users().map((user) => [user.name, user]))
    this.keys = new Map(accounts.keys().map((key) => [key.id, key]))
    this.lostKeys = accounts.lost()
    this.listed = listedKeys(this.config)
    this.ofFile = new Set([...Object.keys(this.config.rate_limit.users), ...this.listed.map(({ user }) => user)])
    const standings = new Map<string, UserStanding>()
    const rules = limitRules(this.config)
    const all = new Map<string, UserRules>(rules.users)
    for (const user of this.users.values()) {
      if (this.isOfFile(user.name)) continue
      const standing = { disabled: user.disabled, expiresMs: user.expiresMs }
      standings.set(user.name, standing)
      all.set(user.name, { ...userRules(user.limits, this.config.rate_limit), standing })
    }
    for (const name of this.names()) days.know(name)
    this.auth.keys.replaceMinted([...this.keys.values()], standings)
    this.failClosed()
    onRules({ ...rules, users: all })
  }

  /** The reasons for which operators should look at users and keys. */
  troubles(): string[] {
    const { accounts, unusable } = this.options
    if (unusable !== null)
      return [say`users and keys cannot be read (${unusable}); mend or move that file and start Lexora again`]
    const lost = this.lostKeys === null ? [] : [say`minted keys were lost (${this.lostKeys}); ${WAYS_ON}`]
    const fixed = accounts.readOnly === null ? [] : [say`users and keys can only be read (${accounts.readOnly})`]
    return [...lost, ...fixed]
  }

  isKnown(name: string): boolean {
    return this.users.has(name) || this.isOfFile(name)
  }

  list(): UserView[] {
    const loads = new Map(this.options.loads().map((load) => [load.name, load]))
    return [...this.names()].sort((a, b) => a.localeCompare(b)).map((name) => this.view(name, loads))
  }

  get(name: string): UserView {
    return this.view(name, new Map(this.options.loads().map((load) => [load.name, load])))
  }

  create(name: string, change: UserChange): UserView {
    if (this.isKnown(name) || RESERVED.has(name)) throw refused(say`There is a user '${name}' already.`, 'name')
    if (this.users.size >= MAX_USERS) throw refused(say`There are ${MAX_USERS} users already.`, 'name')
    const user = {
      name,
      limits: NO_LIMITS,
      disabled: false,
      expiresMs: null,
      note: null,
      createdMs: this.options.now(),
    }
    this.save(() => this.options.accounts.putUser(changed(user, change)))
    return this.get(name)
  }

  update(name: string, change: UserChange): UserView {
    const user = this.storedUser(name)
    this.save(() => this.options.accounts.putUser(changed(user, change)))
    return this.get(name)
  }

  /** Answers how many keys went with him. */
  delete(name: string): number {
    this.storedUser(name)
    const keys = [...this.keys.values()].filter(({ user }) => user === name)
    this.save(() => this.options.accounts.deleteUser(name))
    for (const { id } of keys) this.options.onRevoked(id)
    return keys.length
  }

  listKeys(user: string | undefined): KeyView[] {
    if (user !== undefined && !this.isKnown(user)) throw this.unknownUser(user, 'user')
    const listed = this.listed.map((key) => ({ ...key, lastUsed: this.lastUsed(key.id) }))
    const all: KeyView[] = [...listed, ...[...this.keys.values()].map((key) => this.keyView(key))]
    return user === undefined ? all : all.filter((key) => key.user === user)
  }

  createKey(given: { user: string; label: string | null; scopes: Scope[]; expiresMs: number | null }) {
    if (!this.isKnown(given.user)) throw this.unknownUser(given.user, 'user')
    if (this.liveKeys(given.user).length >= MAX_LIVE_KEYS)
      throw refused(say`This user has ${MAX_LIVE_KEYS} keys already; revoke one.`, 'user')
    const { secret, key } = this.mint(given)
    this.save(() => this.options.accounts.putKeys(key))
    return { key: this.keyView(key), secret }
  }

  rotateKey(id: string, overlapMinutes: number) {
    const old = this.storedKey(id)
    const now = this.options.now()
    if (!isLive(old, now)) throw refused(say('This key is none any more; mint another one.'), 'id')
    const { secret, key } = this.mint(old)
    const endsMs = now + overlapMinutes * MINUTE_MS
    const ending: StoredKey =
      overlapMinutes === 0
        ? { ...old, revokedMs: now }
        : { ...old, expiresMs: Math.min(endsMs, old.expiresMs ?? endsMs) }
    this.save(() => this.options.accounts.putKeys(ending, key))
    if (overlapMinutes === 0) this.options.onRevoked(id)
    return { key: this.keyView(key), secret }
  }

  revokeKey(id: string): KeyView {
    const key = this.storedKey(id)
    if (key.revokedMs === null) {
      this.save(() => this.options.accounts.putKeys({ ...key, revokedMs: this.options.now() }))
      this.options.onRevoked(id)
    }
    return this.keyView(this.keys.get(id)!)
  }

  /** Answers whether any were lost. */
  forgetLost(): boolean {
    if (this.lostKeys === null) return false
    this.save(() => this.options.accounts.forgetLost())
    return true
  }

  private look(): void {
    if (this.options.accounts.foreignVersion() === this.version) return
    const before = this.keys
    this.apply()
    for (const { id, revokedMs } of before.values()) {
      if (revokedMs === null && this.keys.get(id)?.revokedMs !== null) this.options.onRevoked(id)
    }
  }

  /** Where keys were lost nobody is served as if there had been none. */
  private failClosed(): void {
    const lost = this.options.unusable ?? this.lostKeys
    const { mode } = authOptions(this.config, this.hosts)
    this.auth.lost = lost
    this.auth.mode = lost !== null && mode === 'loopback' ? 'required' : mode
  }

  /** Writes and puts it in force; where the disk does not take it nothing has changed. */
  private save(write: () => void): void {
    const { unusable } = this.options
    try {
      if (unusable !== null) throw new Error(unusable)
      write()
    } catch (error) {
      const message = say`Users and keys cannot be written (${(error as Error).message}). Nothing was changed.`
      // 507 Insufficient Storage (RFC 4918, 11.5).
      throw new CommandError(problem('overloaded', message, { status: 507 }))
    }
    this.apply()
  }

  private mint(given: Pick<StoredKey, 'user' | 'label' | 'scopes' | 'expiresMs'>): { secret: string; key: StoredKey } {
    const { secret, digest, id, hint } = mintSecret()
    const { user, label, scopes, expiresMs } = given
    if (this.keys.has(id)) return this.mint(given)
    const createdMs = this.options.now()
    return { secret, key: { id, digest, hint, user, label, scopes, createdMs, expiresMs, revokedMs: null } }
  }

  private names(): Set<string> {
    return new Set([...this.ofFile, ...this.users.keys()].filter((name) => name !== NO_USER))
  }

  private isOfFile(name: string): boolean {
    return this.ofFile.has(name)
  }

  private storedUser(name: string): StoredUser {
    if (this.isOfFile(name)) throw refused(say`'${name}' stands in the configuration file; change it there.`, 'name')
    const user = this.users.get(name)
    if (user === undefined) throw this.unknownUser(name, 'name')
    return user
  }

  private storedKey(id: string): StoredKey {
    const key = this.keys.get(id)
    if (key !== undefined) return key
    if (this.listed.some((one) => one.id === id))
      throw refused(say('This key stands in the configuration file; change it there.'), 'id')
    throw new CommandError(problem('not_found', say('There is no key of this id.'), { param: 'id' }))
  }

  private unknownUser(name: string, param: string): CommandError {
    const near = nearestNames(name, [...this.names()], 2)
    const message =
      near.length > 0
        ? say`There is no user '${name}'. Did you mean ${near.join(' or ')}?`
        : say`There is no user '${name}'.`
    return new CommandError(problem('not_found', message, { param }))
  }

  private liveKeys(user: string): StoredKey[] {
    const now = this.options.now()
    return [...this.keys.values()].filter((key) => key.user === user && isLive(key, now))
  }

  private view(name: string, loads: ReadonlyMap<string, UserLoad>): UserView {
    const { days, now } = this.options
    const stored = this.isOfFile(name) ? undefined : this.users.get(name)
    const listed = this.config.rate_limit.users[name]
    const load = loads.get(name)
    return {
      name,
      source: stored === undefined ? 'file' : 'store',
      disabled: stored?.disabled ?? false,
      expires: isoOrNull(stored?.expiresMs ?? null),
      note: stored?.note ?? null,
      limits: stored?.limits ?? (listed === undefined ? NO_LIMITS : { ...NO_LIMITS, ...listed }),
      keys: this.listed.filter(({ user }) => user === name).length + this.liveKeys(name).length,
      created: isoOrNull(stored?.createdMs ?? null),
      now: { running: load?.inFlight ?? 0, waiting: load?.waiting ?? 0 },
      today: days.today(name, now()),
      lastSeen: isoOrNull(days.lastSeen(name)),
      lastFrom: days.lastFrom(name),
    }
  }

  private keyView(key: StoredKey): KeyView {
    const { id, user, label, scopes, hint, createdMs, expiresMs, revokedMs } = key
    return {
      id,
      user,
      label,
      scopes: [...scopes],
      source: 'store',
      hint,
      created: isoOrNull(createdMs),
      expires: isoOrNull(expiresMs),
      lastUsed: this.lastUsed(id),
      revoked: isoOrNull(revokedMs),
    }
  }

  private lastUsed(id: string): string | null {
    const at = this.options.days.keyLastUsed(id)
    return at === null ? null : isoOrNull(at - (at % MINUTE_MS))
  }
}

/** Of a key that the configuration gives to nobody. */
const NO_USER = ''
const WAYS_ON = say('put them back with `lexora restore FILE`, or go on without them with `lexora keys forget-lost`')

/** The keys of the configuration, without what they open. */
function listedKeys({ auth }: Config): Omit<KeyView, 'lastUsed'>[] {
  return auth.api_keys.map((entry) => {
    const { key, user } = typeof entry === 'string' ? { key: entry, user: NO_USER } : entry
    const { id, hint } = describeKey(key)
    const nothing = { label: null, created: null, expires: null, revoked: null }
    return { id, user, scopes: ['inference'], source: 'file' as const, hint, ...nothing }
  })
}

function isLive({ revokedMs, expiresMs }: StoredKey, now: number): boolean {
  return revokedMs === null && (expiresMs === null || expiresMs > now)
}

function changed(user: StoredUser, change: UserChange): StoredUser {
  const { expiresMs = user.expiresMs, disabled = user.disabled, note = user.note, ...limits } = change
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
  return { ...user, expiresMs, disabled, note, limits: { ...user.limits, ...given } }
}

function refused(message: string, param: string): CommandError {
  return new CommandError(problem('invalid_request', message, { param }))
}
