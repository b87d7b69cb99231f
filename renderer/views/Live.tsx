import type { RequestView } from '../../src/protocol/snapshot.ts'
import { useActions, useCopy } from '../actions.ts'
import { Button, Empty, Skeleton } from '../components/kit.tsx'
import { NONE, number, seconds } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot } from '../stores.ts'
import { chatModels } from '../view-models/models.ts'
import { requestPhase } from '../view-models/request-views.ts'
import { snippet } from '../view-models/snippets.ts'

/** What waits and what runs, row by row. */
export function Live({ requests }: { requests: readonly RequestView[] | null }) {
  const t = useT()
  const { queues, server, models } = useSnapshot()
  const actions = useActions()
  const copy = useCopy()
  if (requests === null) return <Skeleton rows={8} />
  if (requests.length === 0) {
    const [model] = chatModels(models)
    const curl = snippet('curl', {
      address: server.address,
      model: model ?? 'MODEL',
      messages: [{ role: 'user', content: 'Hello' }],
      key: null,
    })
    return (
      <Empty title={t('live.none')} actions={<Button onClick={() => copy(curl)}>{t('live.copyCurl')}</Button>}>
        {t('live.noneWhy', { address: server.address })}
      </Empty>
    )
  }
  const place = (id: string): number | null =>
    queues.flatMap(({ waiting }) => waiting).find((waiter) => waiter.id === id)?.place ?? null
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
    <section className="table-wrap fill" tabIndex={0} aria-label={t('requests.live')}>
      <table className="table table-live">
        <thead>
          <tr>
            <th className="w-phase">{t('col.phase')}</th>
            <th className="num">{t('col.elapsed')}</th>
            <th>{t('col.user')}</th>
            <th className="c4">{t('col.client')}</th>
            <th className="c2 w-route">{t('col.route')}</th>
            <th>{t('col.model')}</th>
            <th className="num c3">{t('col.tokens')}</th>
            <th className="num c3">{t('col.speed')}</th>
            <th className="c4">{t('col.backend')}</th>
            <th className="num c4">{t('col.tries')}</th>
            <th className="w-action">
              <span className="sr">{t('col.action')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {requests.map((request) => (
            <tr key={request.id} className={request.phase === 'queued' ? 'is-waiting' : undefined}>
              <td>
                <span className="cell">
                  <i className={`stroke stroke-${request.phase}`} />
                  {requestPhase(request, place(request.id), t)}
                </span>
              </td>
              <td className="num">{seconds(request.ageMs)}</td>
              <td className="name">{request.user ?? t('user.nobody')}</td>
              <td className="c4 name" title={request.app ?? undefined}>
                {request.app ?? NONE}
              </td>
              <td className="c2 mono">
                {request.endpoint.replace(/^\/v1/, '')}
                {request.stream && <span className="dim"> {t('request.stream')}</span>}
              </td>
              <td className="name">{request.model ?? NONE}</td>
              <td className="num c3">{number(request.tokens)}</td>
              <td className="num c3">{number(liveSpeed(request), 1)}</td>
              <td className="c4 name">{request.backend ?? NONE}</td>
              <td className="num c4">
                {request.attempts > 1 ? `${request.attempts}/${request.mostAttempts}` : request.attempts}
              </td>
              <td>
                <button
                  type="button"
                  className="btn btn-quiet btn-small"
                  aria-label={t('live.cancelThis', { id: request.id, user: request.user ?? t('user.nobody') })}
                  onClick={() => void actions.cancelRequest(request.id)}
                >
                  {t('verb.cancel')}
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="small dim live-note">{t('live.note')}</p>
    </section>
  )
}

/** Over its whole life: what it waited counts, too, until its end tells better. */
function liveSpeed({ tokens, ageMs, phase }: RequestView): number | null {
  return tokens === null || phase !== 'decode' || ageMs < 500 ? null : tokens / (ageMs / 1000)
}
