import type { EngineConfig } from './launch.ts'

/** What a command is made of beside the configuration. */
export type CommandFacts = {
  name: string
  port: number
  /** For kinds that can check one. */
  key: string
  runDir: string
  marker: string
  /** Options that the installed version knows; null: it could not be asked. */
  flags: ReadonlySet<string> | null
  /** Of the GPU with the least free memory among those it may use; null: none is known. */
  gpu: { totalBytes: number; freeBytes: number } | null
  /** Prompt tokens a second that this engine was seen to read; null: not measured. */
  prefillRate: number | null
  /** What was derived for a run that goes on, where its next command is asked for: memory that it holds is not free to be measured. */
  running?: Readonly<Record<string, string>>
  /** All files of the model lie on this machine. */
  isComplete: boolean
  /** It is to fetch nothing. */
  offline: boolean
  /** Nor from the hub alone. */
  isHubOff: boolean
  /** Lexora's own environment. */
  env: Readonly<Record<string, string | undefined>>
}

export type EngineCommand = {
  argv: [string, ...string[]]
  env: Record<string, string>
  halt: { gently: string[]; now: string[] } | null
  /** Options that nobody wrote down, with their values. */
  derived: Record<string, string>
  /** It answers to this key only; null: it knows none. */
  key: string | null
  /** Most requests that it runs at once; null: not known. */
  maxSequences: number | null
  schedulesByPriority: boolean
}

export type Options = Record<string, EngineConfig['args'][string]>
