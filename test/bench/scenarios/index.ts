import type { Bench, Measured } from '../measure.ts'
import { backendBack } from './backend-back.ts'
import { clientLeaves } from './client-leaves.ts'
import { decision } from './decision.ts'
import { desktop } from './desktop.ts'
import { firstByte } from './first-byte.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { manyStreams } from './many-streams.ts'
import { nonStream } from './non-stream.ts'
import { record } from './record.ts'
import { slowReader } from './slow-reader.ts'
import { soak } from './soak.ts'
import { stream } from './stream.ts'
import { watchers } from './watchers.ts'
import { windowScenario } from './window.ts'

export type Scenario = {
  name: string
  title: string
  run: (bench: Bench) => Promise<Measured>
  /** Takes minutes, or most of the machine's sockets, or a Chromium: only with `--full`, or by its name. */
  large?: boolean
}

export const scenarios: Scenario[] = [
  { name: 'non-stream', title: 'non-stream, 600 B answer, 64 connections', run: nonStream() },
  { name: 'non-stream-20k', title: 'non-stream, 20 KB request body, 64 connections', run: nonStream(20 * 1024) },
  { name: 'stream', title: 'stream, 64 × 100 events, 10 ms apart (per event; latency to the first)', run: stream },
  { name: 'latency', title: 'latency at 200 requests/s', run: latency },
  { name: 'first-byte', title: 'time to first event, 4 streams', run: firstByte },
  { name: 'client-leaves', title: 'client leaves: upstream calls ended within 100 ms', run: clientLeaves },
  { name: 'slow-reader', title: 'slow readers of 200 MiB: held per stream', run: slowReader },
  { name: 'many-streams', title: '1,000 open streams, one event per second', run: manyStreams(1_000) },
  { name: 'most-streams', title: '9,500 open streams, one event per second', run: manyStreams(9_500), large: true },
  { name: 'decision', title: 'one decision: enqueue, pick, admit, settle', run: decision },
  { name: 'record', title: 'one request recorded for the history', run: record },
  { name: 'idle', title: 'an idle engine, watched', run: idle },
  { name: 'watchers', title: '20 watchers of the snapshots, five requests a second', run: watchers },
  { name: 'backend-back', title: 'backend back after a restart', run: backendBack },
  { name: 'soak', title: 'a million requests through one process', run: soak, large: true },
  { name: 'window', title: 'the window in a Chromium', run: windowScenario, large: true },
  {
    name: 'desktop',
    title: 'the desktop app at 200 requests/s: how late its event loop is',
    run: desktop,
    large: true,
  },
]
