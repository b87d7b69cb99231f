import { type Answer, json, text } from './answer.ts'

const NAMES: Record<number, string> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  403: 'PermissionDeniedError',
  404: 'NotFoundError',
  429: 'RateLimitError',
  500: 'InternalServerError',
  501: 'NotImplementedError',
  503: 'Service Unavailable',
}

/** vLLM's name for an error of that status. */
export function errorName(status: number): string {
  return NAMES[status] ?? (status >= 500 ? 'InternalServerError' : 'BadRequestError')
}

/** vLLM's own error shape, on all routes but /v1/messages. */
export function openAiError(status: number, message: string, param: string | null = null, type?: string): Answer {
  return json({ error: { message, type: type ?? errorName(status), param, code: status } }, status)
}

export function anthropicError(status: number, message: string): Answer {
  return json({ type: 'error', error: { type: errorName(status), message } }, status)
}

/** The shape of the router, which vLLM's own error handlers never see. */
export function detail(status: number, message: string, headers: [string, string][] = []): Answer {
  return json({ detail: message }, status, headers)
}

/** A failure in mid-stream, with the spaces of Python's json.dumps. */
export function errorEventText(status: number, message: string): string {
  const quoted = JSON.stringify(message)
  return `data: {"error": {"message": ${quoted}, "type": "${errorName(status)}", "param": null, "code": ${status}}}\n\n`
}

export const notFound = (): Answer => detail(404, 'Not Found')
export const methodNotAllowed = (allow: string): Answer => detail(405, 'Method Not Allowed', [['allow', allow]])
export const unauthorized = (): Answer => ({ ...json({ error: 'Unauthorized' }, 401), vary: false })
export const empty = (): Answer => text('', null)

export const BUSY =
  'The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.'
export const ENGINE_DEAD = 'EngineCore encountered an issue. See stack trace (above) for the root cause.'
