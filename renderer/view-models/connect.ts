import type { ModelEntry } from '../../src/protocol/snapshot.ts'
import type { DataNews } from '../../src/protocol/window.ts'

/** A snippet's request that was sent from here, and how it went. Moments in ms since 1970. */
export type Run = {
  /** As it was shown, with its address. */
  snippet: string
  model: string
  sentAt: number
  endedAt: number | null
  status: number | null
  tokens: number | null
  /** Null: it was answered. */
  problem: string | null
  body: string
}

/** So long it proves something. */
export const PROOF_MS = 60_000

export function newRun(snippet: string, model: string, sentAt: number): Run {
  return { snippet, model, sentAt, endedAt: null, status: null, tokens: null, problem: null, body: '' }
}

export function heard(run: Run, news: DataNews, at: number): Run {
  switch (news.is) {
    case 'head':
      return { ...run, status: news.status }
    case 'chunk':
      return { ...run, body: run.body + news.text }
    case 'failed':
      return { ...run, endedAt: at, problem: news.reason, body: '' }
    case 'end':
      return { ...run, endedAt: at, ...read(run), body: '' }
  }
}

function read({ status, body }: Run): Pick<Run, 'tokens' | 'problem'> {
  type Answer = {
    usage?: { completion_tokens?: number }
    error?: { code?: string; message?: string }
    choices?: unknown
  }
  let answer: Answer = {}
  try {
    answer = JSON.parse(body) as Answer
  } catch {}
  const tokens = answer.usage?.completion_tokens ?? null
  if (status === 200 && Array.isArray(answer.choices)) return { tokens, problem: null }
  return { tokens, problem: answer.error?.code || answer.error?.message || '?' }
}

/** What a run says of the snippet that is shown now; `busy` and null say nothing yet. */
export function proofOf(
  run: Run | null,
  now: { snippet: string; models: readonly ModelEntry[]; isLive: boolean; at: number },
): 'busy' | 'ok' | 'failed' | 'offline' | 'down' | 'changed' | 'old' | null {
  if (run === null) return null
  if (run.endedAt === null) return 'busy'
  if (run.problem !== null) return run.snippet === now.snippet ? 'failed' : null
  if (!now.isLive) return 'offline'
  if (now.models.find(({ id }) => id === run.model)?.state !== 'ready') return 'down'
  if (run.snippet !== now.snippet) return 'changed'
  return now.at - run.endedAt >= PROOF_MS ? 'old' : 'ok'
}
