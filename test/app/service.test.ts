/** Lexora as a service: what is written for each system, and what is told to the manager while it runs. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  installService,
  type ServiceAsked,
  type ServiceWorld,
  servicePlan,
  serviceStatus,
  uninstallService,
} from '../../src/app/service/manage.ts'
import { serviceNotify } from '../../src/app/service/notify.ts'
import { packagedUnit } from '../../src/app/service/systemd.ts'
import { runService } from '../../src/cli/service.ts'

const USER: ServiceAsked = { scope: 'user', configPath: null, runAs: null, wants: [] }

function aWorld(given: Partial<ServiceWorld> = {}) {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const ran: string[] = []
  const world: ServiceWorld = {
    env: {},
    platform: 'linux',
    home,
    cwd: home,
    node: '/opt/node/bin/node',
    entry: '/opt/lexora/dist/bin.js',
    uid: 501,
    run: (argv) => {
      ran.push(argv.join(' '))
      return { code: 0, output: 'active\n' }
    },
    ...given,
  }
  return { world, home, ran }
}

function textOf(asked: ServiceAsked, world: ServiceWorld): string {
  const plan = servicePlan(asked, world)
  if (typeof plan === 'string') throw new Error(plan)
  return plan.text
}

describe('a systemd unit', () => {
  test('of a user says when it is ready, is watched, and stays down with a broken configuration', () => {
    const { world } = aWorld({ env: { LEXORA_HOME: '/home/ann/my lexora' } })
    const lines = textOf({ ...USER, configPath: '/etc/100%/$x.yaml', wants: ['vllm.service'] }, world).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'Type=notify',
        'NotifyAccess=all',
        'WatchdogSec=30',
        'KillMode=mixed',
        'Restart=on-failure',
        'RestartPreventExitStatus=78',
        'StartLimitBurst=5',
        'Wants=vllm.service',
        'After=vllm.service',
        'Environment="LEXORA_HOME=/home/ann/my lexora"',
        'ExecStart=/opt/node/bin/node /opt/lexora/dist/bin.js --no-ui --config /etc/100%%/$$x.yaml',
        'WantedBy=default.target',
      ]),
    )
    expect(lines.filter((line) => /^(Requires|BindsTo)=/.test(line))).toEqual([])
  })

  test('of the machine runs as a plain user, and leaves the GPU and compilers alone', () => {
    const { world } = aWorld()
    const text = textOf({ ...USER, scope: 'system', runAs: 'lexora' }, world)
    expect(text).toContain('User=lexora\n')
    expect(text).toContain('StateDirectory=lexora\n')
    expect(text).toContain('ProtectSystem=full\n')
    expect(text).not.toMatch(/PrivateDevices|MemoryDenyWriteExecute/)
    expect(servicePlan({ ...USER, scope: 'system' }, world)).toContain('--run-as')
    expect(servicePlan({ ...USER, scope: 'system', runAs: 'root' }, world)).toContain('not run as root')
  })

  const verifies = spawnSync('systemd-analyze', ['--version']).error === undefined
  test.skipIf(!verifies).each(['user', 'system'] as const)('of the %s passes systemd-analyze verify', (scope) => {
    const { world, home } = aWorld({ node: process.execPath })
    const path = join(home, 'lexora.service')
    writeFileSync(path, textOf({ ...USER, scope, runAs: scope === 'system' ? 'daemon' : null }, world))
    const found = spawnSync('systemd-analyze', [`--${scope}`, '--man=no', 'verify', path], { encoding: 'utf8' })
    expect(found.stderr.split('\n').filter((line) => line.includes('lexora.service'))).toEqual([])
  })
})

describe('the unit that packages bring', () => {
  const path = new URL('../../resources/systemd/lexora.service', import.meta.url)

  test('is fresh: node tools/write-unit.ts', () => {
    expect(readFileSync(path, 'utf8')).toBe(packagedUnit('/opt/Lexora'))
  })

  test('runs the private Node as a user of its own, with all that it keeps in one folder', () => {
    const lines = packagedUnit('/opt/Lexora').split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'ExecStart=/opt/Lexora/resources/headless/node /opt/Lexora/resources/headless/bin.js --no-ui',
        'DynamicUser=yes',
        'StateDirectory=lexora',
        'Environment=LEXORA_HOME=/var/lib/lexora',
        'Environment=HOME=/var/lib/lexora',
        'WantedBy=multi-user.target',
      ]),
    )
    expect(lines.filter((line) => line.startsWith('User='))).toEqual([])
  })
})

describe('installing it', () => {
  test('writes the unit, starts it, and taking it out leaves the data', () => {
    const { world, home, ran } = aWorld()
    const path = join(home, '.config', 'systemd', 'user', 'lexora.service')
    expect(installService(USER, world)).toMatchObject({
      ok: true,
      lines: [`Installed and started: ${path}`, expect.any(String)],
    })
    expect(ran).toEqual(['systemctl --user daemon-reload', 'systemctl --user enable --now lexora.service'])
    expect(serviceStatus(USER, world)).toEqual({ ok: true, lines: [`Installed: ${path}`, 'State: active'] })
    expect(uninstallService(USER, world)).toMatchObject({
      ok: true,
      lines: [`Removed: ${path}`, expect.stringContaining('Your data stays')],
    })
    expect(existsSync(path)).toBe(false)
    expect(ran.slice(3)).toEqual(['systemctl --user disable --now lexora.service', 'systemctl --user daemon-reload'])
    expect(serviceStatus(USER, world).ok).toBe(false)
    expect(uninstallService(USER, world).ok).toBe(true)
  })

  test('says what the manager said where it refuses', () => {
    const { world } = aWorld({ run: () => ({ code: 1, output: 'Failed to connect to bus\n' }) })
    expect(installService(USER, world)).toMatchObject({
      ok: false,
      lines: [expect.any(String), expect.stringContaining('Failed to connect to bus')],
    })
  })

  test('on macOS makes an agent that comes back after a crash', () => {
    const { world, home, ran } = aWorld({ platform: 'darwin', entry: '/Users/a & b/bin.js' })
    expect(installService(USER, world).ok).toBe(true)
    const text = readFileSync(join(home, 'Library/LaunchAgents/org.lexora.gateway.plist'), 'utf8')
    expect(text).toContain('<string>/Users/a &amp; b/bin.js</string>')
    expect(text).toMatch(/<key>SuccessfulExit<\/key>\s*<false\/>/)
    expect(ran.at(-1)).toContain('launchctl bootstrap gui/501')
  })

  test('on Windows makes a task without a time limit and without more rights than its user', () => {
    const { world } = aWorld({
      platform: 'win32',
      node: 'C:\\Program Files\\nodejs\\node.exe',
      entry: 'C:\\My Apps\\bin.js',
    })
    const text = textOf(USER, world)
    expect(text).toContain('<Command>C:\\Program Files\\nodejs\\node.exe</Command>')
    expect(text).toContain('<Arguments>&quot;C:\\My Apps\\bin.js&quot; --no-ui</Arguments>')
    expect(text).toContain('<RunLevel>LeastPrivilege</RunLevel>')
    expect(text).toContain('<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>')
  })

  test.each([
    [['start'], 'say install, uninstall or status'],
    [['install', '--user', '--system'], 'exclude each other'],
    [['install', '--wants', 'rm -rf'], 'the name of a unit'],
    [['install', '--system', '--run-as', 'a b'], 'the name of a user'],
    [['install', '--loud'], '--loud'],
  ])('%j is refused', (argv, message) => {
    const { world } = aWorld()
    const told: string[] = []
    const code = runService(argv, { ...world, out: () => {}, err: (text) => told.push(text) })
    expect([code, told.join('')]).toEqual([2, expect.stringContaining(message)])
  })

  test('--json tells the same for programs', () => {
    const { world, home } = aWorld()
    const tell = (...argv: string[]) => {
      let told = ''
      const code = runService(
        [...argv, '--json'],
        { ...world, out: (text) => (told += text), err: () => {} },
        world.run,
      )
      return [code, JSON.parse(told)]
    }
    const missing = { ok: false, lines: [expect.stringContaining('Not installed')] }
    expect(tell('status')).toEqual([3, missing])
    expect(tell('install', '--print')).toEqual([
      0,
      { path: expect.stringContaining(home), text: expect.stringContaining('Type=notify') },
    ])
    expect(tell('install')).toEqual([0, { ok: true, lines: expect.arrayContaining([expect.stringContaining(home)]) }])
  })

  test('--print shows it and touches nothing', () => {
    const { world, home, ran } = aWorld()
    const told: string[] = []
    expect(
      runService(['install', '--print'], { ...world, out: (text) => told.push(text), err: () => {} }, world.run),
    ).toBe(0)
    expect(told.join('')).toContain('Type=notify')
    expect([ran, existsSync(join(home, '.config'))]).toEqual([[], false])
  })
})

describe('what the manager is told', () => {
  test('is nothing where none listens', () => {
    const sent: string[][] = []
    const service = serviceNotify({ WATCHDOG_USEC: '1000000' }, 7, (variables) => sent.push([...variables]))
    service.ready('here')
    service.close()
    expect(sent).toEqual([])
  })

  test('is each step, and a sign of life twice as often as it is waited for', () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const sent: string[][] = []
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }
    const service = serviceNotify(env, 7, (variables) => sent.push([...variables]))
    service.ready('http://localhost:8001/v1')
    vi.advanceTimersByTime(30_000)
    service.reloading()
    service.stopping()
    service.close()
    vi.advanceTimersByTime(60_000)
    expect(sent.map(([first]) => first)).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'RELOADING=1', 'STOPPING=1'])
    expect(sent[0]).toContain('MAINPID=7')
  })

  test('is no sign of life where that is waited for from another process', () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const sent: string[][] = []
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }
    serviceNotify(env, 7, (variables) => sent.push([...variables]))
    vi.advanceTimersByTime(60_000)
    expect(sent).toEqual([])
  })
})
