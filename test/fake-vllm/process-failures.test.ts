import { describe, expect, test } from 'vitest'
import { failureNames } from '../support/fake-vllm/process/described-failures.ts'
import { createFakeHost } from '../support/fake-vllm/process/host.ts'
import { recordedLines } from '../support/fake-vllm/process/recorded-lines.ts'
import { readRecording } from '../support/fake-vllm/process/recording.ts'
import { comparable, linesOf, startVllm } from './vllm-run.ts'

describe('a failing start prints what the captured one printed, exits as it did, and leaves nobody behind', () => {
  test.concurrent.each(failureNames().captured)('%s', async (fail) => {
    const host = createFakeHost({ vllm: { timeScale: 0, device: 'cpu', fail } })
    try {
      const started = startVllm(host)
      expect(await started.exited).toEqual({ code: readRecording(`fail/${fail}`).exit, signal: null })
      expect(linesOf(started)).toEqual(recordedLines(`fail/${fail}`).map(comparable).sort())
      expect(started.run().alive()).toEqual([])
    } finally {
      host.dispose()
    }
  })
})
