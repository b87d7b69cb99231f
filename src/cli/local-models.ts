import { gpuDesk } from '../app/gpu-desk.ts'
import { type ModelCommands, modelCommands } from '../app/model-commands.ts'
import { ModelDesk } from '../app/model-desk.ts'
import { readModelsLastUsed } from '../app/records.ts'
import { loadConfig } from '../config/load.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'
import { GpuMonitor } from '../engine/gpu-monitor.ts'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The commands for models in this process, where no Lexora runs, for as long as `work` takes. */
export async function withLocalModels<Result>(
  { env, cwd, home, platform }: Machine,
  work: (commands: ModelCommands) => Promise<Result>,
): Promise<Result> {
  const machine = { env, cwd, home, platform }
  const loaded = loadConfig({ flags: {}, ...machine })
  const monitor = new GpuMonitor({ env: { ...env } })
  const paths = lexoraPaths(machine)
  const desk = new ModelDesk({
    machine,
    paths,
    // A file that is broken hides who uses what, and nothing else.
    engines: loaded.ok ? loaded.config.engines : {},
    ...(loaded.ok ? loaded.config.privacy : {}),
    gpu: gpuDesk(monitor),
    store: null,
    log: SILENT,
    resume: false,
  })
  const lastUsed = () => readModelsLastUsed(paths.stateDir)
  try {
    return await work(modelCommands({ desk, engines: () => [], lastUsed, gateway: () => null }))
  } finally {
    await desk.close()
    await monitor.stop()
  }
}
