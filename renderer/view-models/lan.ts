import type { ConfigView } from '../../src/protocol/config-view.ts'
import type { RefusedOrigin } from '../../src/protocol/network-commands.ts'

export type LanCheck = {
  id: 'keys' | 'required' | 'reach' | 'admin' | 'test'
  /** Null: it is only said. */
  ok: boolean | null
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
