import { readFileSync } from 'node:fs'
import type { Machine } from '../config/paths.ts'
import type { DoctorCheck } from '../protocol/doctor.ts'
import { say } from '../protocol/sentence.ts'
import { ok, warn } from './doctor-checks.ts'
import { busSocket, watchName } from './session-bus.ts'

/** Who shows icons that programs put up, on every Linux desktop that does. */
export const TRAY_WATCHER = 'org.kde.StatusNotifierWatcher'

const NO_TRAY = say(
  'Lexora works without: everything the tray offers is in its window. GNOME shows icons by its AppIndicator extension.',
)

/** The desktop that this was asked from, and whether icons can be seen on it. Nothing where there is none, or on another system. */
export async function checkDesktop({ env, platform }: Machine, release = '/etc/os-release'): Promise<DoctorCheck[]> {
  const isWayland = Boolean(env['WAYLAND_DISPLAY'])
  if (platform !== 'linux' || !(isWayland || env['DISPLAY'])) return []
  const names = [env['XDG_CURRENT_DESKTOP'] || say('A desktop without a name'), distribution(release)]
  const said = names.filter((name) => name !== null).join(', ')
  return [
    ok(say('desktop'), isWayland ? say`${said}, on Wayland.` : say`${said}, on X11.`),
    await checkTray(env['DBUS_SESSION_BUS_ADDRESS']),
  ]
}

async function checkTray(address: string | undefined): Promise<DoctorCheck> {
  const socket = busSocket(address)
  if (socket === null) return warn(say('tray'), say('There is no session bus, so that no icon can be shown.'), NO_TRAY)
  try {
    let isThere = false
    const watch = await watchName(
      socket,
      TRAY_WATCHER,
      (owned) => (isThere = owned),
      () => {},
    )
    watch.close()
    return isThere
      ? ok(say('tray'), say('A panel shows icons.'))
      : warn(say('tray'), say('No panel shows icons here.'), NO_TRAY)
  } catch (error) {
    return warn(say('tray'), say`Whether a panel shows icons cannot be told: ${(error as Error).message}.`, NO_TRAY)
  }
}

function distribution(path: string): string | null {
  try {
    return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? null
  } catch {
    return null
  }
}
