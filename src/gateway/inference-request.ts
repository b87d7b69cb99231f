import { isUtf8 } from 'node:buffer'
import { BANDS, type Band } from '../policy/band-shares.ts'
import type { Endpoint } from '../protocol/endpoints.ts'
import { type Problem, problem } from '../protocol/errors.ts'
import {
  applySplices,
  dropMembers,
  JsonScanError,
  type Member,
  type ObjectScan,
  type Splice,
  scanObject,
  wanted,
} from '../wire/json-scan.ts'
import type { RequestHead } from './request-head.ts'

/** What a body must become for one backend. */
export type BodyChanges = {
  /** The name to put in place of `model`; null leaves it. */
  model: string | null
  /** Ask for the usage chunk of a stream. */
  includeUsage: boolean
  /** Remove vLLM's own `priority` and `kv_transfer_params`: clients must not reorder the engine. */
  dropEngineFields: boolean
  /** The band's own `priority`, for an engine that schedules by it; null: none. */
  priority: number | null
}

const LOOKING = wanted(
  'model',
  'stream',
  'stream_options',
  'user',
  'n',
  'store',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'x_priority',
  'x_user_id',
  'x_timeout',
  'priority',
  'kv_transfer_params',
  'messages',
  'prompt',
  'input',
  'prompt_cache_key',
)
const USAGE = wanted('include_usage')
/** Fields that decide something here: twice in one body means two readers could see two requests. */
const ROUTED = new Set(['model', 'stream', 'x_priority', 'x_user_id', 'x_timeout'])
const OURS = new Set(['x_priority', 'x_user_id', 'x_timeout'])
const TEXTS = new Set(['messages', 'prompt', 'input'])
const ENGINE_FIELDS = new Set(['priority', 'kv_transfer_params'])
const MAX_DEPTH = 64
const MAX_TIMEOUT_S = 86_400

export type Parsed = { ok: true; request: InferenceRequest } | { ok: false; problem: Problem }

/** A managed request: its bytes as they came, and the few fields that Lexora acts on. */
export class InferenceRequest {
  readonly body: Buffer
  readonly model: string | null
  readonly stream: boolean
  readonly user: string | null
  /** The band it asks for. */
  readonly band: Band
  /** What the client says keeps its conversation together. */
  readonly cacheKey: string | null
  /** How long it may wait for anything but an answer; null where the client set no bound. */
  readonly timeoutMs: number | null
  readonly choices: number
  /** The longest answer that the client allows, in tokens, where it says. */
  readonly maxTokens: number | null
  /** Repeating it could store a second answer. */
  readonly stores: boolean
  /** Whether the client itself asked for the usage chunk. */
  readonly wantsUsage: boolean
  private readonly scan: ObjectScan

  constructor(body: Buffer, scan: ObjectScan, fields: Fields, usage: boolean) {
    this.body = body
    this.scan = scan
    this.model = fields.model
    this.stream = fields.stream
    this.user = fields.user
    this.band = fields.band
    this.cacheKey = fields.cacheKey
    this.timeoutMs = fields.timeoutMs
    this.choices = fields.choices
    this.maxTokens = fields.maxTokens
    this.stores = fields.stores
    this.wantsUsage = usage
  }

  /** The body for a backend: the same bytes but for what must change, or the same buffer when nothing must. */
  bodyFor(changes: BodyChanges): Buffer {
    const gone = this.scan.members.filter(
      ({ name }) => OURS.has(name) || (changes.dropEngineFields && ENGINE_FIELDS.has(name)),
    )
    const splices = dropMembers(this.scan, gone)
    const added: string[] = []
    if (changes.model !== null && changes.model !== this.model) this.setModel(changes.model, splices, added)
    if (changes.includeUsage && !this.wantsUsage) this.askForUsage(splices, added)
    if (changes.priority !== null) added.push(`"priority":${changes.priority}`)
    if (added.length > 0) {
      const { open, count } = this.scan
      splices.push({ start: open, end: open, text: added.join(',') + (count > gone.length ? ',' : '') })
    }
    return applySplices(this.body, splices)
  }

  /** Where the conversation stands in the body; null where it holds none. */
  get text(): { start: number; end: number } | null {
    return this.scan.members.find(({ name }) => TEXTS.has(name)) ?? null
  }

  private member(name: string): Member | undefined {
    return this.scan.members.find((member) => member.name === name)
  }

  private setModel(model: string, splices: Splice[], added: string[]): void {
    const member = this.member('model')
    if (member === undefined) added.push(`"model":${JSON.stringify(model)}`)
    else splices.push({ start: member.start, end: member.end, text: JSON.stringify(model) })
  }

  private askForUsage(splices: Splice[], added: string[]): void {
    const options = this.member('stream_options')
    if (options === undefined) {
      added.push('"stream_options":{"include_usage":true}')
      return
    }
    const { start, end } = options
    if (this.body[start] !== 0x7b) {
      // Null stands for absent; any other kind is the backend's to refuse.
      if (this.body[start] === 0x6e) splices.push({ start, end, text: '{"include_usage":true}' })
      return
    }
    const inner = scanObject(this.body, USAGE, MAX_DEPTH, start, true)
    const asked = inner.members[0]
    if (asked !== undefined) splices.push({ start: asked.start, end: asked.end, text: 'true' })
    else splices.push({ start: inner.open, end: inner.open, text: `"include_usage":true${inner.count > 0 ? ',' : ''}` })
  }
}

type Fields = Pick<
  InferenceRequest,
  'model' | 'stream' | 'user' | 'band' | 'cacheKey' | 'timeoutMs' | 'choices' | 'stores' | 'maxTokens'
>

/** Reads a body for `endpoint`. Every refusal names the field; header twins count where the body is silent. */
export function parseInferenceRequest(body: Buffer, head: RequestHead, endpoint: Endpoint): Parsed {
  if (!isUtf8(body)) return refuse('invalid_json', 'The body is not valid UTF-8.')
  let scan: ObjectScan
  try {
    scan = scanObject(body, LOOKING, MAX_DEPTH)
  } catch (error) {
    if (error instanceof JsonScanError) return unreadable(error)
    throw error
  }
  const twice = scan.duplicates.find((name) => ROUTED.has(name))
  if (twice !== undefined) return refuse('invalid_request', `'${twice}' stands twice in the body.`, twice)
  try {
    const fields = readFields(decode(body, scan), head, endpoint)
    return { ok: true, request: new InferenceRequest(body, scan, fields, asksForUsage(body, scan)) }
  } catch (error) {
    if (error instanceof FieldError) return refuse('invalid_request', error.message, error.field)
    throw error
  }
}

function unreadable(error: JsonScanError): Parsed {
  switch (error.reason) {
    case 'syntax':
      return refuse('invalid_json', `The body is not valid JSON: ${error.message}.`)
    case 'too-deep':
      return refuse('invalid_json', `The body is nested deeper than ${MAX_DEPTH} levels.`)
    case 'too-many':
      return refuse('invalid_request', `The body has ${error.message}.`)
    case 'not-object':
      return refuse('invalid_request', 'The body must be a JSON object.')
  }
}

function refuse(code: 'invalid_json' | 'invalid_request', message: string, param: string | null = null): Parsed {
  return { ok: false, problem: problem(code, message, { param }) }
}

class FieldError extends Error {
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

/** The members that decide something, decoded. Of a field that comes twice, every JSON reader behind us takes the last. */
type Values = { [name: string]: unknown }

const DECODED = new Set([
  'model',
  'stream',
  'user',
  'n',
  'store',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'prompt_cache_key',
  ...OURS,
])

function decode(body: Buffer, scan: ObjectScan): Values {
  const values: Values = {}
  for (const { name, start, end } of scan.members) {
    if (DECODED.has(name)) values[name] = JSON.parse(body.toString('utf8', start, end))
  }
  return values
}

function readFields(values: Values, head: RequestHead, endpoint: Endpoint): Fields {
  const stream = values.stream ?? false
  if (typeof stream !== 'boolean') throw new FieldError('stream', "'stream' must be true or false.")
  const model = values.model ?? null
  if (model !== null && (typeof model !== 'string' || model === ''))
    throw new FieldError('model', "'model' must be a name.")
  const band =
    readBand(values.x_priority ?? undefined, 'x_priority') ?? readBand(head.priority ?? undefined, 'x-lexora-priority')
  const choices = values.n
  const openaiUser = values.user
  const cacheKey = values.prompt_cache_key
  return {
    model,
    stream: stream && endpoint.streams,
    user:
      readUser(values.x_user_id ?? undefined, 'x_user_id') ??
      readUser(head.user ?? undefined, 'x-lexora-user') ??
      (typeof openaiUser === 'string' && openaiUser !== '' ? openaiUser.slice(0, 256) : null),
    band: band ?? 'normal',
    cacheKey: typeof cacheKey === 'string' && cacheKey !== '' ? cacheKey.slice(0, 256) : null,
    timeoutMs:
      readTimeout(values.x_timeout ?? undefined, 'x_timeout') ??
      readTimeout(head.timeout === null ? undefined : Number(head.timeout || Number.NaN), 'x-lexora-timeout'),
    choices: typeof choices === 'number' && choices > 1 ? choices : 1,
    maxTokens: readMaxTokens(values),
    stores: endpoint.kind === 'responses' && values.store === true,
  }
}

function readMaxTokens(values: Values): number | null {
  const given = values.max_completion_tokens ?? values.max_tokens ?? values.max_output_tokens
  return typeof given === 'number' && given >= 1 ? Math.floor(given) : null
}

function readBand(value: unknown, field: string): Band | null {
  if (value === undefined) return null
  const band = BANDS.find((known) => known === value)
  if (band !== undefined) return band
  throw new FieldError(field, `'${field}' must be high, normal or low.`)
}

function readUser(value: unknown, field: string): string | null {
  if (value === undefined) return null
  if (typeof value === 'string' && value !== '' && value.length <= 256 && !/\p{Cc}/u.test(value)) return value
  throw new FieldError(field, `'${field}' must be a text of 1 to 256 characters without control characters.`)
}

function readTimeout(value: unknown, field: string): number | null {
  if (value === undefined) return null
  if (typeof value === 'number' && value > 0 && value <= MAX_TIMEOUT_S) return value * 1000
  throw new FieldError(field, `'${field}' must be a number of seconds above 0, at most ${MAX_TIMEOUT_S}.`)
}

function asksForUsage(body: Buffer, scan: ObjectScan): boolean {
  const options = scan.members.find(({ name }) => name === 'stream_options')
  if (options === undefined || body[options.start] !== 0x7b) return false
  const [asked] = scanObject(body, USAGE, MAX_DEPTH, options.start, true).members
  return asked !== undefined && body[asked.start] === 0x74
}
