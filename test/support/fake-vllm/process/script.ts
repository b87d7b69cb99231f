import { readFileSync } from 'node:fs'

/** What the fake `vllm` does when it is started. A test writes it, each start reads it. */
export type VllmScript = {
  /** Seconds of the captures are multiplied by it: 1 takes a minute and a half to start. */
  timeScale: number
  /** The same for a start alone, where ends are to take another time; null: no other. */
  startScale: number | null
  /** `cpu` is what was captured, with a worker below the engine core; `gpu` is one GPU, or several with -tp. */
  device: 'cpu' | 'gpu'
  /** Which of its recordings of a start it follows, cpu only. */
  start: 'cpu' | 'cpu-shards' | 'cpu-compile'
  /** A start that fails; `failureNames()` has them. Only so many times, if `failTimes` says so. */
  fail: string | null
  failTimes: number
  /** Waits so long (ms, not scaled) before the first line that holds the text. */
  holdAt: { text: string; ms: number } | null
  /** Weights in MiB, gpu only; the KV cache takes the rest of what it may use. */
  weightsMib: number
  /** Checkpoint shards, gpu only: one refresh of the bar each. */
  shards: number
  /** What becomes of running requests at a SIGTERM without drain: vLLM has a race here, with these three outcomes. */
  sigterm: 'abort' | 'error' | 'hang'
  /** The engine makes so many steps and hangs: /health stays green. */
  hangAfterSteps: number | null
  /** The engine makes so many steps and is gone, as by SIGKILL. */
  crashAfterSteps: number | null
  /** The answers, in real time: see options.ts. */
  ttftMs: number
  tokenMs: number
  tokens: number
  kind: 'generate' | 'pooling' | 'classify'
  version: string
}

/** One GPU of the fake `nvidia-smi`. `cells` replaces what a query gives for a field, `[N/A]` for instance. */
export type FakeGpu = {
  name: string
  uuid: string
  totalMib: number
  /** Held by the desktop and others that are no engines. */
  usedMib: number
  cells: Record<string, string>
}

export type SmiScript = {
  gpus: FakeGpu[]
  /** `hang` says nothing, `silent` stops after its first reading, `nonsense` prints garbage; the others are its errors. */
  mode: 'ok' | 'hang' | 'silent' | 'nonsense' | 'no-driver' | 'mismatch' | 'lost' | 'exits'
  /** Whether processes are listed, with their memory, or with [N/A] as under WDDM. */
  processes: 'listed' | 'without-memory' | 'hidden'
  /** Others than engines in that list. */
  others: { pid: number; name: string; mib: number; gpu: number }[]
  /** Memory of a process that is gone is held so long. */
  lingerMs: number
}

export type HostScript = { vllm: VllmScript; smi: SmiScript }

export const DEFAULT_VLLM: VllmScript = {
  timeScale: 0.004,
  startScale: null,
  device: 'gpu',
  start: 'cpu',
  fail: null,
  failTimes: Number.MAX_SAFE_INTEGER,
  holdAt: null,
  weightsMib: 15_626,
  shards: 4,
  sigterm: 'abort',
  hangAfterSteps: null,
  crashAfterSteps: null,
  ttftMs: 0,
  tokenMs: 0,
  tokens: 8,
  kind: 'generate',
  version: '0.32.0',
}

export const DEFAULT_GPU: FakeGpu = {
  name: 'NVIDIA GeForce RTX 4090',
  uuid: 'GPU-5c89b2f0-5f0a-4d5c-9a52-1f7f6f0d2b10',
  totalMib: 24_564,
  usedMib: 612,
  cells: {},
}

export const DEFAULT_SMI: SmiScript = {
  gpus: [DEFAULT_GPU],
  mode: 'ok',
  processes: 'listed',
  others: [],
  lingerMs: 0,
}

/** The files of a fake host, below its folder. */
export const hostFiles = (folder: string) => ({
  script: `${folder}/script.json`,
  /** One file for each run of `vllm`, one JSON line for each thing that happened in it. */
  runs: `${folder}/runs`,
  /** One file for each process that holds memory of a GPU. */
  vram: `${folder}/vram`,
  bin: `${folder}/bin`,
})

export function readScript(folder: string): HostScript {
  return JSON.parse(readFileSync(hostFiles(folder).script, 'utf8')) as HostScript
}
