import { Refusal } from './answer.ts'
import { detail, openAiError } from './errors.ts'
import { findJsonError } from './json-error.ts'

export type Fields = Record<string, unknown>

/** What a field has to be. `!` marks one that must be there. */
export type Kind = 'list' | 'list!' | 'int' | 'int!' | 'float' | 'bool' | 'string' | 'string!' | 'stop' | 'any!'

type Issue = { type: string; loc: string; msg: string; input: unknown; ctx?: string }

/** The body as pydantic would take it, or a refusal in one of vLLM's three shapes of 400. */
export function readBody(headers: Record<string, string>, body: Buffer, kinds: Record<string, Kind>): Fields {
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
  if (type !== 'application/json') {
    throw new Refusal(
      openAiError(
        400,
        "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
        null,
        'Bad Request',
      ),
    )
  }
  const value = parse(body)
  if (value === undefined) throw refuse([{ type: 'missing', loc: 'body', msg: 'Field required', input: null }])
  if (!isFields(value)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from'
    throw refuse([{ type: 'model_attributes_type', loc: 'body', msg, input: value }])
  }
  const issues = Object.entries(kinds).flatMap(([name, kind]) => check(value, name, kind))
  if (issues.length > 0) throw refuse(issues)
  return value
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(body: Buffer): unknown {
  if (body.length === 0) return undefined
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new Refusal(detail(400, 'There was an error parsing the body'))
  }
  try {
    return JSON.parse(text)
  } catch {
    const { message, at } = findJsonError(text)
    throw refuse([
      { type: 'json_invalid', loc: `body.${at}`, msg: 'JSON decode error', input: {}, ctx: `{'error': '${message}'}` },
    ])
  }
}

function check(body: Fields, name: string, kind: Kind): Issue[] {
  const loc = `body.${name}`
  const input = body[name]
  if (input === undefined || input === null)
    return kind.endsWith('!') ? [{ type: 'missing', loc, msg: 'Field required', input: body }] : []
  const wrong = (type: string, msg: string): Issue[] => [{ type, loc, msg, input }]
  switch (kind.replace('!', '')) {
    case 'list':
      if (typeof input === 'number') throw notIterable()
      return Array.isArray(input) ? [] : wrong('list_type', 'Input should be a valid list')
    case 'int':
      return isNumber(input, /^[+-]?\d+$/)
        ? []
        : wrong('int_parsing', 'Input should be a valid integer, unable to parse string as an integer')
    case 'float':
      return isNumber(input, /^[+-]?[\d.]+$/)
        ? []
        : wrong('float_parsing', 'Input should be a valid number, unable to parse string as a number')
    case 'bool':
      return isBoolean(input) ? [] : wrong('bool_parsing', 'Input should be a valid boolean, unable to interpret input')
    case 'string':
      return typeof input === 'string' ? [] : wrong('string_type', 'Input should be a valid string')
    case 'stop':
      return checkStop(input, loc)
    default:
      return []
  }
}

/** vLLM walks over the messages before pydantic looks at them. */
function notIterable(): Refusal {
  return new Refusal(openAiError(400, "'int' object is not iterable"))
}

function isNumber(input: unknown, pattern: RegExp): boolean {
  return typeof input === 'number' || (typeof input === 'string' && pattern.test(input))
}

function isBoolean(input: unknown): boolean {
  return typeof input === 'boolean' || /^(0|1|true|false|yes|no|on|off)$/i.test(String(input))
}

const MAX_STOPS = 4

function checkStop(input: unknown, loc: string): Issue[] {
  if (!Array.isArray(input) || input.length <= MAX_STOPS) return []
  const ctx = `{'field_type': 'List', 'max_length': ${MAX_STOPS}, 'actual_length': ${input.length}}`
  return [
    { type: 'string_type', loc, msg: 'Input should be a valid string', input },
    {
      type: 'too_long',
      loc,
      msg: `List should have at most ${MAX_STOPS} items after validation, not ${input.length}`,
      input,
      ctx,
    },
  ]
}

const MOST_ISSUES = 10

/** A refusal that lists issues as vLLM does: in Python's words, ten at most. */
export function refuse(issues: Issue[]): Refusal {
  const lines = issues.slice(0, MOST_ISSUES).map(issueText)
  if (issues.length > MOST_ISSUES) lines.push(`...and ${issues.length - MOST_ISSUES} more errors`)
  const head = `${issues.length} validation error${issues.length === 1 ? '' : 's'}:`
  return new Refusal(openAiError(400, [head, ...lines].join('\n  '), issues[0]!.loc, 'Bad Request'))
}

function issueText({ type, loc, msg, input, ctx }: Issue): string {
  return `{'type': '${type}', 'loc': '${loc}', 'msg': '${msg}', 'input': '${shortened(input)}'${ctx ? `, 'ctx': ${ctx}` : ''}}`
}

function shortened(input: unknown): string {
  if (Array.isArray(input)) return `<list of ${input.length} items>`
  if (isFields(input)) return `<dict of ${Object.keys(input).length} items>`
  return input === null || input === undefined ? 'None' : String(input)
}

/** A missing field at a place that the table of kinds cannot name. */
export function missing(loc: string, input: unknown): Issue {
  return { type: 'missing', loc, msg: 'Field required', input }
}
