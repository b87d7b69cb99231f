import { writeSync } from 'node:fs'

/**
 * Prints as Python does: the call returns when the pipe has taken it all. A pipe that nobody reads holds 64 KiB, and
 * then this blocks the whole process, as it blocks vLLM; one without a reader takes nothing: then it gives false.
 */
export function print(stream: 'out' | 'err', text: string): boolean {
  const fd = stream === 'out' ? 1 : 2
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN') return false
      Atomics.wait(IDLE, 0, 0, 5)
    }
  }
  return true
}

const IDLE = new Int32Array(new SharedArrayBuffer(4))

/** A line of vLLM's own log. */
export function logLine(process: string, pid: number, level: string, at: string, text: string): string {
  return `(${process} pid=${pid}) ${level} ${clock()} [${at}] ${text}\n`
}

/** As in vLLM's lines: month-day and the time. */
export function clock(now = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${two(now.getMonth() + 1)}-${two(now.getDate())}`
  return `${day} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`
}
