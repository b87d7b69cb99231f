import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunEvent } from './api-server.ts'
import {
  DEFAULT_GPU,
  DEFAULT_SMI,
  DEFAULT_VLLM,
  type FakeGpu,
  type HostScript,
  hostFiles,
  type SmiScript,
  type VllmScript,
} from './script.ts'
import { type Held, heldVram, startTimeOf } from './vram.ts'

/** One `vllm serve` so far. */
export type VllmRun = {
  pid: number
  argv: string[]
  env: Record<string, string>
  engineCore: number | null
  workers: number[]
  /** Bound from early on, served once it is ready. */
  port: number | null
  /** It said that it is up; `deaf`: without anybody being able to reach it. */
  is: 'starting' | 'ready' | 'deaf'
  /** Pids of it that live now. */
  alive: () => number[]
}

export type FakeHost = {
  /** To put on PATH: `vllm` and `nvidia-smi` lie in it. */
  bin: string
  /** The absolute path of one of them. */
  command: (name: 'vllm' | 'nvidia-smi') => string
  /** This process's environment with `bin` first on PATH. */
  env: NodeJS.ProcessEnv
  /** Changes what later starts of `vllm` do. */
  vllm: (change: Partial<VllmScript>) => void
  /** Changes what `nvidia-smi` says from its next reading on. */
  smi: (change: Partial<SmiScript>) => void
  /** Another command, as a shell script that needs nothing on PATH; null takes one away. */
  install: (name: string, shell: string | null) => void
  /** Every run so far, the oldest first. */
  runs: () => VllmRun[]
  /** What living processes hold of the GPUs. */
  held: () => Held[]
  /** Ends every process of its runs that lives, and removes the folder. */
  dispose: () => void
}

/** A machine with a fake `vllm` and a fake `nvidia-smi`, in a folder of its own. Nothing of it is global. */
export function createFakeHost(given: { vllm?: Partial<VllmScript>; smi?: Partial<SmiScript> } = {}): FakeHost {
  const folder = mkdtempSync(join(tmpdir(), 'fake-host-'))
  const files = hostFiles(folder)
  for (const path of [files.runs, files.vram, files.bin]) mkdirSync(path)
  let script: HostScript = { vllm: { ...DEFAULT_VLLM, ...given.vllm }, smi: { ...DEFAULT_SMI, ...given.smi } }
  write()
  for (const name of ['vllm', 'nvidia-smi'] as const) writeCommand(join(files.bin, name), `${name}.ts`, folder)

  /** At once, so that a process never reads half of it. */
  function write(): void {
    writeFileSync(`${files.script}.new`, JSON.stringify(script))
    renameSync(`${files.script}.new`, files.script)
  }

  return {
    bin: files.bin,
    command: (name) => join(files.bin, name),
    env: { ...process.env, PATH: `${files.bin}${delimiter}${process.env.PATH ?? ''}` },
    vllm: (change) => {
      script = { ...script, vllm: { ...script.vllm, ...change } }
      write()
    },
    smi: (change) => {
      script = { ...script, smi: { ...script.smi, ...change } }
      write()
    },
    install: (name, shell) => {
      if (shell === null) rmSync(join(files.bin, name), { force: true })
      else writeExecutable(join(files.bin, name), shell)
    },
    runs: () => runsIn(files.runs),
    held: () => heldVram(folder),
    dispose: () => {
      for (const pid of runsIn(files.runs).flatMap((run) => run.alive())) endPid(pid)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A GPU like another, with some cells of its own. */
export function aGpu(change: Partial<FakeGpu> = {}): FakeGpu {
  return { ...DEFAULT_GPU, ...change }
}

/** Compiled once, a program of fifty files starts three times as fast. */
const CACHE = fileURLToPath(new URL('../../../../.cache/fake-vllm', import.meta.url))

function writeCommand(path: string, program: string, folder: string): void {
  const file = fileURLToPath(new URL(program, import.meta.url))
  writeExecutable(
    path,
    `NODE_COMPILE_CACHE='${CACHE}' exec '${process.execPath}' --no-warnings '${file}' '${folder}' "$@"`,
  )
}

function writeExecutable(path: string, shell: string): void {
  writeFileSync(path, `#!/bin/sh\n${shell}\n`)
  chmodSync(path, 0o755)
}

function runsIn(folder: string): VllmRun[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  return files.sort().flatMap((name) => runFrom(readFileSync(join(folder, name), 'utf8')))
}

function runFrom(text: string): VllmRun[] {
  // The last line may be on its way.
  const events = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent)
  const [started] = events
  if (started?.is !== 'started') return []
  const spawned = (role: string) =>
    events.flatMap((event) => (event.is === 'spawned' && event.role === role ? [event.pid] : []))
  const pids = [started.pid, ...spawned('engine'), ...spawned('worker')]
  const { pid, argv, env } = started
  return [
    {
      pid,
      argv,
      env,
      engineCore: spawned('engine')[0] ?? null,
      workers: spawned('worker'),
      port: events.find((event) => event.is === 'bound')?.port ?? null,
      is: events.some((event) => event.is === 'ready')
        ? 'ready'
        : events.some((event) => event.is === 'deaf')
          ? 'deaf'
          : 'starting',
      alive: () => pids.filter((one) => isFake(one)),
    },
  ]
}

/** A living process that is one of ours: a pid alone may be somebody else's by now. */
function isFake(pid: number): boolean {
  if (startTimeOf(pid) === null) return false
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return command.startsWith('VLLM::') || command.includes('fake-vllm/process')
  } catch {
    return false
  }
}

function endPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}
