import type { AppCommands } from '../../src/protocol/commands.ts'
import type { HistoryRow } from '../../src/protocol/users.ts'

/** One filter of the history, as it is written on its chip. */
export type Filter = { kind: 'user' | 'model' | 'outcome' | 'status' | 'since' | 'text' | Measure; value: string }

/** What is measured of a request: `ttft>2s`, `queue<500ms`. */
type Measure = (typeof MEASURES)[number]

/** What the history command takes. */
export type HistoryQuery = Omit<NonNullable<Parameters<AppCommands['requestHistory']>[0]>, 'limit' | 'before' | 'until'>

const KINDS = ['user', 'model', 'outcome', 'status', 'since'] as const
const SPANS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const OUTCOMES = ['ok', 'error', 'client_error', 'backend_error', 'stream_error', 'client_closed'] as const

const MEASURE = /^(queue|ttft|total)\s*([<>])\s*(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|m)?$/i
const MEASURES = ['queue', 'ttft', 'total'] as const

function isMeasure(kind: Filter['kind']): kind is Measure {
  return (MEASURES as readonly string[]).includes(kind)
}

function isOutcome(value: string): value is (typeof OUTCOMES)[number] {
  return (OUTCOMES as readonly string[]).includes(value)
}

/** `user:kim` → a filter; null: it looks like one and is none. What stands in quotes is text in any case. */
export function parseFilter(text: string): Filter | null {
  const measured = MEASURE.exec(text.trim())
  if (measured !== null) {
    const [, measure, sign, number, unit] = measured
    return { kind: measure!.toLowerCase() as Measure, value: `${sign}${number}${unit?.toLowerCase() ?? 's'}` }
  }
  const [, name, value] = /^(\w+):(.*)$/.exec(text.trim()) ?? []
  const plain = text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .trim()
  if (name === undefined) return plain === '' ? null : { kind: 'text', value: plain }
  const kind = KINDS.find((known) => known === name.toLowerCase())
  if (kind === undefined) return null
  const given = value!.trim()
  if (given === '') return null
  if (kind === 'status' && !/^[1-5](\d\d|xx)$/i.test(given)) return null
  if (kind === 'outcome' && !isOutcome(given)) return null
  if (kind === 'since' && !/^\d{1,4}[smhd]$/.test(given)) return null
  return { kind, value: given }
}

export function filterText({ kind, value }: Filter): string {
  return kind === 'text' ? value : isMeasure(kind) ? `${kind}${value}` : `${kind}:${value}`
}

/** A new filter takes the place of one of its kind: nobody is two users. */
export function addFilter(filters: readonly Filter[], added: Filter): Filter[] {
  return [...filters.filter(({ kind }) => kind !== added.kind), added]
}

export function queryOf(filters: readonly Filter[], now: number): HistoryQuery {
  const query: HistoryQuery = {}
  for (const { kind, value } of filters) {
    if (kind === 'text') query.search = value
    else if (kind === 'since') {
      query.since = new Date(now - Number(value.slice(0, -1)) * SPANS[value.slice(-1)]!).toISOString()
    } else if (kind === 'outcome') {
      if (isOutcome(value)) query.outcome = value
    } else query[kind] = value
  }
  return query
}

/** Tokens a second after the first one; an answer in one piece counts from its dispatch. */
export function rowSpeed({ completionTokens, ttftMs, totalMs, queueMs }: HistoryRow): number | null {
  if (completionTokens === null || completionTokens < 2) return null
  const ms = totalMs - (ttftMs ?? queueMs ?? 0)
  return ms <= 0 ? null : (completionTokens - (ttftMs === null ? 0 : 1)) / (ms / 1000)
}

export type Bar = {
  name: 'queue' | 'try' | 'promptPhase' | 'answer' | 'whole'
  from: number
  share: number
  ms: number
  colour: string
  /** Of a try that failed: which, where and why. */
  failed?: { try: number; backend: string; reason: string }
}

/** Where the time of a request went, as shares of the whole. A try that failed lasts from the end of the one before, with the pause after that. */
export function waterfall({ queueMs, ttftMs, totalMs, tries }: HistoryRow): Bar[] {
  const whole = Math.max(1, totalMs)
  const bar = (name: Bar['name'], from: number, ms: number, colour: string): Bar => ({
    name,
    from: Math.min(1, from / whole),
    share: Math.min(1, ms / whole),
    ms,
    colour,
  })
  const queue = Math.min(queueMs ?? 0, whole)
  const bars = queueMs === null ? [] : [bar('queue', 0, queue, 'var(--series-3)')]
  let at = queue
  tries.forEach(({ backend, reason, afterMs }, i) => {
    const end = Math.max(at, Math.min(afterMs, whole))
    bars.push({ ...bar('try', at, end - at, 'var(--state-failed)'), failed: { try: i + 1, backend, reason } })
    at = end
  })
  if (ttftMs === null) return [...bars, bar('whole', at, whole - at, 'var(--series-1)')]
  const first = Math.max(at, Math.min(ttftMs, whole))
  return [
    ...bars,
    bar('promptPhase', at, first - at, 'var(--series-2)'),
    bar('answer', first, whole - first, 'var(--series-1)'),
  ]
}

/** The columns of a table as they were put in order: one that is gone is left out, a new one follows the one it follows by default. */
export function inOrder(columns: readonly string[], kept: readonly string[]): string[] {
  const order = [...new Set(kept)].filter((id) => columns.includes(id))
  columns.forEach((id, at) => {
    if (!order.includes(id)) order.splice(at === 0 ? 0 : order.indexOf(columns[at - 1]!) + 1, 0, id)
  })
  return order
}

/** One place up (-1) or down (1); at an end it stays. */
export function moved(order: readonly string[], id: string, by: -1 | 1): string[] {
  const from = order.indexOf(id)
  const other = order[from + by]
  if (from === -1 || other === undefined) return [...order]
  return order.with(from, other).with(from + by, id)
}

const COLUMNS = [
  'at',
  'id',
  'user',
  'app',
  'keyId',
  'model',
  'backend',
  'endpoint',
  'stream',
  'band',
  'status',
  'outcome',
  'error',
  'attempts',
  'fellBack',
  'queueMs',
  'ttftMs',
  'totalMs',
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'finish',
  'requestBytes',
  'answerBytes',
] as const satisfies readonly (keyof HistoryRow)[]

/** For a spreadsheet (RFC 4180). What a program would take for a formula is marked as text. */
export function toCsv(rows: readonly HistoryRow[]): string {
  const lines = rows.map((row) => COLUMNS.map((name) => cell(row[name])).join(','))
  return [COLUMNS.join(','), ...lines, ''].join('\r\n')
}

export function toJsonLines(rows: readonly HistoryRow[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

function cell(value: string | number | boolean | null): string {
  if (value === null) return ''
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** What a status means to whoever looks: ours failed, theirs was refused, left, or well. */
export function statusLook(status: number): 'bad' | 'warn' | 'dim' | 'mid' {
  if (status >= 500) return 'bad'
  if (status === 499) return 'dim'
  return status >= 400 ? 'warn' : 'mid'
}

const PLACEHOLDER = 'Write your text here'

/** A command that asks the same of the same door. What was asked is not kept, so a placeholder stands for it. */
export function curlOf({ endpoint, model, stream, band }: HistoryRow, address: string): string {
  const body = { ...(model === null ? {} : { model }), ...inputOf(endpoint), ...(stream ? { stream: true } : {}) }
  const origin = address.replace(/\/v1\/?$/, '')
  const headers = ['Content-Type: application/json', 'Authorization: Bearer YOUR_KEY']
  if (band === 'high' || band === 'low') headers.push(`x-lexora-priority: ${band}`)
  const lines = [...headers.map((header) => `-H "${header}"`), `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`]
  return [`curl ${stream ? '-N ' : ''}${origin}${endpoint}`, ...lines].join(' \\\n  ')
}

function inputOf(endpoint: string): Record<string, unknown> {
  const messages = [{ role: 'user', content: PLACEHOLDER }]
  switch (endpoint) {
    case '/v1/chat/completions':
      return { messages }
    case '/v1/messages':
      return { messages, max_tokens: 256 }
    case '/v1/completions':
      return { prompt: PLACEHOLDER }
    case '/tokenize':
      return { prompt: PLACEHOLDER }
    case '/v1/rerank':
    case '/rerank':
    case '/v2/rerank':
      return { query: PLACEHOLDER, documents: [PLACEHOLDER] }
    default:
      return { input: PLACEHOLDER }
  }
}

/** Whether Try it can ask the like of it. */
export function isReplayable({ endpoint, model }: HistoryRow): boolean {
  return endpoint === '/v1/chat/completions' && model !== null
}
