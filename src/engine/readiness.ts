import { say } from '../protocol/sentence.ts'
import { type Family, livingFamily } from './family.ts'
import { type Answer, getJson, postJson } from './http.ts'
import { listeningPids } from './ports.ts'

/** `model`: null where the configuration names none, so that the first one it lists is it. */
export type Asked = { port: number; key: string | null; model: string | null; family: Family }
export type Target = Asked & { model: string }

export type Readiness =
  | { is: 'not-yet' }
  /** The answer came from our process, and it lists the model. */
  | { is: 'up'; model: string; models: string[]; contextLength: number | null }
  /** Somebody else answers on its port. */
  | { is: 'foreign' }
  | { is: 'wrong-model'; models: string[] }

const ANSWER_WITHIN_MS = 5000

/** Whether our engine answers and serves what it should. Never takes a stranger's word for it. */
export async function probeReady({ port, key, model, family }: Asked): Promise<Readiness> {
  const answer = await getJson(port, '/v1/models', key, ANSWER_WITHIN_MS)
  if (answer.status === 0 || answer.status === 503) return { is: 'not-yet' }
  if (!(await isOurs(port, key, answer, family))) return { is: 'foreign' }
  const entries = entriesOf(answer)
  if (entries === null) return { is: 'not-yet' }
  const models = entries.flatMap(({ id }) => (typeof id === 'string' ? [id] : []))
  const entry = model === null ? entries[0] : entries.find(({ id }) => id === model)
  if (entry === undefined || models.length === 0) return { is: 'wrong-model', models }
  const length = entry['max_model_len']
  const contextLength = typeof length === 'number' ? length : null
  return { is: 'up', model: model ?? models[0]!, models, contextLength }
}

/** By its key, which only it knows; else by the process that listens, where the system tells. */
async function isOurs(port: number, key: string | null, answer: Answer, family: Family): Promise<boolean> {
  if (key !== null && answer.status === 200) {
    const stranger = await getJson(port, '/v1/models', null, ANSWER_WITHIN_MS)
    if (stranger.status === 401 || stranger.status === 403) return true
  }
  const pids = await listeningPids(port)
  const ours = new Set(livingFamily(family, true).map(({ pid }) => pid))
  if (pids.length > 0) return pids.some((pid) => ours.has(pid))
  // Where nobody can be seen listening, an answer without a key check is as good as it gets.
  return process.platform !== 'linux' && answer.status === 200
}

function entriesOf(answer: Answer): Record<string, unknown>[] | null {
  const data = (answer.body as { data?: unknown } | null)?.data
  return answer.status === 200 && Array.isArray(data) ? (data as Record<string, unknown>[]) : null
}

/** A request that proves the whole way to the GPU, and what it must bring. */
type Proof = { path: string; body: Record<string, unknown>; brings: (body: unknown) => boolean }

const hasChoice = (body: unknown): boolean => listIn(body, 'choices')
const hasData = (body: unknown): boolean => listIn(body, 'data')

const PROOFS: readonly Proof[] = [
  { path: '/v1/completions', body: { prompt: 'a', max_tokens: 1, temperature: 0 }, brings: hasChoice },
  {
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: 'a' }], max_tokens: 1 },
    brings: hasChoice,
  },
  { path: '/v1/embeddings', body: { input: 'a' }, brings: hasData },
  { path: '/pooling', body: { input: 'a' }, brings: hasData },
  { path: '/classify', body: { input: 'a' }, brings: hasData },
]

/** The request that showed life; null: this engine has none for plain text, as those for speech. */
export type Canary = number | null

/**
 * The first request of all, which nobody waits for: it brings one token or one vector. A route that is not there
 * says nothing about the engine; another is tried.
 */
export async function warmUp(
  target: Target,
  timeoutMs: number,
): Promise<{ canary: Canary; tookMs: number } | { failed: string }> {
  const began = performance.now()
  for (const [number, { path, body, brings }] of PROOFS.entries()) {
    const answer = await postJson(target.port, path, target.key, timeoutMs, { model: target.model, ...body })
    if (answer.status === 200 && brings(answer.body)) return { canary: number, tookMs: performance.now() - began }
    if (answer.status === 0) return { failed: say`its first request was not answered (${answer.error})` }
    if (answer.status >= 500 && answer.status !== 501) {
      return { failed: say`its first request failed with status ${answer.status}: ${answer.text.slice(0, 200)}` }
    }
  }
  return { canary: null, tookMs: performance.now() - began }
}

/** Asks for one token. Only no answer, or that of a dead engine, is a failure: one that is full lives. */
export async function askCanary(target: Target, canary: Canary, timeoutMs: number): Promise<boolean> {
  if (canary === null) return (await getJson(target.port, '/v1/models', target.key, timeoutMs)).status === 200
  const { path, body } = PROOFS[canary]!
  const answer = await postJson(target.port, path, target.key, timeoutMs, { model: target.model, ...body })
  return answer.status !== 0 && (answer.status < 500 || answer.status === 503)
}

const SHORT_WORDS = 700
const LONG_WORDS = 2800
const ENOUGH_CONTEXT = 5000
/** A machine that needs so long for the short prompt is not asked to read the long one. */
const SLOW_MS = 3000

/** Prompt tokens a second, from a short and a long prompt that no cache knows; null: not worth it, or not to be told. */
export async function measurePrefill(target: Target, contextLength: number | null): Promise<number | null> {
  if (contextLength === null || contextLength < ENOUGH_CONTEXT) return null
  const short = await timePrompt(target, SHORT_WORDS)
  if (short === null) return null
  const long = short.tookMs > SLOW_MS ? null : await timePrompt(target, LONG_WORDS)
  const tokens = long === null ? short.tokens : long.tokens - short.tokens
  const tookMs = long === null ? short.tookMs : long.tookMs - short.tookMs
  return tokens > 0 && tookMs > 0 ? Math.round((tokens / tookMs) * 1000) : null
}

async function timePrompt(target: Target, words: number): Promise<{ tokens: number; tookMs: number } | null> {
  const prompt = Array.from({ length: words }, () => Math.random().toString(36).slice(2, 6)).join(' ')
  const began = performance.now()
  const body = { model: target.model, prompt, max_tokens: 1 }
  const answer = await postJson(target.port, '/v1/completions', target.key, 10 * SLOW_MS, body)
  const tokens = (answer.body as { usage?: { prompt_tokens?: unknown } } | null)?.usage?.prompt_tokens
  return typeof tokens === 'number' ? { tokens, tookMs: performance.now() - began } : null
}

function listIn(body: unknown, name: string): boolean {
  const list = (body as Record<string, unknown> | null)?.[name]
  return Array.isArray(list) && list.length > 0
}
