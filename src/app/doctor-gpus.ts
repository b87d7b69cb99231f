import type { Config } from '../protocol/config.ts'
import type { DoctorCheck } from '../protocol/doctor.ts'
import type { EngineView } from '../protocol/engine.ts'
import type { GpuView } from '../protocol/snapshot.ts'
import { fail, ok, warn } from './doctor-checks.ts'
import type { GpuDesk } from './gpu-desk.ts'

const GIB = 1024 ** 3
/** Less than this is a desktop or a browser, which every workstation has. */
const NOTEWORTHY_BYTES = GIB / 2

/** The GPUs with their driver and free memory, and who else holds some. */
export async function checkGpus({
  gpu,
  config,
  engines,
}: {
  gpu: GpuDesk
  config: Config
  engines: readonly EngineView[]
}): Promise<DoctorCheck[]> {
  const report = await gpu.read()
  const isNeeded = Object.values(config.engines).some(({ kind }) => kind === 'vllm')
  if (report.is === 'failed') return [fail('gpu', report.reason, null)]
  if (report.is !== 'read') {
    const says = report.is === 'none' ? report.reason : 'Nothing is known of the GPUs.'
    return [isNeeded ? warn('gpu', says, 'vLLM needs one, unless it is built for the CPU.') : ok('gpu', says)]
  }
  const others = (await gpu.who(engines)).filter(
    ({ engine, bytes }) => engine === null && (bytes === null || bytes >= NOTEWORTHY_BYTES),
  )
  return [
    ...report.gpus.map((one) => ok('gpu', said(one))),
    ...others.map(({ pid, program, bytes }) =>
      warn(
        'gpu memory',
        `${program} (pid ${pid}) holds ${bytes === null ? 'some' : `${(bytes / GIB).toFixed(1)} GiB`} of it.`,
        'Close it if an engine needs the memory.',
      ),
    ),
  ]
}

function said({ index, name, driver, freeBytes, totalBytes }: GpuView): string {
  const memory =
    freeBytes === null || totalBytes === null
      ? 'its memory is not told'
      : `${(freeBytes / GIB).toFixed(1)} of ${(totalBytes / GIB).toFixed(1)} GiB free`
  return `GPU ${index}: ${name}${driver === null ? '' : `, driver ${driver}`}, ${memory}.`
}
