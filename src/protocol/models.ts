/** Models on this machine, their way here, whether they fit, and the installed engines. Sizes in bytes, times in ISO 8601. */

export type ModelKind = 'chat' | 'completion' | 'embedding' | 'rerank' | 'other'

export type ModelView = {
  /** A hub repository, `REPO:FILE.gguf`, or the path of a folder or a file. */
  id: string
  path: string
  /** The hub's cache, or the folder of models. */
  source: 'hub' | 'folder'
  /** The commit that lies here. */
  revision: string | null
  format: 'safetensors' | 'gguf' | 'pytorch' | 'other'
  /** On disk. */
  bytes: number
  quantization: string | null
  /** Of most of its weights, as its files say: `bf16`; null where they do not. */
  dtype: string | null
  architecture: string | null
  parameters: number | null
  contextLength: number | null
  kind: ModelKind
  /** Everything that an engine reads is there and whole. */
  complete: boolean
  /** Files that are not, and why a file is of no use. */
  missing: string[]
  /** Engines of the configuration that name it. */
  usedBy: string[]
  modified: string
  /** The last request that an engine had for it; null: none is written down. */
  lastUsed: string | null
}

/** The disk on which models lie. */
export type DiskView = { folder: string; freeBytes: number; totalBytes: number }

export type ModelList = { models: ModelView[]; disk: DiskView | null }

/**
 * What went wrong, in one sentence, and what to do. `terms`: the model's page, where its terms are accepted; only there
 * where the hub wants a token that may read it.
 */
export type PullProblem = { cause: string; fix: string | null; terms?: string }

/** The hub that models are fetched from. `token`: where the one that is shown there was found; null: none is. Never the token itself. */
export type HubView = {
  address: string
  token: { from: string; canChange: boolean } | null
  /** Where a token is kept that is given to Lexora; the hub's own tools find it there, too. */
  tokenFile: string
}

export type PullState = 'queued' | 'running' | 'verifying' | 'done' | 'failed' | 'cancelled' | 'paused' | 'held'

/** It has not ended: it runs, or waits to. */
export function isPullOpen({ state }: { state: PullState }): boolean {
  return !OVER.has(state)
}

/** It met a full disk, and waits for room and for somebody to resume it. */
export function isPullFull({ state, problem }: Pick<PullView, 'state' | 'problem'>): boolean {
  return state === 'held' && problem !== null
}

const OVER = new Set<PullState>(['done', 'failed', 'cancelled'])

export type PullView = {
  id: string
  repo: string
  /** As asked for, until the hub has said which commit that is. */
  revision: string
  /** `paused`: the hub or the network does not answer; it goes on by itself. `held`: a person wants it to wait, or the disk is full, as its problem says; it goes on when it is resumed. */
  state: PullState
  bytes: number
  /** Null until the hub has listed the files. */
  total: number | null
  bytesPerSecond: number | null
  etaSeconds: number | null
  files: { name: string; bytes: number; total: number; done: boolean }[]
  problem: PullProblem | null
  /** It waits until Lexora may speak to other computers again. */
  offline?: true
}

/** Whether a model's files are what they were when they were made. */
export type VerifyReport = {
  model: string
  path: string
  /** Those that can tell whether they are whole. */
  files: number
  bytes: number
  /** Files whose content was compared with their hash; the others show their structure only. */
  hashed: number
  problems: { file: string; why: string }[]
}

/** A file of a model. `unread`: not verified since Lexora runs, or another one since, or nothing tells what it should be. */
export type ModelFileView = {
  name: string
  bytes: number | null
  state: 'unread' | 'whole' | 'bad' | 'missing'
  /** It was compared with its hash; else its structure alone was looked at. */
  hashed: boolean
  /** What is wrong with it. */
  why: string | null
  checkedAt: string | null
}

export type ModelFilesReport = { model: string; path: string; revision: string | null; files: ModelFileView[] }

export type FitReport = {
  model: string
  /** Null: no GPU tells its memory; it was compared with the memory of the machine. */
  gpu: { names: string[]; totalBytes: number; freeBytes: number } | null
  /** Of each GPU, that it may take in all; null: it is not told one. */
  share: number | null
  weightsBytes: number
  /** Of one token, on all GPUs together. */
  kvBytesPerToken: number
  /** Of one request of `context` tokens. */
  kvBytes: number
  overheadBytes: number
  neededBytes: number
  fits: boolean
  context: number
  /** 0: not even the weights fit. */
  longestContext: number
  /** Requests of `context` tokens that run at once. */
  sequences: number
  parts: { name: string; bytes: number; how: string }[]
  /** What an earlier start took, less what its cache held beyond one such request; null: none was measured. */
  measured: { neededBytes: number; at: string; errorRatio: number } | null
  advice: string[]
}

export type PresetView = {
  id: string
  title: string
  repo: string
  kind: string
  /** As people say it: `8B`, `30B (3B active)`. */
  parameters: string
  /** To fetch. */
  bytes: number
  license: string
  context: number
  minVramBytes: number
  /** Options of vLLM that it is started with. */
  args: Record<string, string | number | boolean>
  note: string
  installed: boolean
}

export type EngineVersionView = {
  version: string
  package: string
  path: string
  bytes: number | null
  installedAt: string
  used: boolean
}

export type InstallPhase = 'checking' | 'environment' | 'fetching' | 'trying' | 'done' | 'failed'

/** An engine on its way here. `line`: the last that the installer said. */
export type InstallView = {
  version: string
  package: string
  phase: InstallPhase
  line: string | null
  startedAt: string
  seconds: number
  /** About what it takes on the disk, and what is free there. */
  needsBytes: number
  freeBytes: number | null
  problem: PullProblem | null
}

/** One that can be installed. `at`: when it was published, ISO 8601, where the index says. */
export type OfferedVersion = { version: string; at: string | null }

/** `index`: where they were found. */
export type OfferedVersions = { index: string; versions: (OfferedVersion & { installed: boolean })[] }

export type EngineVersions = {
  versions: EngineVersionView[]
  used: string | null
  /** What `rollback` goes back to. */
  previous: string | null
  /** The last installation since Lexora runs. */
  install: InstallView | null
  folder: string
  /** The program `vllm` on PATH, which is the owner's own. */
  onPath: string | null
}

/** Lengths of a prompt that most people mean, in tokens. */
export const BENCH_PROMPTS = { short: 100, medium: 1000, long: 8000 } as const

export type BenchReport = {
  model: string
  requests: number
  concurrency: number
  /** Asked of each answer. */
  tokens: number
  /** About so many in each prompt. */
  prompt: number
  errors: number
  /** Why the first one failed. */
  error: string | null
  seconds: number
  /** Milliseconds until the first token; null where no request came through. */
  ttftMs: { p50: number; p95: number; max: number } | null
  /** Of one stream, after its first token. */
  tokensPerSecondPerStream: number | null
  tokensPerSecond: number
  promptTokens: number
  completionTokens: number
}
