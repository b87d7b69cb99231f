/** What the files of this suite share: a Lexora in front of a vLLM, and ways to ask it. */
import OpenAI from 'openai'
import { beforeEach, describe, expect, inject, onTestFailed, vi } from 'vitest'
import { type LexoraProcess, startLexora } from '../bench/lexora-process.ts'
import type { SharedVllm } from './global-setup.ts'
import { lastLines, MAX_MODEL_LEN, MODEL } from './vllm-process.ts'

/**
 * Declares tests that need a real vLLM. Where there is none they are skipped by name, so `vllm` may be looked into
 * only by what runs: hooks and tests.
 */
export function describeWithVllm(name: string, tests: (vllm: SharedVllm) => void): void {
  const shared = inject('vllm')
  describe.skipIf(!shared)(name, () => tests(shared as SharedVllm))
}

/** As `LEXORA_VLLM__URL=… lexora --no-ui`, with a rate that 32 streams at once do not exceed. */
export function lexoraInFrontOf(url: string): Promise<LexoraProcess> {
  const rate = { LEXORA_RATE_LIMIT__DEFAULT_RATE: '1000', LEXORA_RATE_LIMIT__DEFAULT_BURST: '1000' }
  return startLexora({ env: { LEXORA_VLLM__URL: url, ...rate } })
}

/** Once it has seen a backend that can serve. */
export async function isReady(lexora: LexoraProcess): Promise<void> {
  await vi.waitFor(async () => expect((await fetch(`${baseOf(lexora)}/readyz`)).status).toBe(200), { timeout: 20_000 })
}

export function openaiAt(base: string): OpenAI {
  return new OpenAI({ baseURL: `${base}/v1`, apiKey: 'EMPTY', maxRetries: 0 })
}

export const baseOf = ({ port }: LexoraProcess) => `http://127.0.0.1:${port}`

export const CHAT = '/v1/chat/completions'

/** As many tokens as the context holds beside the question. */
export const LONGEST = MAX_MODEL_LEN - 192

/** A chat whose answer has exactly so many tokens: random weights end a text anywhere if they may. */
export function chat<Options extends object>(tokens: number, options: Options) {
  return {
    model: MODEL,
    messages: [{ role: 'user' as const, content: 'Say hello' }],
    max_tokens: tokens,
    temperature: 0,
    ignore_eos: true, // vLLM's own field
    ...options,
  }
}

export function post(base: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${base}${path}`, { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null })
}

export async function all<Part>(parts: AsyncIterable<Part>): Promise<Part[]> {
  const collected: Part[] = []
  for await (const part of parts) collected.push(part)
  return collected
}

/** Before every test: if it fails, what vLLM and Lexora printed last goes into the report. */
export function showLogsOnFailure(logs: () => { vllm: string | undefined; lexora: LexoraProcess | undefined }): void {
  beforeEach(() => {
    onTestFailed(() => {
      const { vllm, lexora } = logs()
      if (vllm) console.error(`vLLM said:\n${lastLines(vllm)}`)
      if (lexora) console.error(`Lexora said:\n${lexora.output().slice(-4000)}`)
    })
  })
}
