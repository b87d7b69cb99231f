import { z } from 'zod'
import type { Family } from '../family.ts'
import type { ProcessId } from '../processes.ts'

/** All that a guard is told, once, on its standard input. */
export const guardSpec = z.object({
  engine: z.string(),
  /** The run's name, in the environment of everything that it starts. */
  marker: z.string(),
  /** Who joins must know it. */
  token: z.string(),
  argv: z.tuple([z.string()], z.string()),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  /** A folder of this run alone: its sockets lie there. Removed when the run is gone. */
  runDir: z.string(),
  socket: z.string(),
  recordFile: z.string(),
  port: z.number(),
  configHash: z.string(),
  key: z.string().nullable(),
  log: z.object({ path: z.string(), maxBytes: z.number(), files: z.number() }),
  leaseMs: z.number(),
  /** Commands that do what signals cannot: what runs in a container or in another system ends by these. */
  halt: z.object({ gently: z.array(z.string()), now: z.array(z.string()) }).nullable(),
  /** What a Lexora that adopts it could not find out again. */
  about: z.object({
    derived: z.record(z.string(), z.string()),
    maxSequences: z.number().nullable(),
    schedulesByPriority: z.boolean(),
    /** Numbers of the GPUs that it was given. */
    gpus: z.array(z.number()).default([]),
    /** Its command as it may be shown, one option a line; null: an earlier Lexora did not write it down. */
    command: z.array(z.string()).nullable().default(null),
  }),
})

export type GuardSpec = z.output<typeof guardSpec>

/** What an owner says, one JSON value a line. */
export type ToGuard =
  | { do: 'join'; token: string }
  | { do: 'ping' }
  /** SIGTERM to the engine's own process; its children it ends itself. */
  | { do: 'terminate' }
  /** Everything ends: SIGTERM, so long, SIGKILL. */
  | { do: 'end'; graceMs: number }

export type LogText = { stream: 'O' | 'E'; text: string }

export type Exit = { code: number | null; signal: NodeJS.Signals | null; error: string | null }

/** What a guard says, one JSON value a line. */
export type FromGuard =
  /** `head` and `tail`: the first lines of the run, and the last. */
  | { is: 'welcome'; engine: ProcessId | null; exit: Exit | null; head: LogText[]; tail: LogText[] }
  /** Somebody else owns this engine, or the token is wrong. */
  | { is: 'refused'; reason: 'owned' | 'token' }
  | { is: 'lines'; lines: LogText[] }
  /** The owner did not read fast enough; these are in the log file only. */
  | { is: 'skipped'; lines: number }
  /** What belongs to the engine now. */
  | { is: 'family'; members: ProcessId[] }
  | { is: 'exited'; exit: Exit }
  | { is: 'gone'; left: { pid: number; program: string }[] }
  | { is: 'pong' }

/** What lies on disk while an engine lives: enough to know it again, and to join its guard. */
export const engineRecord = z.object({
  engine: z.string(),
  marker: z.string(),
  bootId: z.string(),
  /** null: about to be started. */
  leader: z.object({ pid: z.number(), startTime: z.string() }).nullable(),
  members: z.array(z.object({ pid: z.number(), startTime: z.string() })),
  guard: z.object({ pid: z.number(), startTime: z.string() }).nullable(),
  socket: z.string(),
  token: z.string(),
  runDir: z.string(),
  port: z.number(),
  configHash: z.string(),
  key: z.string().nullable(),
  startedAt: z.number(),
  halt: guardSpec.shape.halt,
  about: guardSpec.shape.about,
})

export type EngineRecord = z.output<typeof engineRecord>

export const familyOf = ({ marker, leader, members }: EngineRecord): Family => ({ marker, leader, members })

/** Cuts a stream of JSON lines; what is no JSON is dropped. */
export class JsonLines {
  private rest = ''

  push<Message>(text: string): Message[] {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop()!
    return lines.flatMap((line) => parse<Message>(line) ?? [])
  }
}

function parse<Message>(line: string): Message | null {
  try {
    return JSON.parse(line) as Message
  } catch {
    return null
  }
}
