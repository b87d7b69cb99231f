import { useEffect, useRef } from 'react'
import type { HistoryRow } from '../../src/protocol/users.ts'
import { useCopy } from '../actions.ts'
import { Button, Facts, IconButton } from '../components/kit.tsx'
import { clock, duration, gigabytes, NONE, number, withUnit } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot } from '../stores.ts'
import { tryIt } from '../try-it.ts'
import { askedAgain, talkOf } from '../view-models/capture.ts'
import { curlOf, isReplayable, rowSpeed, statusLook, waterfall } from '../view-models/history.ts'
import { CaptureSection, useCaptured } from './CaptureSection.tsx'

/** One request: where its time went and what it cost. */
export function RequestDrawer({
  row,
  onClose,
  onStep,
}: {
  row: HistoryRow
  onClose: () => void
  onStep: (by: number) => void
}) {
  const t = useT()
  const copy = useCopy()
  const { server } = useSnapshot()
  const captured = useCaptured(row.id)
  const replay = (): void => {
    onClose()
    const said = captured === null ? {} : askedAgain(talkOf(captured))
    tryIt.set({ model: row.model ?? '', ...(row.user === null ? {} : { user: row.user }), ...said })
  }
  const panel = useRef<HTMLElement>(null)
  const onKey = (event: { key: string; target: EventTarget | null }): void => {
    if (event.target instanceof HTMLInputElement) return
    if (event.key === 'Escape') onClose()
    if (event.key === '[') onStep(-1)
    if (event.key === ']') onStep(1)
  }
  const latest = useRef(onKey)
  latest.current = onKey
  useEffect(() => {
    // The focus stays in the list, whose rows the drawer follows.
    const listen = (event: globalThis.KeyboardEvent): void => latest.current(event)
    const main = panel.current?.closest('.main')
    main?.addEventListener('keydown', listen as EventListener)
    return () => main?.removeEventListener('keydown', listen as EventListener)
  }, [])
  const share =
    row.promptTokens === null || row.cachedTokens === null || row.promptTokens === 0
      ? null
      : row.cachedTokens / row.promptTokens
  return (
    <aside ref={panel} className="drawer" aria-label={t('request.title')} data-region="">
      <div className="drawer-head">
        <h2 className="sr">{t('request.title')}</h2>
        <span className="mono small clip">{row.id}</span>
        <IconButton icon="copy" label={t('verb.copy')} onClick={() => copy(row.id)} />
        <span className="grow" />
        <IconButton icon="up" label={t('request.previous')} onClick={() => onStep(-1)} />
        <IconButton icon="down" label={t('request.next')} onClick={() => onStep(1)} />
        <IconButton icon="close" label={t('verb.close')} onClick={onClose} />
      </div>
      <section className="sect">
        <div className="row spread">
          <span className="clip">
            <b className="strong name">{row.user ?? t('user.nobody')}</b> →{' '}
            <span className="name">{row.model ?? NONE}</span>
          </span>
          <span className={statusLook(row.status)}>
            {row.status} · {row.outcome}
          </span>
        </div>
        <p className="small mid">
          {clock(row.at)} · POST {row.endpoint} · {t(row.stream ? 'request.stream' : 'request.whole2')}
        </p>
        {row.error !== null && (
          <p className="small bad">
            {t('request.error')}: {row.error}
          </p>
        )}
      </section>
      <section className="sect">
        <h3>
          <span>{t('request.timeline')}</span>
          <span className="tab">{duration(row.totalMs)}</span>
        </h3>
        <div className="fall">
          {waterfall(row).map(({ name, from, share: width, ms, colour, failed }) => (
            <div
              key={`${name} ${failed?.try ?? ''}`}
              className="fall-row"
              title={failed === undefined ? undefined : t('request.failedTry', failed)}
            >
              <span>{name === 'try' ? t('request.retryStep', { try: failed?.try ?? 1 }) : t(`request.${name}`)}</span>
              <span className="track">
                <i style={{ left: `${from * 100}%`, width: `${width * 100}%`, background: colour }} />
              </span>
              <span>{duration(ms)}</span>
            </div>
          ))}
        </div>
      </section>
      <section className="sect">
        <h3>{t('request.cost')}</h3>
        <Facts
          facts={[
            [t('col.prompt'), withUnit(row.promptTokens, 'tok')],
            [t('request.of'), share === null ? NONE : `${number(row.cachedTokens)} (${withUnit(share * 100, '%')})`],
            [t('col.output'), withUnit(row.completionTokens, 'tok')],
            [t('request.speed'), withUnit(rowSpeed(row), 'tok/s', 1)],
            [t('request.asked'), gigabytes(row.requestBytes)],
            [t('request.answered'), gigabytes(row.answerBytes)],
            row.finish === null
              ? null
              : [
                  t('col.finish'),
                  <span key="f" className="mono">
                    {row.finish}
                  </span>,
                ],
          ]}
        />
      </section>
      <section className="sect">
        <h3>{t('request.path')}</h3>
        <Facts
          facts={[
            row.band === null ? null : [t('request.band'), row.band],
            [
              t('col.backend'),
              <span key="b" className="name">
                {row.fellBack ? t('request.fellBackTo', { backend: row.backend ?? NONE }) : (row.backend ?? NONE)}
              </span>,
            ],
            [t('request.attempts'), Math.max(0, row.attempts - 1)],
            row.app === null ? null : [t('col.client'), row.app],
            row.keyId === null
              ? null
              : [
                  t('request.key'),
                  <span key="k" className="mono">
                    {row.keyId}
                  </span>,
                ],
          ]}
        />
      </section>
      {row.tries.length > 0 && (
        <section className="sect">
          <h3>{t('request.tries')}</h3>
          <ol className="small">
            {row.tries.map(({ backend, reason, afterMs }) => (
              <li key={afterMs} className="row spread">
                <span className="clip">{t('request.failedTry', { backend, reason })}</span>
                <span className="tab dim">{duration(afterMs)}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
      <section className="sect">
        <div className="row">
          <Button small onClick={() => copy(curlOf(row, server.address))}>
            {t('request.copyCurl')}
          </Button>
          {isReplayable(row) && (
            <Button small onClick={replay}>
              {t(captured === null ? 'request.open' : 'request.replay')}
            </Button>
          )}
        </div>
      </section>
      <CaptureSection row={row} captured={captured} />
    </aside>
  )
}
