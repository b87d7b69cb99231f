import type { IncomingMessage } from 'node:http'
import { badRequest, invalidField, Problem } from './problem.ts'

export type Fields = Record<string, unknown>

const MAX_BODY_BYTES = 64 * 1024 * 1024

/** The JSON object of a request, or a Problem. */
export async function readFields(request: IncomingMessage): Promise<Fields> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new Problem(
      400,
      "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed",
      'Bad Request',
    )
  }
  const text = await readText(request)
  if (text === '') throw invalidField('body', 'missing', 'Field required', null)
  const value = parse(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw invalidField(
    'body',
    'model_attributes_type',
    'Input should be a valid dictionary or object to extract fields from',
    value,
  )
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Problem(413, 'The request is too large.', 'BadRequestError')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidField('body', 'json_invalid', 'JSON decode error', {})
  }
}

export function listOf(fields: Fields, name: string): unknown[] {
  const value = fields[name]
  if (value === undefined) throw invalidField(`body.${name}`, 'missing', 'Field required', fields)
  if (!Array.isArray(value)) throw invalidField(`body.${name}`, 'list_type', 'Input should be a valid list', value)
  return value
}

/** A whole number from 1 on, or null where the request has none. */
export function countOf(fields: Fields, name: string): number | null {
  const value = fields[name]
  if (value === undefined || value === null) return null
  if (!Number.isInteger(Number(value)) || typeof value === 'boolean') {
    throw invalidField(
      `body.${name}`,
      'int_parsing',
      'Input should be a valid integer, unable to parse string as an integer',
      value,
    )
  }
  const count = Number(value)
  if (count < 1) throw badRequest(`${name} must be at least 1, got ${count}. (parameter=${name}, value=${count})`, name)
  return count
}
