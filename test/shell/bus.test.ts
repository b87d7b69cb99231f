import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { busSocket, methodCall, watchName } from '../../src/shell/bus.ts'

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
