/** What the rules advise is done to the double, and then it starts: a remedy that is computed is the right one. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { failureIn } from '../../src/policy/failure-rules.ts'
import { LogLines } from '../../src/policy/log-lines.ts'
import { aGpu, createFakeHost, type FakeHost } from '../support/fake-vllm/process/host.ts'
import type { SmiScript, VllmScript } from '../support/fake-vllm/process/script.ts'
import { type Started, startVllm } from './vllm-run.ts'

type Args = Record<string, string | number | boolean>
type Case = {
  what: string
  args: Args
  vllm?: Partial<VllmScript>
  smi?: Partial<SmiScript>
  env?: Record<string, string>
}

let host: FakeHost

beforeEach(() => {
  host = createFakeHost({ vllm: { timeScale: 0 } })
})
afterEach(() => host.dispose())

const CASES: Case[] = [
  { what: 'a context that does not fit', args: { 'max-model-len': 40_960 } },
  {
    what: 'memory that others hold',
    args: { 'max-model-len': 2048 },
    vllm: { weightsMib: 4000 },
    smi: { gpus: [aGpu({ usedMib: 9000 })] },
  },
  { what: 'more GPUs than there are', args: { 'tensor-parallel-size': 2, 'max-model-len': 8192 } },
  { what: 'a flag that this version does not know', args: { 'disable-log-requests': true, 'max-model-len': 8192 } },
  { what: 'a word where a number is wanted', args: { 'max-model-len': 8192 }, env: { VLLM_SERVER_DEV_MODE: 'true' } },
]

describe('after the remedy it starts', () => {
  test.each(CASES)('$what', async ({ args, vllm = {}, smi = {}, env = {} }) => {
    host.vllm(vllm)
    host.smi(smi)
    const failing = startVllm(host, flagsOf(args), { env })
    expect((await failing.exited).code).not.toBe(0)
    const told = failureIn(inOrder(failing), { args })
    expect(told?.change).toBeTruthy()
    const [settings, variables]: [Args, Args] = [{ ...args }, { ...env }]
    for (const [key, value] of Object.entries(told!.change!)) {
      const [section, name = ''] = [key.slice(0, key.indexOf('.')), key.slice(key.indexOf('.') + 1)]
      const target = section === 'env' ? variables : settings
      if (value === null) delete target[name]
      else target[name] = value
    }
    const strings = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]))
    await startVllm(host, flagsOf(settings), { env: strings }).until('ready')
  })
})

function flagsOf(args: Args): string[] {
  return Object.entries(args).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  )
}

function inOrder(started: Started): string[] {
  const streams = { out: new LogLines(), err: new LogLines() }
  return started.said().flatMap(({ stream, text }) => streams[stream].push(text))
}
