import { setTimeout as pause } from 'node:timers/promises'
import type { EngineFailure } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import type { EngineRun } from './engine-run.ts'
import { failed } from './failed.ts'
import { livingFamily } from './family.ts'
import { hasListener, identifyHolder } from './ports.ts'
import { type Canary, probeReady, type Target, warmUp } from './readiness.ts'
import type { RunLog } from './run-log.ts'
import type { EngineTiming } from './supervision.ts'

/** An engine that answers with a token or a vector, and what it said of itself. */
export type Up = { target: Target; models: string[]; contextLength: number | null; canary: Canary }

/** Less processor time than this share of one core is none. */
const ACTIVE_SHARE = 0.01

/** Watches a run until it serves, or is to be given up: it stalls, is deaf on a stolen port, or serves something else. */
export class StartWatch {
  private readonly run: EngineRun
  private readonly log: RunLog
  /** The model that it is to list; null: any. */
  private readonly model: string | null
  private readonly timing: EngineTiming
  private cpu: { ms: number; at: number } | null = null

  constructor(options: { run: EngineRun; log: RunLog; model: string | null; timing: EngineTiming }) {
    this.run = options.run
    this.log = options.log
    this.model = options.model
    this.timing = options.timing
  }

  /** null: nobody wants to know any more. `onLook` is called with every look. */
  async outcome(over: AbortSignal, onLook: () => void): Promise<Up | { failure: EngineFailure } | null> {
    while (!over.aborted) {
      const stalled = this.stalled()
      const found = stalled === null ? await this.look() : { failure: stalled }
      if (over.aborted) return null
      if (found !== null) return found
      onLook()
      await pause(this.timing.probeMs, undefined, { signal: over }).catch(() => undefined)
    }
    return null
  }

  private async look(): Promise<Up | { failure: EngineFailure } | null> {
    const { port, key } = this.run.known
    if (!(await hasListener(port))) return this.isDeaf() ? { failure: deafFailure(port) } : null
    const asked = { port, key, model: this.model, family: this.run.family }
    const found = await probeReady(asked)
    if (found.is === 'not-yet') return null
    if (found.is === 'foreign') return this.isDeaf() ? { failure: await stolenFailure(port) } : null
    if (found.is === 'wrong-model') return { failure: wrongModel(found.models, this.model) }
    const target = { ...asked, model: found.model }
    const warm = await warmUp(target, this.timing.warmUpMs)
    if ('failed' in warm) {
      return { failure: failed('warm_up', say`It is up, but ${warm.failed}.`, null, { canHeal: true }) }
    }
    return { target, models: found.models, contextLength: found.contextLength, canary: warm.canary }
  }

  /** It said that it is up, and should answer by now. */
  private isDeaf(): boolean {
    const { saidReadyAt } = this.log
    return saidReadyAt !== null && performance.now() - saidReadyAt > this.timing.deafMs
  }

  /** Neither a line nor processor time for long, or no line for very long. A start that moves has all the time. */
  private stalled(): EngineFailure | null {
    const { stallMs, muteMs } = this.timing
    const now = performance.now()
    const muteForMs = now - this.log.spokeAt
    if (muteForMs < stallMs / 2) {
      this.cpu = null
      return null
    }
    const cpuMs = livingFamily(this.run.family, false).reduce((sum, one) => sum + one.cpuMs, 0)
    this.cpu ??= { ms: cpuMs, at: now }
    const works = cpuMs - this.cpu.ms > ACTIVE_SHARE * (now - this.cpu.at)
    if (muteForMs < stallMs || (works && muteForMs < muteMs)) return null
    const seconds = Math.round(muteForMs / 1000)
    const cause = say`It has made no progress for ${seconds} s, in the phase "${this.log.progress.phase}".`
    return failed('stalled', cause, say('See its log.'), { canHeal: true, lines: this.log.lines.slice(-12) })
  }
}

function deafFailure(port: number): EngineFailure {
  const cause = say`It says that it is up, but nobody listens on port ${port}: somebody took it while it loaded.`
  return failed('port_busy', cause, say('Start it again, or set another `port`.'), { canHeal: true })
}

async function stolenFailure(port: number): Promise<EngineFailure> {
  const { pid, program } = await identifyHolder(port)
  const who = pid === null ? say('another program') : say`${program ?? say('a program')} (pid ${pid})`
  return failed(
    'port_busy',
    say`While it loaded, ${who} took its port ${port}.`,
    say('End that, or set another `port`.'),
  )
}

function wrongModel(models: readonly string[], wanted: string | null): EngineFailure {
  const cause = say`It serves ${models.join(', ') || say('no model')}, not ${wanted ?? say('any')}.`
  return failed('wrong_model', cause, say('Set `served_name` to one of these, or `model` to what you want.'))
}
