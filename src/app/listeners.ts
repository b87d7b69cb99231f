import { type AddressInfo, isIP } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../protocol/config.ts'
import { listenHosts } from './gateway-options.ts'
import type { Certificate } from './tls.ts'

/** A busy address: who asked for it is told, and who holds it where the system knows. */
export class PortTakenError extends Error {
  readonly port: number

  constructor(host: string, port: number) {
    super(`${host}:${port} is in use`)
    this.port = port
  }
}

/** What opens and closes addresses. */
export type Listening = {
  listen(host: string, port: number, certificate: Certificate | null): Promise<AddressInfo>
  retire(address: AddressInfo): void
  renew(certificate: Certificate): void
  /** Ends what other machines have open where Lexora is not served any more. */
  cutOff(isServedAt: (localAddress: string) => boolean): void
}

/** `stuck`: settings that cannot take effect; `lost`: hosts that were let go for them, and that somebody has taken since. */
export type ListenersChange = { stuck: string[]; lost: string[]; commit(): void }

type Open = { host: string; for: 'server' | 'metrics'; at: AddressInfo }
type Wanted = { id: string; host: string; port: number; for: Open['for'] }

/** An address that was held a moment ago may take the system a moment. */
const TRIES = 20
const BETWEEN_TRIES_MS = 25

/**
 * The addresses that Lexora listens at. Another configuration opens its own first; only then are the old ones closed.
 * Where an old one is in the way of a new one (127.0.0.1 of 0.0.0.0) it is let go first, and taken back where that fails.
 */
export class Listeners {
  private readonly gateway: Listening
  private readonly open = new Map<string, Open>()
  private config: Config
  private certificate: Certificate | null
  /** What is told while an address is being changed for another. */
  private known: AddressInfo[] = []

  constructor(gateway: Listening, config: Config, certificate: Certificate | null) {
    this.gateway = gateway
    this.config = config
    this.certificate = certificate
  }

  /** The gateway's own first. */
  get addresses(): AddressInfo[] {
    const serving = [...this.open.values()].filter((one) => one.for === 'server')
    if (serving.length === 0) return this.known
    const metrics = [...this.open.values()].filter((one) => one.for === 'metrics')
    return [...serving, ...metrics].map(({ at }) => at)
  }

  /** The gateway's own. */
  get serving(): AddressInfo[] {
    return [...this.open.values()].filter((one) => one.for === 'server').map(({ at }) => at)
  }

  /** As they were configured, of those that are open. */
  get hosts(): string[] {
    return [...new Set([...this.open.values()].map(({ host }) => host))]
  }

  get isSecure(): boolean {
    return this.certificate !== null
  }

  /** Rejects with PortTakenError. */
  async start(): Promise<void> {
    for (const wanted of this.wantedBy(this.config)) await this.openAt(wanted, this.certificate)
  }

  /** Opens what is new in `config`. What cannot be opened leaves all of its kind as it was. */
  async change(config: Config, certificate: Certificate | null): Promise<ListenersChange> {
    const secure = (certificate === null) === (this.certificate === null)
    const server = await this.changeOf('server', config, certificate)
    const metrics = await this.changeOf('metrics', config, certificate)
    const changes = [server, metrics]
    return {
      stuck: changes.flatMap((change) => change.stuck),
      lost: changes.flatMap((change) => change.lost),
      commit: () => {
        for (const change of changes) change.commit()
        this.gateway.cutOff((address) => [...this.open.values()].some(({ at }) => isWithin(address, at.address)))
        if (certificate !== null && secure) this.gateway.renew(certificate)
        if (server.stuck.length > 0) return
        this.config = config
        this.certificate = certificate
      },
    }
  }

  private async changeOf(kind: Open['for'], config: Config, certificate: Certificate | null): Promise<ListenersChange> {
    const wanted = this.wantedBy(config, certificate).filter((one) => one.for === kind)
    const before = [...this.open].filter(([, one]) => one.for === kind)
    const gone = before.filter(([id]) => !wanted.some((one) => one.id === id))
    const secure = (certificate === null) === (this.certificate === null)
    const added: string[] = []
    const released: [id: string, one: Open][] = []
    this.known = this.addresses
    // Port 0 takes a free one, and all addresses the same.
    const near = before[0]?.[1].at.port
    const openNew = async (one: Wanted): Promise<boolean> => {
      try {
        return await this.openAt(one, certificate, near)
      } catch (error) {
        if (!(error instanceof PortTakenError)) throw error
        const inTheWay = gone.filter(
          ([id, { at }]) => secure && this.open.has(id) && at.port === error.port && isInTheWay(at.address, one.host),
        )
        if (inTheWay.length === 0) throw error
        for (const [id] of inTheWay) this.close(id)
        released.push(...inTheWay)
        return await patiently(async () => await this.openAt(one, certificate, near))
      }
    }
    try {
      for (const one of wanted) if (!this.open.has(one.id) && (await openNew(one))) added.push(one.id)
    } catch {
      for (const id of added) this.close(id)
      const lost = await this.takeBack(released)
      return { stuck: this.differing(kind, config, certificate), lost, commit: () => {} }
    }
    return {
      stuck: [],
      lost: [],
      commit: () => {
        for (const [id] of gone) this.close(id)
      },
    }
  }

  /** Answers which hosts somebody else holds by now. */
  private async takeBack(released: readonly [id: string, one: Open][]): Promise<string[]> {
    const lost: string[] = []
    for (const [id, { host, at, for: kind }] of released) {
      const one = { id, host, port: at.port, for: kind }
      await patiently(async () => await this.openAt(one, this.certificate)).catch(() => lost.push(host))
    }
    return lost
  }

  private differing(kind: Open['for'], config: Config, certificate: Certificate | null): string[] {
    if (kind === 'metrics') return ['metrics.port']
    const paths = (['host', 'port'] as const)
      .filter((key) => String(config.server[key]) !== String(this.config.server[key]))
      .map((key) => `server.${key}`)
    return (certificate === null) === (this.certificate === null) ? paths : [...paths, 'server.tls']
  }

  private wantedBy(config: Config, certificate = this.certificate): Wanted[] {
    const scheme = certificate === null ? 'http' : 'https'
    const ports = [
      { port: config.server.port, for: 'server' as const },
      ...(config.metrics.port === null ? [] : [{ port: config.metrics.port, for: 'metrics' as const }]),
    ]
    return listenHosts(config).flatMap((host) =>
      ports.map((one) => ({ id: `${scheme} ${host} ${one.for} ${one.port}`, host, ...one })),
    )
  }

  /** False: this machine has no such address, and can do without. */
  private async openAt(
    { id, host, port, for: kind }: Wanted,
    certificate: Certificate | null,
    near = [...this.open.values()].find((one) => one.for === kind)?.at.port,
  ): Promise<boolean> {
    const chosen = port === 0 && near !== undefined ? near : port
    try {
      this.open.set(id, { host, for: kind, at: await this.gateway.listen(host, chosen, certificate) })
      return true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EADDRINUSE') throw new PortTakenError(host, chosen)
      // A machine without IPv6 has only one loopback.
      if (host === '::1' && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) return false
      throw error
    }
  }

  private close(id: string): void {
    const one = this.open.get(id)
    if (one === undefined) return
    this.open.delete(id)
    this.gateway.retire(one.at)
  }
}

/** Whether a listener at this address may keep another from being opened at the same port; a name may be any address. */
function isInTheWay(address: string, host: string): boolean {
  if (isIP(host) === 0) return true
  return isWithin(host, address) || isWithin(address, host)
}

/** Whether who comes to `address` is served by a listener at `listener`. */
function isWithin(address: string, listener: string): boolean {
  const bare = address.replace(/^::ffff:/, '')
  return bare === listener || listener === '::' || (listener === '0.0.0.0' && isIP(bare) === 4)
}

/** Again and again for half a second while the address is taken. */
async function patiently<T>(open: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left--) {
    try {
      return await open()
    } catch (error) {
      if (left === 0 || !(error instanceof PortTakenError)) throw error
      await pause(BETWEEN_TRIES_MS)
    }
  }
}
