import type { RequestView } from '../../src/protocol/snapshot.ts'
import type { Translate } from '../i18n/index.ts'

/** The views of the Requests screen, by what stands in the address. */
export const VIEW_TITLES = {
  live: 'requests.live',
  history: 'requests.history',
  'engine-log': 'requests.engineLog',
  'gateway-log': 'requests.gatewayLog',
} as const

/** Where a request stands: its place among those that wait, or which try is due of how many at most. */
export function requestPhase(
  { phase, attempts, mostAttempts }: RequestView,
  place: number | null,
  t: Translate,
): string {
  if (phase === 'backoff') return t('phase.backoff', { try: attempts + 1, of: mostAttempts })
  if (phase !== 'queued') return t(`phase.${phase}`)
  if (place === null) return t('phase.queuedSomewhere')
  return place === 1 ? t('phase.queuedNext') : t('phase.queued', { place })
}
