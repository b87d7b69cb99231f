import { BANDS, type Band } from '../policy/band-shares.ts'
import type { Principal } from '../users/api-key.ts'
import type { Admitted, UserRules } from './admission-controller.ts'
import type { InferenceRequest } from './inference-request.ts'
import type { RequestHead } from './request-head.ts'
import type { TurnFacts } from './turn.ts'

/** What decides about a request's turn, from who asks, what is asked, and what the operator allows. */
export function turnFacts(asked: {
  principal: Principal
  requestId: string
  head: RequestHead
  request: InferenceRequest
  rules: UserRules
  admitted: Admitted
  /** Whom statistics name. */
  named: string | null
}): TurnFacts {
  const { principal, requestId, head, request, rules, admitted, named } = asked
  const { app, model } = admitted.foreseen
  const owner = principal.user ?? principal.keyId
  return {
    requestId,
    band: lowerBand(request.band, rules.maxBand),
    user: owner ?? request.user ?? '',
    // Whom an application names inside its own key share that key's part.
    app: owner !== null && request.user !== null ? `${request.user}\n${app}` : app,
    weight: rules.weight,
    model,
    named,
    forecast: admitted.forecast,
    maxTokens: request.maxTokens,
    body: request.body,
    text: request.text,
    session: head.session?.slice(0, 256) ?? request.cacheKey,
    streams: request.stream,
  }
}

/** What tells a user's programs apart: what they say of themselves, or the first word of their user agent. */
export function appOf({ app, userAgent }: RequestHead): string {
  if (app !== null && app !== '') return app.slice(0, 128)
  if (userAgent === null) return ''
  const end = userAgent.search(/[\s/]/)
  return userAgent.slice(0, Math.min(64, end === -1 ? userAgent.length : end))
}

function lowerBand(asked: Band, most: Band): Band {
  return BANDS.indexOf(asked) >= BANDS.indexOf(most) ? asked : most
}
