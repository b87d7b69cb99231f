import type { Config } from '../protocol/config.ts'
import type { DoctorCheck } from '../protocol/doctor.ts'
import type { EngineView } from '../protocol/engine.ts'
import { say } from '../protocol/sentence.ts'
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
  if (report.is === 'failed') return [fail(say('gpu'), report.reason, null)]
  if (report.is !== 'read') {
    const says = report.is === 'none' ? report.reason : say('Nothing is known of the GPUs.')
    return [
      isNeeded ? warn(say('gpu'), says, say('vLLM needs one, unless it is built for the CPU.')) : ok(say('gpu'), says),
    ]
  }
  const others = (await gpu.who(engines)).filter(
    ({ engine, bytes }) => engine === null && (bytes === null || bytes >= NOTEWORTHY_BYTES),
  )
  return [
    ...report.gpus.map((one) => ok(say('gpu'), said(one))),
    ...others.map(({ pid, program, bytes }) =>
      warn(
        say('gpu memory'),
        bytes === null
          ? say`${program} (pid ${pid}) holds some of it.`
          : say`${program} (pid ${pid}) holds ${(bytes / GIB).toFixed(1)} GiB of it.`,
        say('Close it if an engine needs the memory.'),
      ),
    ),
  ]
}

function said({ index, name, driver, freeBytes, totalBytes }: GpuView): string {
  if (freeBytes === null || totalBytes === null)
    return driver === null
      ? say`GPU ${index}: ${name}, its memory is not told.`
      : say`GPU ${index}: ${name}, driver ${driver}, its memory is not told.`
  const [free, total] = [freeBytes, totalBytes].map((bytes) => (bytes / GIB).toFixed(1))
  return driver === null
    ? say`GPU ${index}: ${name}, ${free} of ${total} GiB free.`
    : say`GPU ${index}: ${name}, driver ${driver}, ${free} of ${total} GiB free.`
}
