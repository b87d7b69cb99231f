import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { signalProcess } from './family.ts'
import { type Exit, type FromGuard, type GuardSpec, JsonLines, type LogText, type ToGuard } from './guard/protocol.ts'
import { type ProcessId, readProcess } from './processes.ts'

export type GuardProgram = {
  /** Node, or whatever runs as it. */
  command: string
  entry: string
  env: Record<string, string>
}

export type GuardListener = {
  /** How often the guard is asked whether it is there. */
  pingMs: number
  /** First of all: what there is of the engine by now. */
  onWelcome: (welcome: Welcome) => void
  onLines: (lines: LogText[]) => void
  onFamily: (members: ProcessId[]) => void
  onExited: (exit: Exit) => void
  onGone: (left: { pid: number; program: string }[]) => void
  /** The guard itself is gone, or is as good as that. Its engine may live. */
  onLost: () => void
}

type Welcome = Extract<FromGuard, { is: 'welcome' }>

const JOIN_WITHIN_MS = 10_000
const RETRY_MS = 25
/** A guard that was stopped is woken; one that does not answer then is ended, since its engine blocks with it. */
const WAKE_AFTER_PINGS = 3
const GIVE_UP_AFTER_PINGS = 7

/** The line to a guard. As long as it stands the engine lives; when it breaks, the lease begins. */
export class GuardLink {
  private readonly socket: Socket
  private readonly guard: ProcessId | null
  private readonly listener: GuardListener
  private readonly pings: NodeJS.Timeout
  /** Counted, not timed: after a sleep of this process no guard is late. */
  private unanswered = 0
  private isOver = false

  private constructor(socket: Socket, guard: ProcessId | null, listener: GuardListener) {
    this.socket = socket
    this.guard = guard
    this.listener = listener
    this.pings = setInterval(() => this.ping(), listener.pingMs)
    this.pings.unref()
  }

  /** Starts a guard, which starts the engine. Rejects where not even the guard comes up. */
  static async start(program: GuardProgram, spec: GuardSpec, listener: GuardListener): Promise<GuardLink> {
    const child = spawn(program.command, [program.entry], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: program.env,
      windowsHide: true,
    })
    let ended: string | null = null
    child.once('error', (error: NodeJS.ErrnoException) => {
      ended = error.code ?? error.message
    })
    child.once('exit', (code, signal) => {
      ended = `${signal ?? `exit code ${code}`}`
    })
    child.stdin!.on('error', () => {})
    child.stdin!.end(JSON.stringify(spec))
    child.unref()
    const guard = child.pid === undefined ? null : idOf(child.pid)
    for (const until = performance.now() + JOIN_WITHIN_MS; performance.now() < until; await pause(RETRY_MS)) {
      if (ended !== null) throw new Error(`the guard of engine '${spec.engine}' did not start: ${ended}`)
      const link = await GuardLink.join(spec, guard, listener)
      if (link instanceof GuardLink) return link
    }
    throw new Error(`the guard of engine '${spec.engine}' did not answer within ${JOIN_WITHIN_MS / 1000} s`)
  }

  /** Joins a guard that lives; null where there is none, `owned` where another Lexora has it. */
  static async join(
    { socket: path, token }: Pick<GuardSpec, 'socket' | 'token'>,
    guard: ProcessId | null,
    listener: GuardListener,
  ): Promise<GuardLink | 'owned' | null> {
    const socket = await connected(path)
    if (socket === null) return null
    return await new Promise((resolve) => {
      const lines = new JsonLines()
      let link: GuardLink | null = null
      const late = setTimeout(() => socket.destroy(), JOIN_WITHIN_MS)
      socket.setEncoding('utf8')
      socket.on('error', () => {})
      socket.on('data', (text: string) => {
        for (const message of lines.push<FromGuard>(text)) {
          if (message.is === 'welcome' && link === null) {
            clearTimeout(late)
            link = new GuardLink(socket, guard, listener)
            listener.onWelcome(message)
            resolve(link)
          } else if (message.is === 'refused') resolve(message.reason === 'owned' ? 'owned' : null)
          else link?.take(message)
        }
      })
      socket.on('close', () => {
        clearTimeout(late)
        if (link === null) resolve(null)
        else link.closed()
      })
      socket.write(`${JSON.stringify({ do: 'join', token } satisfies ToGuard)}\n`)
    })
  }

  say(message: ToGuard): void {
    if (!this.isOver) this.socket.write(`${JSON.stringify(message)}\n`)
  }

  /** Lets go: the guard's lease begins. */
  leave(): void {
    this.isOver = true
    clearInterval(this.pings)
    this.socket.destroy()
  }

  private take(message: FromGuard): void {
    this.unanswered = 0
    if (this.isOver) return
    const { listener } = this
    if (message.is === 'lines') listener.onLines(message.lines)
    else if (message.is === 'skipped') listener.onLines([skippedLine(message.lines)])
    else if (message.is === 'family') listener.onFamily(message.members)
    else if (message.is === 'exited') listener.onExited(message.exit)
    else if (message.is === 'gone') {
      this.leave()
      listener.onGone(message.left)
    }
  }

  private closed(): void {
    if (this.isOver) return
    this.leave()
    this.listener.onLost()
  }

  private ping(): void {
    this.say({ do: 'ping' })
    if (++this.unanswered <= WAKE_AFTER_PINGS || this.guard === null) return
    signalProcess(this.guard, this.unanswered <= GIVE_UP_AFTER_PINGS ? 'SIGCONT' : 'SIGKILL')
  }
}

const skippedLine = (lines: number): LogText => ({
  stream: 'E',
  text: `lexora: ${lines} lines came too fast to be shown here; they are in the log file`,
})

function idOf(pid: number): ProcessId | null {
  const found = readProcess(pid)
  return found === null ? null : { pid, startTime: found.startTime }
}

async function connected(path: string): Promise<Socket | null> {
  return await new Promise((resolve) => {
    const socket = connect(path)
    socket.once('error', () => resolve(null))
    socket.once('connect', () => resolve(socket))
  })
}
