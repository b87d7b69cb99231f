import { type Problem, problem } from '../protocol/errors.ts'
import type { RequestHead } from './request-head.ts'

/** Who may speak to this listener (DESIGN 8). Names are lower-case, without ports. */
export type GuardRules = {
  hosts: ReadonlySet<string>
  /** Exact origins that pages may call from. */
  origins: ReadonlySet<string>
}

const ALLOWED_HEADERS =
  'authorization, content-type, x-api-key, x-request-id, anthropic-version, anthropic-beta, openai-beta, ' +
  'x-lexora-priority, x-lexora-user, x-lexora-timeout, x-lexora-task, x-lexora-session, x-lexora-app'
const EXPOSED_HEADERS =
  'x-request-id, retry-after, x-lexora-backend, x-lexora-model, x-lexora-attempts, x-lexora-queue-ms'
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/

/**
 * The cheap checks before anything is read or looked up, in the order of DESIGN 8: target form, Host, Origin. They hold
 * in every bind mode, since a web page can reach loopback too (DNS rebinding, CVE-2024-28224). `own`: the address of this
 * machine that the connection came to; who names it as a literal was not led here by a name.
 */
export function guard(head: RequestHead, rules: GuardRules, own: () => string | undefined = nowhere): Problem | null {
  if (!head.target.startsWith('/') || head.target.startsWith('//')) {
    return problem('invalid_request', 'The request target must be a path that starts with one slash.')
  }
  if (head.hosts.length !== 1) return problem('invalid_request', 'Send exactly one Host header.', { param: 'host' })
  const host = HOST.exec(head.hosts[0]!.toLowerCase())
  if (host === null) return problem('invalid_request', 'The Host header is malformed.', { param: 'host' })
  if (!rules.hosts.has(host[1]!) && host[1] !== literalOf(own())) {
    return problem('host_not_allowed', 'This host name is not served here. Add it to server.allowed_hosts.', {
      param: 'host',
    })
  }
  return guardOrigin(head, rules)
}

function nowhere(): undefined {
  return undefined
}

/** An address as a Host header writes it. */
function literalOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  const plain = address.replace(/^::ffff:/, '').replace(/%.*$/, '')
  return plain.includes(':') ? `[${plain}]` : plain
}

function guardOrigin(head: RequestHead, rules: GuardRules): Problem | null {
  const own = head.hosts[0]!.toLowerCase()
  const { origin, fetchSite } = head
  // A link on somebody's page may open the window; without its session that shows a login.
  const opensWindow =
    origin === null && head.fetchMode === 'navigate' && head.method === 'GET' && /^\/ui\/?$/.test(head.path)
  if (opensWindow) return null
  if (origin !== null && (origin === `http://${own}` || origin === `https://${own}` || rules.origins.has(origin)))
    return null
  const crossSite = fetchSite === 'cross-site' || fetchSite === 'same-site'
  if (origin === null && !crossSite) return null
  return problem('origin_not_allowed', 'Pages of this origin may not call here. Add it to server.cors_origins.', {
    param: 'origin',
  })
}

/** Checks what a JSON endpoint's body claims to be, before a byte of it is read. */
export function guardBody(head: RequestHead, maxBytes: number): Problem | null {
  if (!isJson(head.contentType)) {
    return problem('unsupported_media_type', "Send the body as 'content-type: application/json'.", {
      param: 'content-type',
    })
  }
  if (head.contentEncoding !== null && head.contentEncoding.toLowerCase() !== 'identity') {
    return problem('unsupported_media_type', 'Send the body without a content-encoding.', { param: 'content-encoding' })
  }
  if (head.contentLength !== null && head.contentLength > maxBytes) return tooLarge(maxBytes)
  return null
}

/** What passes through untouched comes as JSON or as a form. A page can send a form unasked, but not past guardOrigin. */
export function guardMultipart({ contentType }: RequestHead): Problem | null {
  if (isJson(contentType) || contentType?.toLowerCase().startsWith('multipart/form-data')) return null
  return problem('unsupported_media_type', "Send the body as 'application/json' or 'multipart/form-data'.", {
    param: 'content-type',
  })
}

export function tooLarge(maxBytes: number): Problem {
  return problem('body_too_large', `The body is larger than ${maxBytes} bytes (server.max_body_mb).`)
}

export function isJson(contentType: string | null): boolean {
  if (contentType === 'application/json') return true
  if (contentType === null) return false
  const [type, ...parameters] = contentType.toLowerCase().split(';')
  if (type!.trim() !== 'application/json') return false
  return parameters.every((parameter) => !parameter.includes('charset') || /charset="?utf-8"?/.test(parameter))
}

/** What a listed origin's pages need to hear; nothing for anybody else. */
export function corsHeaders(head: RequestHead, rules: GuardRules): [string, string][] {
  if (head.origin === null || !rules.origins.has(head.origin)) return []
  return [
    ['access-control-allow-origin', head.origin],
    ['vary', 'Origin'],
    ['access-control-allow-methods', 'GET, POST'],
    ['access-control-allow-headers', ALLOWED_HEADERS],
    ['access-control-expose-headers', EXPOSED_HEADERS],
    ['access-control-max-age', '600'],
  ]
}
