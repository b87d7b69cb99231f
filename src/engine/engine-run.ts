import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { endFamily, type Family, signalProcess } from './family.ts'
import type { EngineRecord, Exit, GuardSpec, LogText } from './guard/protocol.ts'
import { GuardLink, type GuardListener, type GuardProgram } from './guard-link.ts'
import type { ProcessId } from './processes.ts'
import { removeRecord } from './record.ts'

export type RunListener = Pick<GuardListener, 'pingMs'> & {
  onLines: (lines: LogText[]) => void
  /** Its process ended, or nobody guards it any more (`error: 'guard'`). Told once. */
  onExited: (exit: Exit) => void
}

type Left = { pid: number; program: string }[]
type Known = Pick<EngineRecord, 'marker' | 'port' | 'key' | 'runDir' | 'halt' | 'about'> & { recordFile: string }

const HALT_WITHIN_MS = 40_000
const OWNER_LEAVES_WITHIN_MS = 3000
const RETRY_MS = 100

/** One run of an engine, from its spawn or adoption until nothing of it is left. */
export class EngineRun {
  readonly known: Known
  leader: ProcessId | null = null
  private members: readonly ProcessId[] = []
  private link: GuardLink | null = null
  private hasExited = false
  /** Its guard could not end all of it, and is gone. */
  private hasFailed = false
  private guard: ProcessId | null = null
  private readonly exit = Promise.withResolvers<void>()
  private readonly ended = Promise.withResolvers<Left | 'lost'>()

  private constructor(known: Known) {
    this.known = known
  }

  /** Rejects where not even its guard starts; an engine that does not start has exited. */
  static async start(program: GuardProgram, spec: GuardSpec, listener: RunListener): Promise<EngineRun> {
    const run = new EngineRun(spec)
    run.link = await GuardLink.start(program, spec, run.listen(listener))
    return run
  }

  /**
   * Joins the guard that an earlier Lexora left; null where there is none to join. One that has just lost its owner may
   * not know it yet; one that still has it after a while is not ours: `owned`.
   */
  static async adopt(path: string, record: EngineRecord, listener: RunListener): Promise<EngineRun | 'owned' | null> {
    const run = new EngineRun({ ...record, recordFile: path })
    run.leader = record.leader
    run.members = record.members
    const until = performance.now() + OWNER_LEAVES_WITHIN_MS
    for (;;) {
      const link = await GuardLink.join(record, record.guard, run.listen(listener))
      if (link === null || (link === 'owned' && performance.now() > until)) return link
      if (link !== 'owned') {
        run.link = link
        return run
      }
      await pause(RETRY_MS)
    }
  }

  /** What a record tells of, without a guard that can be spoken to: to be ended, nothing else. */
  static unguarded(recordFile: string, record: EngineRecord): EngineRun {
    const run = new EngineRun({ ...record, recordFile })
    run.guard = record.guard
    run.leader = record.leader
    run.members = record.members
    run.exit.resolve()
    run.ended.resolve('lost')
    return run
  }

  /** Resolves when its own process ended, or nobody can tell any more. */
  get exited(): Promise<void> {
    return this.exit.promise
  }

  /** Who belongs to it, as last seen. */
  get family(): Family {
    return { marker: this.known.marker, leader: this.leader, members: this.members }
  }

  /** Asks the engine's own process to end. */
  terminate(): void {
    this.link?.say({ do: 'terminate' })
  }

  /** Ends everything of it; resolves with whoever could not be ended. 0 kills at once, also while it ends gently. */
  async end(graceMs: number): Promise<Left> {
    this.link?.say({ do: 'end', graceMs })
    const left = await this.ended.promise
    if (left !== 'lost' && (left.length === 0 || !this.hasFailed)) {
      this.hasFailed = left.length > 0
      return left
    }
    return await this.endUnguarded(graceMs)
  }

  /** Leaves it to its guard, which ends it unless somebody adopts it within the lease. */
  leave(): void {
    this.link?.leave()
  }

  private listen(listener: RunListener): GuardListener {
    const exited = (exit: Exit): void => {
      if (this.hasExited) return
      this.hasExited = true
      this.exit.resolve()
      listener.onExited(exit)
    }
    return {
      pingMs: listener.pingMs,
      onWelcome: ({ engine, exit, head, tail }) => {
        this.leader = engine
        listener.onLines([...head, ...tail])
        if (exit !== null) exited(exit)
      },
      onLines: listener.onLines,
      onFamily: (members) => {
        this.members = members
      },
      onExited: exited,
      onGone: (left) => {
        exited({ code: null, signal: null, error: null })
        this.ended.resolve(left)
      },
      onLost: () => {
        this.link = null
        this.ended.resolve('lost')
        exited({ code: null, signal: null, error: 'guard' })
      },
    }
  }

  private async endUnguarded(graceMs: number): Promise<Left> {
    const { halt, recordFile, runDir } = this.known
    // One that does not answer could start what is being ended.
    if (this.guard !== null) signalProcess(this.guard, 'SIGKILL')
    if (halt !== null) await runCommand(halt.now)
    const left = await endFamily(this.family, graceMs)
    if (left.length === 0) {
      removeRecord(recordFile)
      rmSync(runDir, { recursive: true, force: true })
    }
    return left.map(({ pid, program }) => ({ pid, program }))
  }
}

async function runCommand([command, ...args]: readonly string[]): Promise<void> {
  if (command === undefined) return
  await new Promise<void>((resolve) => {
    execFile(command, args, { timeout: HALT_WITHIN_MS, windowsHide: true }, () => resolve())
  })
}
