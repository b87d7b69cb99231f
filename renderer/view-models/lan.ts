import type { ConfigView } from '../../src/protocol/config-view.ts'

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
