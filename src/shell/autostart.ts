import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { app } from 'electron'
import { say } from '../protocol/sentence.ts'
import { AUTOSTART_FILE, type AutostartPlan, autostartEntry, loginItemFound, planAutostart } from './autostart-entry.ts'

export type AutostartSupport = { is: 'can' } | { is: 'cannot'; reason: string }

type Surroundings = {
  env: Readonly<Record<string, string | undefined>>
  platform: NodeJS.Platform
  home: string
  isPackaged: boolean
  /** What starts the app again. */
  program: readonly string[]
}

export function autostartSupport({ env, platform, isPackaged }: Surroundings): AutostartSupport {
  if (env['FLATPAK_ID'] !== undefined || env['SNAP'] !== undefined)
    return { is: 'cannot', reason: say('Inside Flatpak or Snap the desktop decides this.') }
  if (platform !== 'linux' && !isPackaged)
    return { is: 'cannot', reason: say('Only the installed app can do this here.') }
  return { is: 'can' }
}

/** Brings the system in line with the preference. Tells what became of it, so that the preference can follow. */
export async function applyAutostart(
  surroundings: Surroundings,
  { wanted, written }: { wanted: boolean; written: boolean },
): Promise<AutostartPlan['do']> {
  if (autostartSupport(surroundings).is === 'cannot') return 'nothing'
  if (surroundings.platform !== 'linux') {
    const args = ['--hidden']
    const plan = planAutostart({ wanted, written, found: loginItemFound(app.getLoginItemSettings({ args })) })
    if (plan.do === 'write' || plan.do === 'remove') app.setLoginItemSettings({ openAtLogin: wanted, args })
    return plan.do
  }
  const path = autostartPath(surroundings)
  const found = await readFile(path, 'utf8').catch(() => null)
  const plan = planAutostart({ wanted, written, found })
  if (plan.do === 'remove') await rm(path, { force: true })
  if (plan.do === 'write') await write(path, autostartEntry([...surroundings.program, '--hidden']))
  return plan.do
}

function autostartPath({ env, home }: Surroundings): string {
  const given = env['XDG_CONFIG_HOME']
  const config = given !== undefined && isAbsolute(given) ? given : join(home, '.config')
  return join(config, 'autostart', AUTOSTART_FILE)
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}`
  await writeFile(draft, text, { mode: 0o644 })
  await rename(draft, path)
}
