import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, vi } from 'vitest'
import { LogLines } from '../../src/policy/log-lines.ts'
import type { FakeHost, VllmRun } from '../support/fake-vllm/process/host.ts'

export type Ended = { code: number | null; signal: NodeJS.Signals | null }

/** One `vllm` of a fake host, with all that it has printed. */
export type Started = {
  child: ChildProcess
  /** In the order in which it came, a stream with its name before it. */
  said: () => { stream: 'out' | 'err'; text: string }[]
  text: () => string
  exited: Promise<Ended>
  isAlive: () => boolean
  /** As the host knows it. */
  run: () => VllmRun
  until: (is: VllmRun['is']) => Promise<VllmRun>
}

/** `vllm serve tiny` on a port of its own, if nothing else is asked for. */
export function startVllm(
  host: FakeHost,
  flags: string[] = [],
  { model = '/models/tiny', env = {} }: { model?: string; env?: Record<string, string> } = {},
): Started {
  const given = flags.includes('--port') || flags.includes('--uds') ? flags : ['--port', '0', ...flags]
  return startCommand(host, ['serve', model, '--host', '127.0.0.1', '--served-model-name', 'tiny', ...given], env)
}

export function startCommand(host: FakeHost, argv: string[], env: Record<string, string> = {}): Started {
  const child = spawn(host.command('vllm'), argv, {
    env: { ...host.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const said: { stream: 'out' | 'err'; text: string }[] = []
  child.stdout!.setEncoding('utf8').on('data', (text: string) => said.push({ stream: 'out', text }))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => said.push({ stream: 'err', text }))
  // Its output may be held open by those whom it left behind, so its exit is what counts.
  const exited = once(child, 'exit').then(async ([code, signal]) => {
    await settled(said)
    return { code, signal } as Ended
  })
  const run = () => host.runs().find(({ pid }) => pid === child.pid)!
  const text = () => said.map((piece) => piece.text).join('')
  return {
    child,
    said: () => said,
    text,
    exited,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    run,
    until: async (is) => {
      const ended = exited.then(() => {
        throw new Error(`it ended:\n${text()}`)
      })
      const is_ = vi.waitFor(() => expect(run()?.is).toBe(is), { timeout: 10_000, interval: 5 })
      await Promise.race([is_, ended])
      return run()
    },
  }
}

/** What was printed before an exit may come a moment after it. */
async function settled(said: readonly unknown[]): Promise<void> {
  for (let before = -1; before !== said.length; ) {
    before = said.length
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Resolves when the condition holds; its words are the failure's. */
export function holds(condition: () => boolean, timeout = 8000): Promise<void> {
  return vi.waitFor(() => expect(condition(), String(condition)).toBe(true), { timeout, interval: 5 })
}

/** All lines, in no order: two streams mix. */
export function linesOf(started: Started): string[] {
  const streams = { out: new LogLines(), err: new LogLines() }
  return started
    .said()
    .flatMap(({ stream, text }) => streams[stream].push(text))
    .map(comparable)
    .sort()
}

/** Lines without what differs from run to run: pids, times, ports, figures. */
export function comparable(line: string): string {
  return line
    .replace(/pid=\d+|pid \d+|process \[\d+\]|(?<=count=)\d+/g, 'N')
    .replace(/(?<=max model len |max_seq_len=)\d+/g, 'N')
    .replace(/\d\d-\d\d \d\d:\d\d:\d\d/, 'T')
    .replace(/(http:\/\/[\w.]+:)\d+/, '$1N')
    .replace(/non-default args: .*/, 'non-default args: {}')
    .replace(/(\d:)\d+ - "/, '$1N - "')
}
