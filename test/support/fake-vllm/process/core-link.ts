import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Core, Gauges } from '../options.ts'
import type { FromCore, ToCore } from './core-process.ts'

const PROGRAM = fileURLToPath(new URL('./core-process.ts', import.meta.url))

/** How its process ended: what Python calls the exit code, minus the signal where there was one. */
export type CoreExit = number

export type CoreLink = Core & {
  pid: number
  exited: Promise<CoreExit>
  gone: () => boolean
  /** Lets it print one block; false where it is gone before that. */
  play: (block: number) => Promise<boolean>
  send: (message: ToCore) => void
  kill: (signal: NodeJS.Signals) => void
  /** From now on those who run are told this. */
  finish: (how: 'dead' | 'aborted' | 'hanging') => void
  refuse: (message: string) => void
  /** What runs and waits, as the server counts it. */
  observe: (count: () => Gauges) => void
}

/** The API server's side of its engine core. */
export function startCore(planFile: string, onSpawned: (pid: number) => void): CoreLink {
  const child: ChildProcess = spawn(process.execPath, ['--no-warnings', PROGRAM, planFile, 'engine'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const end = new AbortController()
  let how: ReturnType<Core['how']> = 'serving'
  let refusal: string | null = null
  let gone = false
  let played: (() => void) | null = null
  /** Who waits for the step that is due, and for the one after it. */
  let due: Set<() => void> | null = null
  let next = new Set<() => void>()
  let shown: Gauges = { running: 0, waiting: 0 }
  let count = () => shown

  const exited = new Promise<CoreExit>((resolve) => {
    child.once('exit', (code, signal) => {
      gone = true
      played?.()
      resolve(signal === 'SIGKILL' ? -9 : signal === 'SIGTERM' ? -15 : (code ?? 0))
    })
  })
  child.on('message', (message: FromCore) => {
    if (message.is === 'played') played?.()
    else if (message.is === 'spawned') onSpawned(message.pid)
    else stepped()
  })
  child.on('error', () => {})

  function stepped(): void {
    const done = due
    due = null
    shown = count()
    for (const resolve of done ?? []) resolve()
    if (next.size > 0) ask()
  }

  function ask(): void {
    due = next
    next = new Set()
    send({ do: 'step' })
  }

  function step(over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        over.removeEventListener('abort', done)
        next.delete(done)
        due?.delete(done)
        resolve()
      }
      over.addEventListener('abort', done)
      next.add(done)
      if (!due) ask()
    })
  }

  function send(message: ToCore): void {
    if (!gone && child.connected) child.send(message, () => {})
  }

  return {
    pid: child.pid ?? 0,
    exited,
    gone: () => gone,
    play: async (block) => {
      if (gone) return false
      const done = new Promise<void>((resolve) => {
        played = resolve
      })
      send({ do: 'play', block })
      await done
      played = null
      return !gone
    },
    send,
    kill: (signal) => void child.kill(signal),
    step,
    end: end.signal,
    how: () => how,
    finish: (told) => {
      how = told
      end.abort()
    },
    refusal: () => refusal,
    refuse: (message) => {
      refusal = message
    },
    observe: (counting) => {
      count = counting
    },
    healthy: () => how !== 'dead',
    sleeps: (asleep) => send({ do: 'sleep', asleep }),
    gauges: (now) => {
      if (!due) shown = now
      return shown
    },
  }
}
