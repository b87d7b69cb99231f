/** One vLLM for all files that leave it alive. Where there can be none, the suite says so and passes. */
import type { TestProject } from 'vitest/node'
import { ensureVllm, type VllmEnv } from '../../tools/vllm-env.ts'
import { freePort, lexoraIsBuilt } from '../bench/lexora-process.ts'
import { startVllm } from './vllm-process.ts'

export type SharedVllm = { env: VllmEnv; url: string; log: string }

declare module 'vitest' {
  interface ProvidedContext {
    /** Null where this machine can have no vLLM. */
    vllm: SharedVllm | null
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const env = ensureVllm(console.error)
  if ('leftOut' in env) {
    provide('vllm', null)
    return async () => console.log(`left out: the tests with a real vLLM (${env.leftOut})`)
  }
  if (!lexoraIsBuilt()) throw new Error('dist/bin.js is not there: `npm run build` makes it')
  console.error('Starting vLLM (about a minute) …')
  const vllm = await startVllm(env, await freePort())
  console.error(`vLLM listens on ${vllm.url}`)
  provide('vllm', { env, url: vllm.url, log: vllm.log })
  return vllm.stop
}
