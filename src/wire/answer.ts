import { JsonScanError, type Member, scanObject, wanted } from './json-scan.ts'
import { errorStatus } from './stream-judge.ts'
import { readUsage, type Usage } from './usage.ts'

/** What a whole (non-stream) answer turned out to be. */
export type AnswerVerdict =
  | { ok: true; usage: Usage | null }
  | { ok: false; kind: 'invalid' }
  | { ok: false; kind: 'error'; status: number | null }
  | { ok: false; kind: 'aborted' }

const LOOKING = wanted('error', 'usage', 'choices', 'object', 'type', 'request_id', 'id')
const ENVELOPE = new Set(['error', 'object', 'type', 'request_id', 'id'])
const ABORTS = ['"finish_reason":"abort"', '"finish_reason": "abort"'].map((text) => Buffer.from(text))
const MAX_DEPTH = 512

/** Judges a 200's JSON body without building it: well-formed, not an error in disguise, not aborted half-way. */
export function judgeAnswer(body: Buffer): AnswerVerdict {
  let members: Member[]
  let count: number
  try {
    ;({ members, count } = scanObject(body, LOOKING, MAX_DEPTH))
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error
    if (error.reason === 'not-object') return { ok: true, usage: null }
    return { ok: false, kind: 'invalid' }
  }
  const error = memberValue(body, members, 'error')
  if (error !== null && members.every(({ name }) => ENVELOPE.has(name)) && members.length === count) {
    return { ok: false, kind: 'error', status: errorStatus(error) }
  }
  if (members.some(({ name }) => name === 'choices') && ABORTS.some((abort) => body.indexOf(abort) !== -1)) {
    return { ok: false, kind: 'aborted' }
  }
  return { ok: true, usage: readUsage(memberValue(body, members, 'usage')) }
}

function memberValue(body: Buffer, members: readonly Member[], name: string): unknown {
  const member = members.find((candidate) => candidate.name === name)
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
