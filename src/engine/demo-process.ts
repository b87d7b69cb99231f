import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'

const line = z.object({
  phase: z.string(),
  percent: z.number().optional(),
  port: z.number().optional(),
  models: z.array(z.string()).optional(),
})

export type DemoReady = { port: number; models: string[] }

const STOP_AFTER_MS = 2000

/**
 * The demo engine as a child of ours. It holds the reading end of a pipe whose writing end only we have, so it ends
 * with us even by `kill -9`.
 */
export class DemoProcess {
  private readonly child: ChildProcess
  private readonly exited: Promise<void>
  readonly ready: Promise<DemoReady>

  /** `entry` is the demo program's file; `onPhase` hears its loading phases, `onExit` an end nobody asked for. */
  constructor(options: {
    entry: string
    onPhase: (phase: string, percent: number) => void
    onExit: (reason: string) => void
  }) {
    const args = [options.entry, '--port', '0', '--owner-fd', '3']
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
    let stopping = false
    this.stop = async () => {
      stopping = true
      this.child.kill('SIGTERM')
      const hard = setTimeout(() => this.child.kill('SIGKILL'), STOP_AFTER_MS)
      await this.exited
      clearTimeout(hard)
    }
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        resolve()
        if (!stopping) options.onExit(signal ?? `exit code ${code}`)
      })
    })
    this.ready = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('exit', (code) =>
        reject(new Error(`the demo engine ended with code ${code} before it was ready`)),
      )
      createInterface({ input: this.child.stdout! }).on('line', (text) => {
        const told = line.safeParse(parse(text))
        if (!told.success) return
        const { phase, percent = 0, port, models = [] } = told.data
        options.onPhase(phase, percent)
        if (phase === 'ready' && port !== undefined) resolve({ port, models })
      })
    })
  }

  /** Ends it; resolves when it is gone. */
  readonly stop: () => Promise<void>
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
