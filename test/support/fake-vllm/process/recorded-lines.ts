import { LogLines } from '../../../../src/policy/log-lines.ts'
import { type Printed, type Recording, readRecording } from './recording.ts'

/** The lines of a recording, as whoever reads both streams of it sees them. */
export function recordedLines(recording: string | Recording | { printed: readonly Printed[] }): string[] {
  const { printed } = typeof recording === 'string' ? readRecording(recording) : recording
  const streams = { out: new LogLines(), err: new LogLines() }
  return printed.flatMap(({ stream, text }) => streams[stream].push(text))
}
