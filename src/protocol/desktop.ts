import { z } from 'zod'
import { say } from './sentence.ts'

/** What may be told by the desktop's own notifications, each with a switch of its own. */
export const NOTICE_KINDS = [
  'engine-crashed',
  'engine-failed',
  'engine-ready',
  'model-arrived',
  'disk-full',
  'gpu-hot',
  'new-user',
  'update-ready',
  'no-tray',
  'capture-on',
  'copied',
] as const

export type NoticeKind = (typeof NOTICE_KINDS)[number]

const on = z.boolean(say('is neither true nor false'))

/** How the desktop app behaves for this person, on this machine. */
export const desktopPreferences = z.strictObject({
  language: z.enum(['system', 'en', 'ja', 'ko'], say('is none of system, en, ja, ko')),
  /** `ask`: nobody was asked yet, which only matters where no tray shows that Lexora goes on. */
  onClose: z.enum(['hide', 'quit', 'ask'], say('is none of hide, quit, ask')),
  startAtLogin: on,
  trayIcon: z.enum(['colour', 'mono'], say('is neither colour nor mono')),
  notifications: z.strictObject(
    Object.fromEntries(NOTICE_KINDS.map((kind) => [kind, on])) as Record<NoticeKind, typeof on>,
  ),
})

export type DesktopPreferences = z.infer<typeof desktopPreferences>

/** What a window may change of them; notifications one by one. */
export const desktopChange = desktopPreferences
  .partial()
  .extend({ notifications: desktopPreferences.shape.notifications.partial().optional() })

export type DesktopChange = z.infer<typeof desktopChange>

export const DESKTOP_DEFAULTS: DesktopPreferences = {
  language: 'system',
  onClose: 'ask',
  startAtLogin: false,
  trayIcon: 'colour',
  notifications: Object.fromEntries(NOTICE_KINDS.map((kind) => [kind, true])) as Record<NoticeKind, boolean>,
}

/**
 * Why an update was refused; the version that runs goes on. `unsigned`: there is no signature; `signature`: it is another
 * one's; `size` and `hash`: what came is not what was signed.
 */
export const UPDATE_REFUSALS = [
  'unreachable',
  'redirect',
  'unsigned',
  'signature',
  'manifest',
  'downgrade',
  'no-package',
  'size',
  'hash',
  'installer',
] as const

export type UpdateRefusal = (typeof UPDATE_REFUSALS)[number]

export type UpdateView =
  /** `no-way`: an installation of this kind is replaced by whoever made it. `bad-feed`: the setting is wrong. `offline`, `blocked`: by `privacy`. */
  | { is: 'off'; why: 'no-feed' | 'bad-feed' | 'no-way' | 'offline' | 'blocked' }
  | { is: 'waiting' | 'checking' | 'none' }
  | { is: 'loading'; version: string }
  /** It is installed by a quit or a restart, which waits until nothing runs if `asked`. */
  | { is: 'ready'; version: string; asked: boolean }
  | { is: 'refused'; why: UpdateRefusal }

export type DesktopView = {
  preferences: DesktopPreferences
  updates: UpdateView
  /** Whether it can be started at login here; else why not. */
  autostart: { is: 'can' } | { is: 'cannot'; reason: string }
  /** Chromium draws the window inside its sandbox; an AppImage cannot where user namespaces are forbidden. */
  sandboxed: boolean
  /** A tray icon can be seen. Without one, all that it offers is in the window. */
  hasTray: boolean
  /** The Lexora that this window watches, where another program started it; it goes on when the window quits. */
  attachedTo: { pid: number; address: string } | null
  versions: { lexora: string; electron: string; chrome: string; node: string }
}

/** What the window may ask of the desktop app around it. */
export const DESKTOP_VERBS = [
  'quit',
  'open-logs',
  'open-config',
  'serve-here',
  /** Of a Lexora in this process: drains like a quit, and starts again. */
  'restart',
  'check-updates',
  'install-update',
] as const

export type DesktopVerb = (typeof DESKTOP_VERBS)[number]

export type DesktopBridge = {
  read: () => Promise<DesktopView>
  /** Tells how things are at once, and then of every change. */
  watch: (listener: (view: DesktopView) => void) => () => void
  /** A field that is wrong is named in the problem. */
  change: (change: DesktopChange) => Promise<{ ok: true; view: DesktopView } | { ok: false; message: string }>
  do: (verb: DesktopVerb) => Promise<void>
}
