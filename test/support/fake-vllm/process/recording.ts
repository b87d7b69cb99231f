import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Who prints a line: the API server, the engine core below it, or the worker below that. */
export type Owner = 'api' | 'engine' | 'worker'

/** What a process printed at once: bytes for one stream, and how many seconds after the line before. */
export type Printed = {
  owner: Owner
  waitS: number
  stream: 'out' | 'err'
  text: string
  /** Memory of its GPU that the process holds from here on. */
  vramMib?: number
}

export type Recording = { exit: number; printed: Printed[] }

const FIXTURES = new URL('../../../fixtures/vllm/', import.meta.url)

/** A captured run of a real vLLM (`test/fixtures/vllm`): `start/…` ends when it is ready, `fail/…` with its exit. */
export function readRecording(name: string): Recording {
  return recordingFrom(readFileSync(fileURLToPath(new URL(`${name}.txt`, FIXTURES)), 'utf8'))
}

/** Lines of a capture: seconds since spawn, O or E, then what was printed, a carriage return shown as `<CR>`. */
export function recordingFrom(capture: string): Recording {
  const exit = Number(/^# exit code: (-?\d+)$/m.exec(capture)?.[1] ?? 0)
  const printed: Printed[] = []
  const whose = ownership()
  let before = 0
  let onBar = false
  for (const [, at, stream, raw = ''] of capture.matchAll(/^ *(\d+\.\d+) ([OE])(?: (.*))?$/gm)) {
    if (raw === '<<EOF>>') continue
    // A bar is a carriage return and a text without an end of line.
    const text = raw === '<CR>' ? '\r' : onBar ? raw : `${raw.replace(/<CR>$/, '\r')}\n`
    onBar = raw === '<CR>'
    printed.push({ owner: whose(raw), waitS: Number(at) - before, stream: stream === 'O' ? 'out' : 'err', text })
    before = Number(at)
  }
  return { exit, printed }
}

/** Lines without a prefix belong to who spoke last, but for a few whose owner is known. */
function ownership(): (line: string) => Owner {
  let imports = 0
  let last: Owner = 'api'
  return (line) => {
    if (line.startsWith('Triton is installed')) last = (['api', 'engine', 'worker'] as const)[imports++] ?? 'worker'
    else if (line.startsWith('(APIServer')) last = 'api'
    else if (line.startsWith('(EngineCore')) last = 'engine'
    else if (/^\((Vllm)?Worker/.test(line)) last = 'worker'
    else if (/^(INFO: |Traceback |usage: |\/python\/multiprocessing\/resource_tracker)/.test(line)) last = 'api'
    else if (line.startsWith('Process EngineCore')) last = 'engine'
    return last
  }
}

/** What follows one another from the same process. */
export function blocksOf(printed: Printed[]): Printed[][] {
  const blocks: Printed[][] = []
  for (const piece of printed) {
    const current = blocks.at(-1)
    if (current?.[0]?.owner === piece.owner) current.push(piece)
    else blocks.push([piece])
  }
  return blocks
}

const PREFIX: Record<Owner, string> = { api: 'APIServer', engine: 'EngineCore', worker: 'Worker_TP0' }

/** A line of vLLM's log; pid and time are put in when it is printed. */
export function line(owner: Owner, waitS: number, at: string, text: string, level = 'INFO'): Printed {
  return { owner, waitS, stream: 'out', text: `(${PREFIX[owner]} pid=1) ${level} 11-20 15:19:43 [${at}] ${text}\n` }
}
