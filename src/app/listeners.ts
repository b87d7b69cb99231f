import type { AddressInfo } from 'node:net'
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
}

/** `stuck`: settings that cannot take effect, for the addresses that they name are held, perhaps by ourselves. */
export type ListenersChange = { stuck: string[]; commit(): void }

type Open = { host: string; for: 'server' | 'metrics'; at: AddressInfo }
type Wanted = { id: string; host: string; port: number; for: Open['for'] }

/** The addresses that Lexora listens at. Another configuration opens its own first; only then are the old ones closed. */
export class Listeners {
  private readonly gateway: Listening
  private readonly open = new Map<string, Open>()
  private config: Config
  private certificate: Certificate | null

  constructor(gateway: Listening, config: Config, certificate: Certificate | null) {
    this.gateway = gateway
    this.config = config
    this.certificate = certificate
  }

  /** The gateway's own first. */
  get addresses(): AddressInfo[] {
    const all = [...this.open.values()]
    return [...all.filter((one) => one.for === 'server'), ...all.filter((one) => one.for === 'metrics')].map(
      ({ at }) => at,
    )
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
      commit: () => {
        for (const change of changes) change.commit()
        if (certificate !== null && secure) this.gateway.renew(certificate)
        if (server.stuck.length > 0) return
        this.config = config
        this.certificate = certificate
      },
    }
  }

  private async changeOf(kind: Open['for'], config: Config, certificate: Certificate | null): Promise<ListenersChange> {
    const wanted = this.wantedBy(config, certificate).filter((one) => one.for === kind)
    const before = [...this.open].filter(([, one]) => one.for === kind).map(([id]) => id)
    const added: string[] = []
    try {
      for (const one of wanted)
        if (!before.includes(one.id) && (await this.openAt(one, certificate))) added.push(one.id)
    } catch {
      for (const id of added) this.close(id)
      return { stuck: this.differing(kind, config, certificate), commit: () => {} }
    }
    const gone = before.filter((id) => !wanted.some((one) => one.id === id))
    return {
      stuck: [],
      commit: () => {
        for (const id of gone) this.close(id)
      },
    }
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
  private async openAt({ id, host, port, for: kind }: Wanted, certificate: Certificate | null): Promise<boolean> {
    const first = [...this.open.values()].find((one) => one.for === kind)
    // Port 0 takes a free one, and all addresses the same.
    const chosen = port === 0 && first !== undefined ? first.at.port : port
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
