import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSet, readableLength, type ServeArguments, value, values } from './arguments.ts'
import { describedFailure } from './described-failures.ts'
import { gpuStart } from './gpu-start.ts'
import { blocksOf, type Printed, type Recording, readRecording } from './recording.ts'
import { type HostScript, hostFiles } from './script.ts'

/** One start, from its first line to its end or to its being ready: in blocks, each printed by one process. */
export type StartPlan = {
  blocks: Printed[][]
  /** null: it gets ready. */
  exit: number | null
  engineEnds: 'exit' | 'SIGKILL'
  workers: number
  maxModelLen: number
}

export function planStart(folder: string, script: HostScript, args: ServeArguments): StartPlan {
  const { vllm } = script
  const tensorParallel = Number(value(args, '--tensor-parallel-size') ?? 1)
  const workers = vllm.device === 'cpu' ? 1 : tensorParallel > 1 ? tensorParallel : 0
  const fail = failureOf(folder, script, args)
  const maxModelLen = readableLength(value(args, '--max-model-len') ?? '') ?? 40_960
  if (fail) return { ...planned(failing(fail, vllm.device)), workers, maxModelLen }
  if (vllm.device === 'gpu') return { workers, ...gpuPlan(folder, script, args) }
  const name = vllm.kind === 'generate' ? vllm.start : 'cpu-pooling'
  return { ...planned(readRecording(`start/${name}`)), exit: null, workers, maxModelLen }
}

/** The start that meets a taken port, from where it notices. */
export function portTaken(): Printed[] {
  const { printed } = readRecording('fail/port-taken')
  return printed.slice(printed.findIndex(({ text }) => text.startsWith('Traceback')))
}

function gpuPlan(folder: string, script: HostScript, args: ServeArguments) {
  const { maxModelLen, fail, ...recording } = gpuStart(folder, script, args)
  return { ...planned(recording), exit: fail ? 1 : null, maxModelLen }
}

function planned({ exit, printed, engineEnds = 'exit' }: Recording & { engineEnds?: StartPlan['engineEnds'] }) {
  return { blocks: blocksOf(printed), exit, engineEnds }
}

function failing(name: string, device: 'cpu' | 'gpu'): Recording & { engineEnds?: StartPlan['engineEnds'] } {
  return describedFailure(name, device) ?? readRecording(`fail/${name}`)
}

/** The failure that was asked for, or one that the command line has in it. */
function failureOf(folder: string, { vllm }: HostScript, args: ServeArguments): string | null {
  if (vllm.fail && failedBefore(folder, vllm.fail) < vllm.failTimes) return vllm.fail
  if (Number.isNaN(Number(process.env.VLLM_SERVER_DEV_MODE ?? '0'))) return 'dev-mode-true'
  if (isSet(args, '--enable-auto-tool-choice') && !isSet(args, '--tool-call-parser')) return 'tool-choice-no-parser'
  if (args.model === null && values(args, '--served-model-name').length > 0) return 'no-served-name-no-model'
  return null
}

/** How many runs have failed so already. */
function failedBefore(folder: string, name: string): number {
  const { runs } = hostFiles(folder)
  return readdirSync(runs).filter((file) => readFileSync(join(runs, file), 'utf8').includes(`"failed":"${name}"`))
    .length
}
