import type { ConfigView } from '../../src/protocol/config-view.ts'
import type { LanAddress, LanReport } from '../../src/protocol/lan.ts'
import type { PortUse, RefusedOrigin } from '../../src/protocol/network-commands.ts'
import type { ServerView } from '../../src/protocol/snapshot.ts'

export type LanCheck = {
  id: 'keys' | 'required' | 'reach' | 'admin' | 'test'
  /** Null: it is only said. */
  ok: boolean | null
}

/** How the door to the network is, as the listeners have it. `waits`: the configuration has it otherwise, from the next start on. */
export function lanState(
  { network, pendingRestart, address }: Pick<ServerView, 'network' | 'pendingRestart' | 'address'>,
  beyond: readonly string[],
): { isOpen: boolean; places: string[]; waits: boolean } {
  const waits = pendingRestart.includes('server.host')
  // A machine without a network has no address to tell, and yet the door is open.
  const isOpen = network.length > 0 || (beyond.length > 0 && !waits)
  const { port } = new URL(address)
  return { isOpen, places: network.length > 0 ? network : beyond.map((host) => `${host}:${port}`), waits }
}

/** What should be so before other machines may connect, and what then follows. */
export function lanChecks({ entries }: ConfigView, liveKeys: number): LanCheck[] {
  const say = (path: string): unknown => entries.find((entry) => entry.path === path)?.value
  return [
    { id: 'keys', ok: liveKeys > 0 },
    { id: 'required', ok: say('auth.mode') !== 'off' },
    { id: 'reach', ok: null },
    { id: 'admin', ok: null },
    { id: 'test', ok: null },
  ]
}

const EVERYWHERE = '0.0.0.0'

/** Where the door may open: everywhere, or at one address of this machine. `host`: what the configuration is told. */
export function doorPlaces(report: LanReport | null): { address: string; interface: string | null; host: string[] }[] {
  const own = outside(report).map(({ address, interface: name }) => ({
    ...{ address, interface: name },
    host: ['127.0.0.1', address],
  }))
  return [{ address: EVERYWHERE, interface: null, host: [EVERYWHERE] }, ...own]
}

/** How somebody on another machine would try it. */
export function testPlace(report: LanReport | null, chosen: string, { address }: Pick<ServerView, 'address'>): string {
  const { protocol, port } = new URL(address)
  const host = chosen === EVERYWHERE ? (outside(report)[0]?.address ?? '…') : chosen
  return `${protocol}//${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** What each address of this machine answers to who shows no key. */
export function lanReach(report: LanReport): { address: LanAddress; is: 'keyed' | 'open' | 'closed' }[] {
  return outside(report).map((address) => {
    const answer = address.open['/v1/models']
    return { address, is: typeof answer !== 'number' ? 'closed' : answer < 400 ? 'open' : 'keyed' }
  })
}

function outside(report: LanReport | null): LanAddress[] {
  return (report?.addresses ?? []).filter(({ reach }) => reach !== 'this machine')
}

/** Whom the list of allowed origins does not name yet, and what holds that list beside the file. */
export function waitingOrigins(
  { entries }: ConfigView,
  refused: readonly RefusedOrigin[],
): { rows: RefusedOrigin[]; lockedBy: string | null } {
  const entry = entries.find(({ path }) => path === 'server.cors_origins')
  const allowed = Array.isArray(entry?.value) ? entry.value : []
  return {
    rows: refused.filter(({ origin }) => !allowed.includes(origin)),
    lockedBy: entry?.locked === true ? entry.detail : null,
  }
}

/** A port that may be asked about; null while nothing of the kind is typed. */
export function portTyped(text: string): number | null {
  const port = /^\s*\d{1,5}\s*$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : null
}

/** What is said of it beside its field. */
export function portWords({
  state,
  pid,
  program,
}: PortUse): [key: 'port.free' | 'port.own' | 'port.used' | 'port.usedBy', args: Record<string, string>] {
  if (state !== 'used' || pid === null) return [`port.${state}`, {}]
  return ['port.usedBy', { name: program ?? '?', pid: String(pid) }]
}
