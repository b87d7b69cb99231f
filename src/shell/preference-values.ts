import {
  DESKTOP_DEFAULTS,
  type DesktopChange,
  type DesktopPreferences,
  desktopPreferences,
  NOTICE_KINDS,
} from '../protocol/desktop.ts'

/** Each setting by itself: one that is wrong does not take the others with it. */
export function readPreferences(kept: unknown): DesktopPreferences {
  const given = typeof kept === 'object' && kept !== null ? (kept as Record<string, unknown>) : {}
  const told = typeof given['notifications'] === 'object' ? (given['notifications'] as Record<string, unknown>) : {}
  const notifications = Object.fromEntries(
    NOTICE_KINDS.map((kind) => [kind, typeof told?.[kind] === 'boolean' ? told[kind] : true]),
  )
  const { shape } = desktopPreferences
  const entries = Object.entries(DESKTOP_DEFAULTS).map(([name, value]) => {
    if (name === 'notifications') return [name, notifications]
    const parsed = shape[name as keyof typeof shape].safeParse(given[name])
    return [name, parsed.success ? parsed.data : value]
  })
  return Object.fromEntries(entries) as DesktopPreferences
}

/** With what a window changed. */
export function mergedPreferences(
  current: DesktopPreferences,
  { notifications, ...changes }: DesktopChange,
): DesktopPreferences {
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
  const told = Object.fromEntries(Object.entries(notifications ?? {}).filter(([, value]) => value !== undefined))
  return { ...current, ...given, notifications: { ...current.notifications, ...told } }
}
