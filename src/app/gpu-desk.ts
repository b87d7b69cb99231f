import type { GpuMonitor, GpuState } from '../engine/gpu-monitor.ts'
import { gpuSource } from '../engine/gpu-source.ts'
import type { GpuSource } from '../engine/preflight.ts'
import { readProcess } from '../engine/processes.ts'
import type { EngineView } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
import type { GpuHolderView, GpuReport } from '../protocol/snapshot.ts'

/** What faces are told of the GPUs. */
export type GpuDesk = {
  /** As of the last round. */
  state: () => GpuReport
  /** As of now, or of the last round where the tool takes too long. */
  read: () => Promise<GpuReport>
  /** Who holds memory, those who hold most first. */
  who: (engines: readonly EngineView[]) => Promise<GpuHolderView[]>
  /** The same for the checks before a start. */
  source: GpuSource
}

const UNWATCHED: GpuReport = { is: 'none', reason: say('The GPUs are not watched here.') }
const NOBODY: GpuDesk = {
  state: () => UNWATCHED,
  read: async () => UNWATCHED,
  who: async () => [],
  source: { sample: async () => null, who: async () => [] },
}

/** Null: nobody watches them. */
export function gpuDesk(monitor: GpuMonitor | null): GpuDesk {
  if (monitor === null) return NOBODY
  return {
    source: gpuSource(monitor),
    state: () => gpuReport(monitor.state),
    read: async () => {
      const first = await monitor.first()
      return gpuReport(first.is === 'read' ? await monitor.sample() : first)
    },
    who: async (engines) => {
      const { holders } = await monitor.who()
      return holders
        .map(({ pid, program, bytes }) => ({ pid, program, bytes, engine: ownerOf(pid, engines) }))
        .sort((one, other) => (other.bytes ?? 0) - (one.bytes ?? 0))
    },
  }
}

function gpuReport(state: GpuState): GpuReport {
  switch (state.is) {
    case 'failed':
      return { is: 'failed', tool: state.tool, reason: state.reason }
    case 'read':
      return {
        is: 'read',
        tool: state.tool,
        gpus: state.gpus.map(({ id: _, computeCapability: __, fan: ___, ...gpu }) => gpu),
      }
    default:
      return state
  }
}

/** An engine's processes share the group of the one that was started. */
function ownerOf(pid: number, engines: readonly EngineView[]): string | null {
  const found = readProcess(pid)
  const isOf = (view: EngineView): boolean =>
    view.pid !== null && (view.pid === pid || view.pid === found?.group || view.pid === found?.session)
  return engines.find(isOf)?.name ?? null
}
