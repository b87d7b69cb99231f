import { type AdminTarget, adminClient } from '../app/admin-client.ts'
import { diagnose } from '../app/doctor.ts'
import { gpuDesk } from '../app/gpu-desk.ts'
import type { Machine } from '../config/paths.ts'
import { GpuMonitor } from '../engine/gpu-monitor.ts'
import type { DoctorReport } from '../protocol/doctor.ts'

/** The doctor in this process: where no Lexora runs, or for a file that the one that runs does not use. */
export async function localDoctor(
  { env, cwd, home, platform }: Machine,
  configPath: string | undefined,
  running: AdminTarget | null,
): Promise<DoctorReport> {
  const monitor = new GpuMonitor({ env: { ...env } })
  try {
    const seen = running === null ? null : await adminClient(running).snapshot()
    return await diagnose({
      machine: { env, cwd, home, platform },
      flags: {},
      configPath,
      node: process.versions.node,
      gpu: gpuDesk(monitor),
      running:
        seen === null
          ? null
          : { pid: seen.server.pid, address: seen.server.address, engines: seen.engines, reasons: seen.health.reasons },
    })
  } finally {
    await monitor.stop()
  }
}
