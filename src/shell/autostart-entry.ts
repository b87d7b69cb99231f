/** The file that starts the app at login on Linux (XDG autostart), and what becomes of it at each start. */

export const AUTOSTART_FILE = 'ai.lexora.Lexora.desktop'

/** `hidden`: without a window. */
export function autostartEntry(program: readonly string[]): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Lexora',
    'Comment=Local LLM gateway',
    'Icon=lexora',
    `Exec=${program.map(quoted).join(' ')}`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n')
}

/** As the desktop entry specification has it: in quotes, with its four characters escaped, and `%` doubled. */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%')
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replace(/(["`$\\])/g, '\\$1').replaceAll('\\', '\\\\')}"`
}

export type AutostartPlan =
  /** The program may have moved, as an AppImage does, so that it is written at every start. */
  | { do: 'write' }
  | { do: 'remove' }
  /** The person took it away, or switched it off where their desktop lists it: it stays away, and our switch follows. */
  | { do: 'forget' }
  | { do: 'nothing' }

/** `written`: we wrote the file once and nobody has asked otherwise since. `found` null: it is not there. */
export function planAutostart({
  wanted,
  written,
  found,
}: {
  wanted: boolean
  written: boolean
  found: string | null
}): AutostartPlan {
  if (!wanted) return found !== null && written ? { do: 'remove' } : { do: 'nothing' }
  if (written && (found === null || isSwitchedOff(found))) return { do: 'forget' }
  return { do: 'write' }
}

/** The same of Windows and macOS, which keep a list in place of files. Null: it is not there, or switched off in their settings. */
export function loginItemFound(item: { openAtLogin: boolean; executableWillLaunchAtLogin?: boolean }): string | null {
  return item.openAtLogin && item.executableWillLaunchAtLogin !== false ? '' : null
}

function isSwitchedOff(entry: string): boolean {
  return /^\s*Hidden\s*=\s*true\s*$/im.test(entry) || /^\s*X-GNOME-Autostart-enabled\s*=\s*false\s*$/im.test(entry)
}
