/** Exit codes of DESIGN 2, the same for the server and every command. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notRunning: 3,
  starting: 4,
  engineFailed: 5,
  portInUse: 6,
  noMemory: 7,
  badModel: 8,
  auth: 9,
  timeout: 10,
  badConfig: 78,
} as const

/** The GPU has not the memory for what was asked of it. */
const NO_MEMORY: ReadonlySet<string> = new Set(['vram_busy', 'vram_peak', 'weights_too_big', 'ctx_too_big', 'oom_gpu'])

/** The model is not there, cannot be had, or is not whole. */
const BAD_MODEL: ReadonlySet<string> = new Set(['model_missing', 'model_bad', 'wrong_model', 'auth', 'offline'])

/** By the class of an engine's failure: what a script should do next differs. */
export function exitOfFailure(failure: string): number {
  if (NO_MEMORY.has(failure)) return EXIT.noMemory
  if (BAD_MODEL.has(failure)) return EXIT.badModel
  return failure === 'port_busy' ? EXIT.portInUse : EXIT.engineFailed
}
