/** The bench on its feet: mock, load and targets, each a process of its own, the target alone on its core. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Caller } from './channel.ts'
import { everythingOn } from './lexora-config.ts'
import { lexoraIsBuilt, startLexora } from './lexora-process.ts'
import type { LoadApi } from './load.ts'
import type { MockApi } from './mock.ts'
import { allowedCores } from './procfs.ts'

const TARGETS = ['direct', 'pipe', 'bare', 'lexora'] as const
export type TargetName = (typeof TARGETS)[number]

/** Something to send requests to; `pid` is null where the mock itself is asked. */
export type Target = { name: TargetName; port: number; pid: number | null; stop: () => Promise<void> }

export type Rig = {
  mock: Caller<MockApi>
  mockPort: number
  load: Caller<LoadApi>
  /** Where processes run, for the report. */
  placement: string
  /** Without Lexora where it is not built. */
  targets: TargetName[]
  /** Starts a fresh target; the caller stops it. */
  start: (name: TargetName) => Promise<Target>
  stop: () => Promise<void>
}

type Cores = { bench: string; proxy: string } | null

export async function startRig(): Promise<Rig> {
  const cores = chooseCores()
  const mock = startHelper<MockApi>('mock', new URL('./mock.ts', import.meta.url), cores?.bench)
  const load = startHelper<LoadApi>('load', new URL('./load.ts', import.meta.url), cores?.bench)
  const mockPort = await mock.caller.call('listen', { port: 0 })
  const open = new Set<Target>()

  return {
    mock: mock.caller,
    mockPort,
    load: load.caller,
    placement: cores
      ? `proxy on core ${cores.proxy}, mock and load on core ${cores.bench}`
      : 'nothing pinned: no taskset, or a single core',
    targets: TARGETS.filter((name) => name !== 'lexora' || lexoraIsBuilt()),
    start: async (name) => {
      const target = await startTarget(name, mockPort, cores?.proxy)
      const stop = target.stop
      target.stop = async () => {
        open.delete(target)
        await stop()
      }
      open.add(target)
      return target
    },
    stop: async () => {
      for (const target of [...open]) await target.stop()
      await end(mock.child)
      await end(load.child)
    },
  }
}

const programs = { bare: new URL('./bare.ts', import.meta.url), pipe: new URL('./pipe.ts', import.meta.url) }

async function startTarget(name: TargetName, upstreamPort: number, core: string | undefined): Promise<Target> {
  if (name === 'direct') return { name, port: upstreamPort, pid: null, stop: async () => {} }
  if (name === 'lexora') {
    return {
      name,
      ...(await startLexora({ config: everythingOn(upstreamPort), launch: (args) => pinned(core, args) })),
    }
  }
  const { child, caller } = startHelper<{ listen: (to: { upstreamPort: number }) => Promise<number> }>(
    name,
    programs[name],
    core,
  )
  const port = await caller.call('listen', { upstreamPort })
  return { name, port, pid: child.pid ?? 0, stop: () => end(child) }
}

/** The first core for the bench, the second for the proxy under test; null where that cannot be had. */
function chooseCores(): Cores {
  const [bench, proxy] = allowedCores()
  if (bench === undefined || proxy === undefined) return null
  try {
    execFileSync('taskset', ['-V'], { stdio: 'ignore' })
  } catch {
    return null
  }
  return { bench: String(bench), proxy: String(proxy) }
}

/** The command that runs node on a core; taskset replaces itself by it, so the pid is node's. */
function pinned(core: string | undefined, args: string[]): { command: string; args: string[] } {
  if (core === undefined) return { command: process.execPath, args }
  return { command: 'taskset', args: ['-c', core, process.execPath, ...args] }
}

// biome-ignore lint/suspicious/noExplicitAny: as in channel.ts
function startHelper<Api extends Record<string, (argument: any) => unknown>>(
  name: string,
  program: URL,
  core: string | undefined,
) {
  const { command, args } = pinned(core, [fileURLToPath(program)])
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return { child, caller: new Caller<Api>(child, name) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
