import { posix } from 'node:path'
import { programWords, SERVICE, type ServicePlan, type ServiceProgram, type ServiceScope } from './plan.ts'

/** How long it may go without a sign of life of its event loop, in seconds. */
const WATCHDOG_S = 30
/** Requests that run get `server.shutdown_grace`, then engines are drained and ended: together less than this. */
const STOP_S = 120

/** The unit of this user, or of the whole machine. `configDir`: of XDG, for the user's. */
export function systemdPlan(program: ServiceProgram, scope: ServiceScope, configDir: string): ServicePlan {
  const folder = scope === 'user' ? posix.join(configDir, 'systemd', 'user') : '/etc/systemd/system'
  const systemctl = scope === 'user' ? ['systemctl', '--user'] : ['systemctl']
  const unit = `${SERVICE}.service`
  return {
    path: posix.join(folder, unit),
    text: systemdUnit(program, scope, userLines(program, scope)),
    install: [{ argv: [...systemctl, 'daemon-reload'] }, { argv: [...systemctl, 'enable', '--now', unit] }],
    uninstall: [
      { argv: [...systemctl, 'disable', '--now', unit], mayFail: true },
      { argv: [...systemctl, 'daemon-reload'] },
    ],
    status: { argv: [...systemctl, 'is-active', unit], mayFail: true },
  }
}

/**
 * The unit that a package brings for the whole machine, off until somebody enables it. It runs as a user that exists only
 * while it does, and what it keeps, models included, lies in its own folder below /var/lib.
 */
export function packagedUnit(appDir: string): string {
  const programs = posix.join(appDir, 'resources', 'headless')
  const home = `/var/lib/${SERVICE}`
  const program: ServiceProgram = {
    node: posix.join(programs, 'node'),
    entry: posix.join(programs, 'bin.js'),
    home,
    logDir: posix.join(home, 'logs'),
    configPath: null,
    runAs: null,
    wants: [],
  }
  return systemdUnit(program, 'system', [
    ['DynamicUser', 'yes'],
    ['Environment', `HOME=${home}`],
  ])
}

function userLines({ runAs }: ServiceProgram, scope: ServiceScope): Line[] {
  return scope === 'system' && runAs !== null ? [['User', runAs]] : []
}

/**
 * The unit's text. `systemd-notify`, a child, speaks for us: hence NotifyAccess=all. A crash of the core ends what is
 * left in its group at once; an engine that must outlive it has a unit of its own, wanted and never required. What would
 * forbid a GPU or a just-in-time compiler is left open (PrivateDevices, MemoryDenyWriteExecute).
 */
function systemdUnit(program: ServiceProgram, scope: ServiceScope, account: readonly Line[]): string {
  const isSystem = scope === 'system'
  const wants = [...(isSystem ? ['network-online.target'] : []), ...program.wants]
  return section('Unit', [
    ['Description', 'Lexora: one OpenAI-compatible address for the engines of this machine'],
    ...(wants.length === 0
      ? []
      : ([
          ['Wants', wants.join(' ')],
          ['After', wants.join(' ')],
        ] as Line[])),
    ['StartLimitIntervalSec', '300'],
    ['StartLimitBurst', '5'],
  ])
    .concat(
      section('Service', [
        ['Type', 'notify'],
        ['NotifyAccess', 'all'],
        ...account,
        ...(program.home === null ? [] : ([['Environment', quoted(`LEXORA_HOME=${program.home}`)]] as Line[])),
        ['ExecStart', programWords(program).map(quoted).join(' ')],
        ['ExecReload', '/bin/kill -HUP $MAINPID'],
        ['WatchdogSec', String(WATCHDOG_S)],
        ['TimeoutStartSec', '120'],
        ['TimeoutStopSec', String(STOP_S)],
        ['KillMode', 'mixed'],
        ['Restart', 'on-failure'],
        ['RestartSec', '2'],
        // A broken configuration does not mend itself.
        ['RestartPreventExitStatus', '78'],
        ['UMask', '0077'],
        ['LimitNOFILE', '65536'],
        ['OOMPolicy', 'continue'],
        ['NoNewPrivileges', 'yes'],
        ['LockPersonality', 'yes'],
        ['RestrictRealtime', 'yes'],
        ['RestrictSUIDSGID', 'yes'],
        ['SystemCallArchitectures', 'native'],
        ...(isSystem ? hardening(program) : []),
      ]),
      section('Install', [['WantedBy', isSystem ? 'multi-user.target' : 'default.target']]),
    )
    .join('\n')
}

type Line = readonly [key: string, value: string]

/** What only the system's own manager can promise. */
function hardening({ home }: ServiceProgram): Line[] {
  return [
    ...(home === `/var/lib/${SERVICE}`
      ? ([
          ['StateDirectory', SERVICE],
          ['StateDirectoryMode', '0700'],
        ] as Line[])
      : []),
    ['ProtectSystem', 'full'],
    ['ProtectKernelTunables', 'yes'],
    ['ProtectKernelModules', 'yes'],
    ['ProtectControlGroups', 'yes'],
    ['ProtectClock', 'yes'],
    ['ProtectHostname', 'yes'],
    ['RestrictAddressFamilies', 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'],
    ['CapabilityBoundingSet', ''],
  ]
}

function section(name: string, lines: readonly Line[]): string[] {
  return [`[${name}]`, ...lines.map(([key, value]) => `${key}=${value}`), '']
}

/** As systemd reads a word: specifiers and variables have a meaning of their own, unless they are doubled. */
function quoted(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
