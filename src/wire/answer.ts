import { finishInBytes, finishOfAnswer } from './finish.ts'
import { JsonScanError, type Member, scanObject, wanted } from './json-scan.ts'
import { errorStatus } from './stream-judge.ts'
import { readUsage, type Usage } from './usage.ts'

/** What a whole (non-stream) answer turned out to be. */
export type AnswerVerdict =
  | { ok: true; usage: Usage | null; finish: string | null }
  | { ok: false; kind: 'invalid' }
  | { ok: false; kind: 'error'; status: number | null }
  | { ok: false; kind: 'aborted' }

const LOOKING = wanted(
  'error',
  'usage',
  'choices',
  'object',
  'type',
  'request_id',
  'id',
  'stop_reason',
  'status',
  'incomplete_details',
)
const ENVELOPE = new Set(['error', 'object', 'type', 'request_id', 'id'])
const ABORT = Buffer.from('"abort"')
const MAX_DEPTH = 512
const PARSED_WHOLE_BYTES = 8 * 1024

/** Judges a 200's JSON body: well-formed, not an error in disguise, not aborted half-way. */
export function judgeAnswer(body: Buffer): AnswerVerdict {
  // A small text is parsed quicker than scanned; a large one (vectors, logprobs) is scanned without building it.
  const found = body.length <= PARSED_WHOLE_BYTES ? parseWhole(body) : scanLarge(body)
  if (found === 'invalid') return { ok: false, kind: 'invalid' }
  if (found === 'not-object') return { ok: true, usage: null, finish: null }
  const { error } = found
  if (error !== null && error !== undefined && found.onlyEnvelope()) {
    return { ok: false, kind: 'error', status: errorStatus(error) }
  }
  if (found.aborted()) return { ok: false, kind: 'aborted' }
  return { ok: true, usage: readUsage(found.usage), finish: found.finish() }
}

type Found = {
  error: unknown
  usage: unknown
  /** Whether an engine that stopped gave up one of the choices half-way. */
  aborted: () => boolean
  onlyEnvelope: () => boolean
  finish: () => string | null
}

function parseWhole(body: Buffer): Found | 'invalid' | 'not-object' {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return 'invalid'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not-object'
  const { error, usage, choices } = value as Record<string, unknown>
  return {
    error,
    usage,
    aborted: () => anyAborted(choices),
    onlyEnvelope: () => Object.keys(value).every((key) => ENVELOPE.has(key)),
    finish: () => finishOfAnswer(value as Record<string, unknown>),
  }
}

function anyAborted(choices: unknown): boolean {
  return (
    Array.isArray(choices) &&
    choices.some((choice: Record<string, unknown> | null) => choice?.['finish_reason'] === 'abort')
  )
}

function scanLarge(body: Buffer): Found | 'invalid' | 'not-object' {
  try {
    const { members, count } = scanObject(body, LOOKING, MAX_DEPTH)
    const choices = lastMember(members, 'choices')
    const list =
      choices !== undefined && body[choices.start] === 0x5b ? body.subarray(choices.start, choices.end) : null
    const value = (name: string): unknown => memberValue(body, members, name)
    return {
      error: value('error'),
      usage: value('usage'),
      // Only a text that holds the word is worth building.
      aborted: () => list !== null && list.indexOf(ABORT) !== -1 && anyAborted(value('choices')),
      onlyEnvelope: () => members.length === count && members.every(({ name }) => ENVELOPE.has(name)),
      finish: () =>
        list !== null
          ? finishInBytes(list)
          : finishOfAnswer({
              stop_reason: value('stop_reason') ?? undefined,
              status: value('status'),
              incomplete_details: value('incomplete_details'),
            }),
    }
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error
    return error.reason === 'not-object' ? 'not-object' : 'invalid'
  }
}

/** Of a name that comes twice the last counts, as for JSON.parse. */
function lastMember(members: readonly Member[], name: string): Member | undefined {
  return members.findLast((candidate) => candidate.name === name)
}

function memberValue(body: Buffer, members: readonly Member[], name: string): unknown {
  const member = lastMember(members, name)
  return member === undefined ? null : JSON.parse(body.toString('utf8', member.start, member.end))
}

/** Whether a backend's error body is JSON that a client may be handed as it is. */
export function isJsonObject(body: Buffer): boolean {
  try {
    scanObject(body, wanted(), MAX_DEPTH)
    return true
  } catch (error) {
    if (error instanceof JsonScanError) return false
    throw error
  }
}
