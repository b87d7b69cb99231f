/** A real `vllm serve` on the CPU, as a group of processes of its own that is ended whole. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { VllmEnv } from '../../tools/vllm-env.ts'

export const MODEL = 'tiny'
/** Room for streams of half a minute: a busy vLLM delivers seconds of tokens in one go, and tests act in mid-stream. */
export const MAX_MODEL_LEN = 8192
/** 47-60 s on a quiet machine with two cores, twice that beside other work. */
const READY_WITHIN_MS = 300_000
const GRACE_MS = 10_000

export type VllmProcess = {
  port: number
  url: string
  /** The API server. It leads the group. */
  pid: number
  /** Where its output goes. */
  log: string
  /** The pid of the engine core below it. */
  engineCore: () => number
  isAlive: () => boolean
  stop: () => Promise<void>
}

/** Resolves once it listens; `port` must be free. */
export async function startVllm(env: VllmEnv, port: number): Promise<VllmProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'vllm-'))
  const log = join(folder, 'output.log')
  // A file takes whatever is printed: 64 KiB unread in a pipe would block the whole server.
  const output = openSync(log, 'w')
  const child = spawn(env.vllm, commandLine(env, port), {
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, ...environment(env, folder) },
  })
  closeSync(output)
  await once(child, 'spawn')
  const pid = child.pid!
  const endWithUs = () => signalGroup(pid, 'SIGKILL')
  process.once('exit', endWithUs)

  const vllm: VllmProcess = {
    port,
    url: `http://127.0.0.1:${port}`,
    pid,
    log,
    engineCore: () => engineCoreBelow(pid),
    isAlive: () => child.exitCode === null && child.signalCode === null,
    stop: async () => {
      await endGroup(pid)
      if (vllm.isAlive()) await once(child, 'exit')
      process.removeListener('exit', endWithUs)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  const deadline = performance.now() + READY_WITHIN_MS
  while (!(await isListening(vllm.url))) {
    const late = performance.now() > deadline
    if (late || !vllm.isAlive()) {
      const said = lastLines(log)
      await vllm.stop()
      throw new Error(`vLLM ${late ? 'did not listen in time' : `ended with ${child.exitCode}`}. It said:\n${said}`)
    }
    await pause(10)
  }
  return vllm
}

/** The end of a log, for the report of a failure. */
export function lastLines(log: string): string {
  return readFileSync(log, 'utf8').split('\n').slice(-60).join('\n')
}

function commandLine({ model }: VllmEnv, port: number): string[] {
  const options = {
    'load-format': 'dummy',
    dtype: 'float32',
    'max-model-len': MAX_MODEL_LEN,
    'max-num-seqs': 8,
    'served-model-name': MODEL,
    host: '127.0.0.1',
    port,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  return ['serve', model, '--enforce-eager', ...flags]
}

function environment({ cacheRoot }: VllmEnv, folder: string): Record<string, string> {
  return {
    VLLM_CPU_KVCACHE_SPACE: '1',
    VLLM_CPU_OMP_THREADS_BIND: 'nobind',
    VLLM_CPU_CI_ENV: '1',
    TORCHDYNAMO_DISABLE: '1',
    OMP_NUM_THREADS: '1',
    HF_HUB_OFFLINE: '1',
    VLLM_NO_USAGE_STATS: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    PYTHONUNBUFFERED: '1',
    VLLM_CACHE_ROOT: cacheRoot,
    // every stop leaves sockets behind: here they go with the folder
    VLLM_RPC_BASE_PATH: folder,
    TMPDIR: folder,
  }
}

async function isListening(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`).catch(() => null)
  await answer?.body?.cancel()
  return answer?.ok ?? false
}

/** Its title is `VLLM::EngineCore`, cut to 15 letters in comm. */
function engineCoreBelow(apiServer: number): number {
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = readStat(pid)
    if (stat?.parent === apiServer && stat.comm.startsWith('VLLM::EngineCor')) return pid
  }
  throw new Error(`no engine core below ${apiServer}`)
}

function readStat(pid: number): { comm: string; parent: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const end = text.lastIndexOf(')')
    return { comm: text.slice(text.indexOf('(') + 1, end), parent: Number(text.slice(end + 2).split(' ')[1]) }
  } catch {
    return null
  }
}

/** Asks the group to end, then ends it: an engine whose API server was killed would live on for ever. */
async function endGroup(leader: number): Promise<void> {
  signalGroup(leader, 'SIGTERM')
  if (await groupIsGone(leader)) return
  signalGroup(leader, 'SIGKILL')
  if (!(await groupIsGone(leader))) throw new Error(`processes of group ${leader} outlive SIGKILL`)
}

async function groupIsGone(leader: number): Promise<boolean> {
  const deadline = performance.now() + GRACE_MS
  while (signalGroup(leader, 0)) {
    if (performance.now() > deadline) return false
    await pause(50)
  }
  return true
}

/** False once nobody of the group is left. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch {
    return false
  }
}
