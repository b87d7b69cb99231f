/** A private display and a private session bus, so that nothing of the machine's own desktop is seen or touched. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

export type DesktopSession = {
  env: Record<string, string>
  /** Of the session bus. */
  address: string
  home: string
  /** As when the X server crashes, or somebody logs out. */
  loseDisplay: () => Promise<void>
  loseBus: () => Promise<void>
  stop: () => Promise<void>
}

const SAY_MS = 60_000

export async function openSession({ display = true } = {}): Promise<DesktopSession> {
  const home = mkdtempSync(join(tmpdir(), 'lexora-session-'))
  for (const folder of ['run', 'config', 'data', 'cache']) mkdirSync(join(home, folder), { mode: 0o700 })
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe'] as const
  const screen = ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp']
  const x = display ? spawn('Xvfb', screen, { stdio: [...stdio] }) : null
  const bus = spawn('dbus-daemon', ['--session', '--nofork', '--nopidfile', '--print-address=3'], { stdio: [...stdio] })
  const address = await firstLine(bus)
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    LANG: 'C.UTF-8',
    DBUS_SESSION_BUS_ADDRESS: address,
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CACHE_HOME: join(home, 'cache'),
    NO_AT_BRIDGE: '1',
  }
  if (x !== null) env['DISPLAY'] = `:${await firstLine(x)}`
  const stop = async (): Promise<void> => {
    await Promise.all([bus, ...(x === null ? [] : [x])].map(ended))
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  const loseDisplay = async (): Promise<void> => {
    if (x !== null) await ended(x)
  }
  return { env, address, home, loseDisplay, loseBus: async () => await ended(bus), stop }
}

async function firstLine(child: ChildProcess): Promise<string> {
  const stream = child.stdio[3] as Readable
  return await new Promise((resolve, reject) => {
    let said = ''
    const late = setTimeout(() => reject(new Error(`${child.spawnfile} says nothing`)), SAY_MS)
    child.once('error', reject)
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const [line, rest] = said.split('\n')
      if (rest === undefined) return
      clearTimeout(late)
      resolve(line!.trim())
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await over
}
