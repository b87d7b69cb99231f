import type { EngineFailure } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import { parseLogLine, type Speaker } from './engine-log.ts'
import { DEVICE_RULES } from './failures/device.ts'
import { HOST_RULES } from './failures/host.ts'
import { LAUNCH_RULES } from './failures/launch.ts'
import { LLAMA_RULES } from './failures/llama-server.ts'
import { MEMORY_RULES } from './failures/memory.ts'
import { MODEL_RULES } from './failures/model.ts'
import type { Rule, Settings } from './failures/rule.ts'
import { SETTING_RULES } from './failures/settings.ts'

export type { Settings } from './failures/rule.ts'

/** How an engine ended, or that it could not be started. */
export type EngineEnd = {
  /** The last of what it printed on both streams, 2000 lines or more: the first error is the cause, the last one wraps it. */
  lines: readonly string[]
  /** null: it was never started, or is still there. */
  exit: { code: number | null; signal: string | null } | null
  /** What the system answered instead of starting it: `ENOENT`, `EACCES`. */
  spawnError?: string | null
  /** It had been up. */
  wasReady: boolean
}

/** Why it ended, in one sentence, and what helps. No rule guesses: what none of them knows is `unknown`. */
export function explainEnd(end: EngineEnd, settings: Settings = {}): EngineFailure {
  const lines = lastLines(end.lines)
  const found = notStarted(end) ?? failureIn(end.lines, settings, end.wasReady) ?? bySignal(end) ?? byDeath(end)
  return { ...(found ?? unknown(end)), lines }
}

/**
 * The failure that a log holds, whatever came after it; null for a healthy one. Errors count in the order in which
 * they were printed, those of the deepest process first. Once it serves most errors are those of single requests: then
 * only what ends a whole engine counts.
 */
export function failureIn(lines: readonly string[], settings: Settings = {}, wasReady = false): EngineFailure | null {
  const servesFrom = lines.findLastIndex((line) => SERVES.test(parseLogLine(line).text))
  const serves = wasReady || servesFrom >= 0
  const rules = serves ? RULES.filter((rule) => rule.whileServing) : RULES
  for (const text of errorTexts(lines.slice(Math.max(0, servesFrom)))) {
    const first = firstMatch(text, rules)
    if (!first) continue
    const { rule, found } = first
    const told = rule.explain(found, { settings, log: lines, serves })
    return { class: rule.class, canHeal: rule.canHeal ?? false, change: null, ...told, lines: lastLines(lines) }
  }
  return null
}

/** With uvicorn's own lines switched off it is the last that vLLM says of its start. */
const SERVES = /^(Starting vLLM server on|(INFO: +)?Application startup complete|main: server is listening)/

const RULES: readonly Rule[] = [
  ...MEMORY_RULES,
  ...DEVICE_RULES,
  ...SETTING_RULES,
  ...MODEL_RULES,
  ...HOST_RULES,
  ...LAUNCH_RULES,
  ...LLAMA_RULES,
]

/** The match that stands first in the text; of two at one place that of the earlier rule. */
function firstMatch(text: string, rules: readonly Rule[]): { rule: Rule; found: RegExpExecArray } | null {
  let best: { rule: Rule; found: RegExpExecArray } | null = null
  for (const rule of rules) {
    const found = rule.match.exec(text)
    if (found && (best === null || found.index < best.found.index)) best = { rule, found }
  }
  return best
}

/** What each process printed of errors, the deepest process first, plain output last. */
function errorTexts(lines: readonly string[]): string[] {
  const texts = new Map<Speaker, string[]>(DEPTHS.map((speaker) => [speaker, []]))
  for (const line of lines) {
    const { speaker, level, text } = parseLogLine(line)
    // Warnings quote errors that might come: "this can cause … Too many open files".
    if (level === 'INFO' || level === 'WARNING' || level === 'DEBUG' || isFrame(text)) continue
    texts.get(speaker)!.push(text)
  }
  return [...texts.values()].map((of) => of.join('\n'))
}

const DEPTHS: readonly Speaker[] = ['worker', 'engine', 'other', 'api', null]

/** Lines of a traceback that show source code: it holds the words of errors that did not happen. */
function isFrame(text: string): boolean {
  return /^ {4}|^ {2}File "|^INFO: |^\s*[\^~]+\s*$/.test(text)
}

function notStarted({ spawnError }: EngineEnd): EngineFailure | null {
  switch (spawnError) {
    case null:
    case undefined:
      return null
    case 'ENOENT':
      return failure(
        'executable_missing',
        say("The engine's program was not found."),
        say('Install it, or set `executable` or `venv` to where it is.'),
      )
    case 'EACCES':
    case 'EPERM':
      return failure(
        'executable_bad',
        say("The engine's program may not be executed."),
        say('Make the file executable, or set `executable` to the right one.'),
      )
    case 'ENOEXEC':
      return failure(
        'executable_bad',
        say("The engine's program is not made for this machine."),
        say('Set `executable` to one that is.'),
      )
    case 'ENOMEM':
    case 'EAGAIN':
      return failure(
        'host_limits',
        say`The system could not start one more program (${spawnError}).`,
        say('Close other programs, or raise the limits of this user.'),
        true,
      )
    default:
      return failure(
        'executable_bad',
        say`The engine's program could not be started (${spawnError}).`,
        say('Check `executable`.'),
      )
  }
}

/** Signals that nobody of ours sent. 137 and the like are a container's or a shell's word for one. */
function bySignal({ exit, lines }: EngineEnd): EngineFailure | null {
  const killed = lines.some((line) => CORE_KILLED.test(line))
  const code = exit?.code ?? 0
  const signal = exit?.signal ?? (code > 128 ? SIGNALS[code - 128] : undefined) ?? (killed ? 'SIGKILL' : undefined)
  switch (signal) {
    case 'SIGKILL':
      return failure(
        'oom_host',
        say('It was killed from outside (SIGKILL): most likely the system ran out of memory.'),
        say('Close other programs, or give the machine more memory or swap.'),
        true,
      )
    case 'SIGSEGV':
    case 'SIGBUS':
    case 'SIGABRT':
    case 'SIGILL':
    case 'SIGFPE':
      return signal === 'SIGILL'
        ? failure(
            'arch',
            say('It met an instruction that this processor does not know (SIGILL).'),
            say('Install a build for this machine.'),
          )
        : failure('crashed', say`It crashed in native code (${signal}).`, null, true)
    case 'SIGTERM':
    case 'SIGINT':
    case 'SIGHUP':
      return failure('ended_outside', say`Somebody else ended it (${signal}).`, null, true)
    default:
      return null
  }
}

const CORE_KILLED = /Failed core proc\(s\): \{[^}]*: -9\b|died unexpectedly \(exit code: -9\)/
const SIGNALS: Record<number, string> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
}

/** An engine core that is gone, without a word of why. vLLM then exits with 0, as if all were well. */
function byDeath({ wasReady, lines, exit }: EngineEnd): EngineFailure | null {
  if (lines.some((line) => ENGINE_DEAD.test(line)))
    return failure('engine_died', say('Its engine core ended without telling why.'), null, true)
  if (wasReady && exit?.code === 0)
    return failure('crashed', say('It ended by itself, with exit code 0 and without a word.'), null, true)
  return null
}

const ENGINE_DEAD = /EngineDeadError|engine core exited unexpectedly|EngineCore encountered a fatal error/

function unknown({ exit, wasReady }: EngineEnd): EngineFailure {
  return failure('unknown', wasReady ? endOf(exit) : startOf(exit), null, true)
}

function endOf(exit: EngineEnd['exit']): string {
  if (exit === null) return say('It failed, for a reason that Lexora does not know.')
  return exit.signal
    ? say`It ended by ${exit.signal}, for a reason that Lexora does not know.`
    : say`It ended with exit code ${exit.code}, for a reason that Lexora does not know.`
}

function startOf(exit: EngineEnd['exit']): string {
  if (exit === null) return say('It failed before it was up, for a reason that Lexora does not know.')
  return exit.signal
    ? say`It ended by ${exit.signal} before it was up, for a reason that Lexora does not know.`
    : say`It ended with exit code ${exit.code} before it was up, for a reason that Lexora does not know.`
}

function failure(name: string, cause: string, fix: string | null, canHeal = false): EngineFailure {
  return { class: name, cause, fix, change: null, canHeal, lines: [] }
}

const SHOWN = 12

/** What a person reads: the last lines that say something, without the frames of tracebacks. */
function lastLines(lines: readonly string[]): string[] {
  const shown: string[] = []
  for (let at = lines.length - 1; at >= 0 && shown.length < SHOWN; at -= 1) {
    const line = lines[at]!.trimEnd()
    const { text } = parseLogLine(line)
    if (text.trim() !== '' && !isFrame(text) && !IDLE_TALK.test(text)) shown.unshift(line)
  }
  return shown
}

const IDLE_TALK = /resource_tracker|^ {2}warnings\.warn|"GET \/(health|metrics|load|version)/
