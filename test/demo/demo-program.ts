import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const DEMO_PROGRAM = fileURLToPath(new URL('../../src/demo/main.ts', import.meta.url))

export type Phase = { phase: string; percent?: number; port?: number; models?: string[] }

/** A running demo engine and the lines that it printed on its way. */
export type DemoProgram = { child: ChildProcess; phases: Phase[]; url: string; port: number }

/** Starts a command that prints the phases of a demo engine, and waits until it is ready. `onPhase` hears each line. */
export async function startProgram(args: string[], onPhase: (phase: Phase) => void = () => {}): Promise<DemoProgram> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
  const phases: Phase[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    const phase = JSON.parse(line) as Phase
    phases.push(phase)
    onPhase(phase)
    if (phase.port !== undefined) return { child, phases, port: phase.port, url: `http://127.0.0.1:${phase.port}` }
  }
  throw new Error('the demo engine ended before it was ready')
}
