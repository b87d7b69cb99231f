import type { GpuMonitor } from './gpu-monitor.ts'
import type { GpuSource } from './preflight.ts'

/** What supervisors ask of the one GPU monitor. A tool that fails tells as little as none. */
export function gpuSource(monitor: GpuMonitor): GpuSource {
  return {
    sample: async () => {
      const state = await monitor.sample()
      return state.is === 'read' ? [...state.gpus] : null
    },
    who: async () => (await monitor.who()).holders,
  }
}
