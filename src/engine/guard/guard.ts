import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, timingSafeEqual } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { endFamily, livingFamily, MARKER_VARIABLE, signalProcess } from '../family.ts'
import { type ProcessId, readBootId, readProcess } from '../processes.ts'
import { removeRecord, writeRecord } from '../record.ts'
import { EngineOutput } from './engine-output.ts'
import {
  type EngineRecord,
  type Exit,
  type FromGuard,
  familyOf,
  type GuardSpec,
  JsonLines,
  type ToGuard,
} from './protocol.ts'

const JOIN_WITHIN_MS = 5000
/** Who starts it joins it, also where the lease for those who come later is none at all. */
const FIRST_JOIN_WITHIN_MS = 30_000
/** What a dead engine still prints arrives this soon, also where children of it keep the pipe open. */
const LAST_WORDS_MS = 200
/** Children of an engine that was asked to end go by themselves; those of one that died may not know it yet. */
const ASKED_GRACE_MS = 5000
const CRASH_GRACE_MS = 1000
/** Without an owner nobody waits for a good end: an idle vLLM needs half a second (captures, 6). */
const DESERTED_GRACE_MS = 700
const LOOK_EVERY_MS = { least: 1000, most: 10_000 }
const HALT_WITHIN_MS = 40_000
/** An owner that does not read is not waited for. */
const MAX_UNREAD_BYTES = 1024 * 1024

type Left = Extract<FromGuard, { is: 'gone' }>['left']

/**
 * Stands between Lexora and one engine: starts it as the leader of a session of its own, always reads what it prints,
 * and ends all of it when nobody has owned it for the time of its lease. It outlives Lexora, and no engine outlives it.
 */
export class Guard {
  private readonly spec: GuardSpec
  private readonly output: EngineOutput
  private readonly server: Server
  private readonly finished: () => void
  private record: EngineRecord
  private child: ChildProcess | null = null
  private owner: Socket | null = null
  private lease: NodeJS.Timeout | undefined
  private look: NodeJS.Timeout | undefined
  private changedAt = performance.now()
  private exit: Exit | null = null
  private asked = false
  private readonly hurry = new AbortController()
  private ending: Promise<void> | null = null
  /** Who had it started has not come yet, and will ask what became of it. */
  private isAwaited = true
  /** Who could not be ended; null: it is not over. */
  private left: Left | null = null

  constructor(spec: GuardSpec, finished: () => void) {
    this.spec = spec
    this.finished = finished
    this.output = new EngineOutput(spec.log, (lines) => this.tellLines(lines))
    this.server = createServer((socket) => this.admit(socket))
    this.record = firstRecord(spec)
  }

  /** Resolves when the engine was started, or could not be. */
  async start(): Promise<void> {
    writeRecord(this.spec.recordFile, this.record)
    await this.listen()
    this.beginLease(Math.max(this.spec.leaseMs, FIRST_JOIN_WITHIN_MS))
    const [command, ...args] = this.spec.argv
    const env = { ...this.spec.env, [MARKER_VARIABLE]: this.spec.marker }
    this.output.note(`Lexora starts ${basename(command)}`)
    const child = spawn(command, args, {
      cwd: this.spec.cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    this.child = child
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) void this.died({ code: null, signal: null, error: error.code ?? error.message })
    })
    child.once('exit', (code, signal) => void this.died({ code, signal, error: null }))
    this.output.read(child.stdout!, 'O')
    this.output.read(child.stderr!, 'E')
    if (child.pid === undefined) return
    this.setRecord({ leader: { pid: child.pid, startTime: readProcess(child.pid)?.startTime ?? '' } })
    this.watchFamily()
  }

  /** Somebody wants the guard itself to end: then so does its engine. */
  desert(): void {
    this.isAwaited = false
    if (this.left !== null) this.conclude(this.left)
    else void this.end(DESERTED_GRACE_MS, true)
  }

  private async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(this.spec.socket, resolve)
    })
    if (process.platform !== 'win32') chmodSync(this.spec.socket, 0o600)
  }

  private beginLease(ms = this.spec.leaseMs): void {
    clearTimeout(this.lease)
    this.lease = setTimeout(() => this.desert(), ms)
  }

  private admit(socket: Socket): void {
    const lines = new JsonLines()
    const late = setTimeout(() => socket.destroy(), JOIN_WITHIN_MS)
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      for (const message of lines.push<ToGuard>(text)) this.take(socket, message, late)
    })
    socket.on('close', () => {
      clearTimeout(late)
      if (this.owner !== socket) return
      this.owner = null
      if (this.ending === null) this.beginLease()
    })
  }

  private take(socket: Socket, message: ToGuard, late: NodeJS.Timeout): void {
    if (message.do === 'join') {
      clearTimeout(late)
      return this.join(socket, message.token)
    }
    if (socket !== this.owner) return void socket.destroy()
    if (message.do === 'ping') return this.tell({ is: 'pong' })
    if (message.do === 'terminate') return this.terminate()
    void this.end(message.graceMs, false)
  }

  private join(socket: Socket, token: string): void {
    const reason = !isSame(token, this.spec.token) ? 'token' : this.owner !== null ? 'owned' : null
    if (reason !== null) return void socket.end(`${JSON.stringify({ is: 'refused', reason } satisfies FromGuard)}\n`)
    clearTimeout(this.lease)
    this.owner = socket
    this.isAwaited = false
    const { head, tail } = this.output
    this.tell({ is: 'welcome', engine: this.record.leader, exit: this.exit, head, tail })
    this.tell({ is: 'family', members: this.record.members })
    if (this.left !== null) this.conclude(this.left)
  }

  private tell(message: FromGuard): void {
    this.owner?.write(`${JSON.stringify(message)}\n`)
  }

  private tellLines(lines: Extract<FromGuard, { is: 'lines' }>['lines']): void {
    if (this.owner === null) return
    if (this.owner.writableLength > MAX_UNREAD_BYTES) this.tell({ is: 'skipped', lines: lines.length })
    else this.tell({ is: 'lines', lines })
  }

  private terminate(): void {
    this.asked = true
    if (this.spec.halt !== null) void this.run(this.spec.halt.gently)
    else if (this.record.leader !== null) signalProcess(this.record.leader, 'SIGTERM')
  }

  private async died(exit: Exit): Promise<void> {
    if (this.exit !== null) return
    this.exit = exit
    if (exit.error === null) await Promise.race([this.output.ended, pause(LAST_WORDS_MS)])
    this.output.flush()
    this.tell({ is: 'exited', exit })
    await this.end(this.asked ? ASKED_GRACE_MS : CRASH_GRACE_MS, false)
  }

  /** Once only, but 0 is heard also later. With `gently` the engine's own process is asked first. */
  private end(graceMs: number, gently: boolean): Promise<void> {
    if (graceMs === 0) this.hurry.abort()
    this.ending ??= this.endAll(graceMs, gently)
    return this.ending
  }

  private async endAll(graceMs: number, gently: boolean): Promise<void> {
    clearTimeout(this.look)
    if (gently && this.exit === null) {
      this.terminate()
      await Promise.race([this.output.ended, pause(graceMs)])
    }
    // What its own process started elsewhere does not end with it.
    if (this.spec.halt !== null) await this.run(this.spec.halt.now)
    const left = await endFamily(familyOf(this.record), gently ? 0 : graceMs, this.hurry.signal)
    await this.finish(left.map(({ pid, program }) => ({ pid, program })))
  }

  private async finish(left: Left): Promise<void> {
    if (this.exit === null && this.child?.pid !== undefined)
      await Promise.race([this.output.ended, pause(LAST_WORDS_MS)])
    await this.output.close()
    this.left = left
    if (!this.isAwaited) this.conclude(left)
  }

  private conclude(left: Left): void {
    clearTimeout(this.lease)
    if (left.length === 0) removeRecord(this.spec.recordFile)
    this.server.close()
    const { owner } = this
    if (owner === null) return this.leave()
    this.tell({ is: 'gone', left })
    // Its closing shows that it has read everything; a stopped one is not waited for.
    owner.once('close', () => this.leave())
    owner.end()
    setTimeout(() => this.leave(), JOIN_WITHIN_MS).unref()
  }

  private leave(): void {
    if (this.left?.length === 0) rmSync(this.spec.runDir, { recursive: true, force: true })
    this.finished()
  }

  /** After its parent's death nothing tells who belonged to it, so it is written down while it lives. */
  private watchFamily(): void {
    const living = livingFamily(familyOf(this.record), false)
    const members = living.map(({ pid, startTime }): ProcessId => ({ pid, startTime }))
    if (JSON.stringify(members) !== JSON.stringify(this.record.members)) {
      this.changedAt = performance.now()
      this.setRecord({ members })
      this.tell({ is: 'family', members })
    }
    const quietMs = (performance.now() - this.changedAt) / 10
    const everyMs = Math.min(LOOK_EVERY_MS.most, Math.max(LOOK_EVERY_MS.least, quietMs))
    this.look = setTimeout(() => this.watchFamily(), everyMs)
  }

  private setRecord(change: Partial<EngineRecord>): void {
    this.record = { ...this.record, ...change }
    try {
      writeRecord(this.spec.recordFile, this.record)
    } catch {
      // A full disk: whoever looks for this engine still finds it by its marker.
    }
  }

  private async run([command, ...args]: readonly string[]): Promise<void> {
    if (command === undefined) return
    await new Promise<void>((resolve) => {
      execFile(command, args, { env: this.spec.env, timeout: HALT_WITHIN_MS, windowsHide: true }, () => resolve())
    })
  }
}

function firstRecord(spec: GuardSpec): EngineRecord {
  const { engine, marker, socket, token, runDir, port, configHash, key, halt, about } = spec
  const guard = { pid: process.pid, startTime: readProcess(process.pid)?.startTime ?? '' }
  const known = { engine, marker, socket, token, runDir, port, configHash, key, halt, about }
  return { ...known, bootId: readBootId(), leader: null, members: [], guard, startedAt: Date.now() }
}

function isSame(given: unknown, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(token))
}
