import { type ChildProcess, spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import {
  type Gpu,
  type GpuHolder,
  type GpuTool,
  gpuComplaint,
  NVIDIA_FIELDS,
  type NvidiaField,
} from '../policy/gpu-reading.ts'
import { LogLines } from '../policy/log-lines.ts'
import { say } from '../protocol/sentence.ts'
import { HOLDERS, nvidiaQuery, nvidiaReader, nvidiaTable, READINGS, run, shown } from './gpu-tools.ts'

/** What is known of the GPUs now. `at`: when it was read, in ms since 1970. */
export type GpuState =
  | { is: 'unread' }
  /** This machine has none, or none with a tool that tells. A value, not an error. */
  | { is: 'none'; reason: string }
  | { is: 'read'; tool: GpuTool; at: number; gpus: readonly Gpu[] }
  /** The tool is there and of no use: it hangs, prints nonsense, or complains. Figures of before count no more. */
  | { is: 'failed'; tool: GpuTool; reason: string }

/** Who holds memory, and what of the used memory nobody of them has: the desktop, a driver's own, or not to be told. */
export type GpuHolders = { holders: GpuHolder[]; restBytes: number | null }

export type GpuMonitorOptions = {
  /** Told of each new state; the figures come every `everyMs`. */
  onState?: (state: GpuState) => void
  everyMs?: number
  /** Where the tools are looked for, and what they are given. */
  env?: NodeJS.ProcessEnv
  /** Without an answer for this long a tool hangs. */
  hangMs?: number
  /** Before the first, second … new start of a tool that failed; the last one repeats. */
  backoffMs?: readonly number[]
}

const TOLD_BY: Record<GpuTool, (reason: string) => string> = {
  'nvidia-smi': (reason) => say`nvidia-smi: ${reason}`,
  'amd-smi': (reason) => say`amd-smi: ${reason}`,
  'rocm-smi': (reason) => say`rocm-smi: ${reason}`,
}

const DEFAULTS = { everyMs: 2000, hangMs: 15_000, backoffMs: [1000, 2000, 5000, 15_000, 60_000] }
/** The AMD tools are Python programs: each call costs a third of a second of a core. */
const POLL_FACTOR = 5
/** Rows of one reading come in one go. */
const GATHER_MS = 20

/**
 * Watches the GPUs: one `nvidia-smi` that repeats itself, or else `amd-smi` or `rocm-smi`, asked now and then. It is
 * one child at most, and ends with this process: its output breaks then.
 */
export class GpuMonitor {
  readonly #options: Required<Omit<GpuMonitorOptions, 'onState'>> & Pick<GpuMonitorOptions, 'onState'>
  #state: GpuState = { is: 'unread' }
  #child: ChildProcess | null = null
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #stopped = false
  #fields: readonly NvidiaField[] = NVIDIA_FIELDS
  #waiting = new Set<(state: GpuState) => void>()
  readonly #endWithUs = (): void => void this.#child?.kill('SIGKILL')

  constructor(options: GpuMonitorOptions = {}) {
    this.#options = { ...DEFAULTS, env: process.env, ...options }
    process.once('exit', this.#endWithUs)
    this.#watch('nvidia-smi')
  }

  get state(): GpuState {
    return this.#state
  }

  /** The first state that is known, at once where one is. */
  first(): Promise<GpuState> {
    return this.#state.is === 'unread' ? this.#next() : Promise.resolve(this.#state)
  }

  /** Figures of now, not of the last round: for who has to decide by them. */
  async sample(): Promise<GpuState> {
    const tool = this.#state.is === 'none' || this.#state.is === 'unread' ? 'nvidia-smi' : this.#state.tool
    return this.#stopped ? this.#state : await this.#asked(tool)
  }

  /** Who holds memory of the GPUs. Where the system does not tell, the list is empty and all of it is the rest. */
  async who(): Promise<GpuHolders> {
    const state = await this.sample()
    if (state.is !== 'read') return { holders: [], restBytes: null }
    const said = await run(state.tool, HOLDERS[state.tool].args, this.#options)
    const holders = 'output' in said ? HOLDERS[state.tool].read(said.output) : []
    const used = state.gpus.reduce<number | null>(
      (sum, { usedBytes }) => (sum === null || usedBytes === null ? null : sum + usedBytes),
      0,
    )
    const told = holders.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)
    return { holders, restBytes: used === null ? null : Math.max(0, used - told) }
  }

  /** Ends its child; resolves when that is gone, or after a second: one that hangs in the driver cannot be ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    process.removeListener('exit', this.#endWithUs)
    for (const resolve of this.#waiting) resolve(this.#state)
    this.#waiting.clear()
    await this.#endChild()
  }

  #next(): Promise<GpuState> {
    return this.#stopped ? Promise.resolve(this.#state) : new Promise((resolve) => this.#waiting.add(resolve))
  }

  #become(state: GpuState): void {
    if (this.#stopped) return
    this.#state = state
    this.#options.onState?.(state)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve(state)
  }

  #watch(tool: GpuTool): void {
    if (this.#stopped) return
    if (tool === 'nvidia-smi') this.#loop()
    else void this.#poll(tool)
  }

  /** One `nvidia-smi` for all readings. */
  #loop(): void {
    const { everyMs, env, hangMs } = this.#options
    const tool: GpuTool = 'nvidia-smi'
    const child = spawn(tool, [...nvidiaQuery(this.#fields), '-lms', String(everyMs)], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    // One that was never there has no number: Node would send its signal to 0, which is our whole process group.
    this.#child = child.pid === undefined ? null : child
    const reader = nvidiaReader(this.#fields)
    let gather: NodeJS.Timeout | undefined
    const hang = setTimeout(() => end(say('It does not answer.')), hangMs).unref()
    let over = false

    const end = (reason: string | null): void => {
      if (over) return
      over = true
      clearTimeout(hang)
      clearTimeout(gather)
      child.kill('SIGKILL')
      if (this.#child === child) this.#child = null
      if (!this.#stopped) this.#ended(tool, reason ?? reader.complaint())
    }
    const take = (stream: NodeJS.ReadableStream): void => {
      const decoder = new StringDecoder('utf8')
      const lines = new LogLines()
      stream.on('data', (bytes: Buffer) => {
        for (const line of lines.push(decoder.write(bytes))) reader.take(line)
        if (reader.isNonsense()) return end(say`It prints what cannot be read: ${reader.lastLine()}`)
        if (reader.count() === 0) return
        hang.refresh()
        gather ??= setTimeout(() => {
          gather = undefined
          this.#failures = 0
          this.#become({ is: 'read', tool, at: Date.now(), gpus: reader.reading() })
        }, GATHER_MS)
      })
    }
    take(child.stdout)
    take(child.stderr)
    child.once('error', (error: NodeJS.ErrnoException) => {
      over = true
      clearTimeout(hang)
      this.#child = null
      if (error.code === 'ENOENT') void this.#withoutNvidia()
      else this.#ended(tool, { reason: say`It cannot be started (${error.code ?? error.message}).`, noGpu: false })
    })
    child.once('close', () => end(null))
  }

  /** A tool that failed is tried again, later and later. */
  #ended(tool: GpuTool, why: { reason: string; noGpu: boolean; strange?: string | null } | string): void {
    const { reason, noGpu, strange = null } = typeof why === 'string' ? { reason: why, noGpu: false } : why
    if (strange !== null && this.#fields.some((field) => field === strange)) {
      this.#fields = this.#fields.filter((field) => field !== strange)
      return this.#watch(tool)
    }
    this.#become(noGpu ? { is: 'none', reason } : { is: 'failed', tool, reason: TOLD_BY[tool](reason) })
    const { backoffMs } = this.#options
    const waitMs = backoffMs[Math.min(this.#failures, backoffMs.length - 1)] ?? 0
    this.#failures += 1
    this.#timer = setTimeout(() => this.#watch(tool), waitMs)
    this.#timer.unref()
  }

  async #withoutNvidia(): Promise<void> {
    for (const tool of ['amd-smi', 'rocm-smi'] as const) {
      const state = await this.#asked(tool)
      if (this.#stopped) return
      if (state.is === 'none') continue
      this.#become(state)
      return this.#later(tool)
    }
    this.#become({ is: 'none', reason: say('There is no nvidia-smi, amd-smi or rocm-smi on this machine.') })
  }

  async #poll(tool: GpuTool): Promise<void> {
    const state = await this.#asked(tool)
    if (this.#stopped) return
    if (state.is === 'failed') return this.#ended(tool, state.reason.slice(tool.length + 2))
    this.#failures = 0
    this.#become(state)
    this.#later(tool)
  }

  #later(tool: GpuTool): void {
    this.#timer = setTimeout(() => void this.#poll(tool), this.#options.everyMs * POLL_FACTOR)
    this.#timer.unref()
  }

  /** One call of a tool, and what it tells. */
  async #asked(tool: GpuTool): Promise<GpuState> {
    const said = await run(tool, tool === 'nvidia-smi' ? nvidiaQuery(this.#fields) : READINGS[tool].args, this.#options)
    if ('missing' in said) return { is: 'none', reason: say`There is no ${tool} on this machine.` }
    if ('failed' in said) return { is: 'failed', tool, reason: TOLD_BY[tool](said.failed) }
    const gpus = tool === 'nvidia-smi' ? nvidiaTable(said.output, this.#fields) : READINGS[tool].read(said.output)
    if (gpus !== null && gpus.length > 0) return { is: 'read', tool, at: Date.now(), gpus }
    const complaint = gpuComplaint(said.output)
    if (complaint?.noGpu) return { is: 'none', reason: complaint.reason }
    return {
      is: 'failed',
      tool,
      reason: TOLD_BY[tool](complaint?.reason ?? say`It prints what cannot be read: ${shown(said.output)}`),
    }
  }

  async #endChild(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, 1000)
      child.once('close', () => {
        clearTimeout(late)
        resolve()
      })
      child.kill('SIGKILL')
    })
  }
}
