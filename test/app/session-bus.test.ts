import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { checkDesktop } from '../../src/app/doctor-desktop.ts'
import { busSocket, methodCall, watchName } from '../../src/app/session-bus.ts'
import { aFolder } from '../support/records.ts'

test.each<[address: string | undefined, path: string | null]>([
  ['unix:path=/run/user/1000/bus', '/run/user/1000/bus'],
  ['unix:path=/run/a%20b/bus,guid=12', '/run/a b/bus'],
  ['unix:abstract=/tmp/dbus-x,guid=12', '\0/tmp/dbus-x'],
  ['tcp:host=localhost,port=1;unix:path=/run/bus', '/run/bus'],
  ['autolaunch:', null],
  ['', null],
  [undefined, null],
])('%s is reached at %j', (address, path) => {
  expect(busSocket(address)).toBe(path)
})

test('a call is written as the specification has it', () => {
  const call = methodCall(1, 'Hello', [])
  expect(call.subarray(0, 4).toString('hex')).toBe('6c010001')
  expect([call.readUInt32LE(4), call.readUInt32LE(8), call.length % 8]).toEqual([0, 1, 0])
})

const hasBus = (() => {
  try {
    execFileSync('dbus-daemon', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

describe.skipIf(!hasBus)('on a bus of its own', () => {
  let bus: ChildProcess | null = null
  afterEach(() => void bus?.kill('SIGTERM'))

  async function open(): Promise<string> {
    bus = spawn('dbus-daemon', ['--session', '--nofork', '--nopidfile', '--print-address=3'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    })
    return await new Promise((resolve) =>
      (bus!.stdio[3] as Readable).once('data', (line) => resolve(String(line).trim())),
    )
  }

  test('a name is seen to come and to go', async () => {
    const address = await open()
    const seen: boolean[] = []
    let tell = (): void => {}
    const next = async (): Promise<void> => await new Promise((resolve) => (tell = resolve))
    const name = 'org.kde.StatusNotifierWatcher'
    const watch = await watchName(
      busSocket(address)!,
      name,
      (owned) => {
        seen.push(owned)
        tell()
      },
      () => seen.push(false),
    )
    expect(seen).toEqual([false])
    const { default: dbus } = await import('dbus-next')
    const other = dbus.sessionBus({ busAddress: address })
    let changed = next()
    await other.requestName(name, 0)
    await changed
    changed = next()
    other.disconnect()
    await changed
    watch.close()
    expect(seen).toEqual([false, true, false])
  })

  test('the doctor tells the desktop, and whether a panel shows icons', async () => {
    const address = await open()
    const folder = aFolder()
    const release = join(folder, 'os-release')
    writeFileSync(release, 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n')
    const env = { DISPLAY: ':7', XDG_CURRENT_DESKTOP: 'KDE', DBUS_SESSION_BUS_ADDRESS: address }
    const look = async (more = {}) => {
      const machine = { env: { ...env, ...more }, platform: 'linux' as const, home: folder, cwd: folder }
      return (await checkDesktop(machine, release)).map(({ about, level, says }) => `${about} ${level} ${says}`)
    }
    expect(await look()).toEqual([
      'desktop ok KDE, Ubuntu 24.04.3 LTS, on X11.',
      'tray warn No panel shows icons here.',
    ])
    const { default: dbus } = await import('dbus-next')
    const panel = dbus.sessionBus({ busAddress: address })
    await panel.requestName('org.kde.StatusNotifierWatcher', 0)
    expect((await look({ WAYLAND_DISPLAY: 'wayland-0' })).map((row) => row.replace(/, Ubuntu.*,/, ''))).toEqual([
      'desktop ok KDE on Wayland.',
      'tray ok A panel shows icons.',
    ])
    panel.disconnect()
    expect((await look({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' }))[1]).toMatch(
      /^tray warn .*cannot be told/,
    )
    expect((await look({ DBUS_SESSION_BUS_ADDRESS: undefined }))[1]).toMatch(/^tray warn There is no session bus/)
    expect(await look({ DISPLAY: '' })).toEqual([])
  })

  test('a bus that ends is told, and one that was left is not', async () => {
    const address = await open()
    let lost = 0
    const left = await watchName(
      busSocket(address)!,
      'a.b',
      () => {},
      () => {
        lost += 100
      },
    )
    left.close()
    await new Promise<void>((resolve, reject) => {
      const onLost = (): void => {
        lost++
        resolve()
      }
      watchName(busSocket(address)!, 'a.b', () => {}, onLost).then(() => bus!.kill('SIGTERM'), reject)
    })
    expect(lost).toBe(1)
  })
})

test('where no bus answers it says so', async () => {
  await expect(
    watchName(
      '/nonexistent/bus',
      'a.b',
      () => {},
      () => {},
    ),
  ).rejects.toThrow(/ENOENT/)
})
