import { isComing } from '../../src/protocol/engine.ts'
import { foremostEngine } from '../../src/protocol/primary-verb.ts'
import { Empty } from '../components/kit.tsx'
import { duration, moment } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { usePolled } from '../polled.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { startRows } from '../view-models/start.ts'

/** Where the time of a start went; while one is under way, how far it is. */
export function LastStart() {
  const t = useT()
  const { engines } = useSnapshot()
  const { client } = useWorld()
  const engine = foremostEngine(engines)
  const name = engine?.name ?? ''
  const state = engine?.state.is ?? ''
  const starts = usePolled(
    async () => (name === '' ? [] : (await client.commands.engineStarts({ engine: name })).starts),
    10_000,
    `${name} ${state}`,
  )
  if (engine === null) {
    return (
      <section className="sect half-left" aria-label={t('start.title')}>
        <h3>{t('start.title')}</h3>
        <Empty title={t('start.noEngine')}>{t('start.noEngineWhy')}</Empty>
      </section>
    )
  }
  const [last] = starts ?? []
  const isStarting = engine.state.is === 'starting' || (isComing(engine.state) && engine.state.is !== 'backoff')
  const rows = last === undefined ? [] : startRows(last, engine.state)
  const total = last?.totalMs ?? 0
  const usual = (starts ?? []).slice(1).filter(({ outcome }) => outcome === 'ready')
  const usually = usual.length === 0 ? null : usual.reduce((sum, { totalMs }) => sum + totalMs, 0) / usual.length
  const head = (): string => {
    if (last === undefined) return ''
    const values = { time: moment(last.at, new Date(), t.language), took: duration(total) }
    if (last.outcome !== 'ready') return t('start.failed', values)
    return usually === null ? t('start.took', values) : t('start.usual', { ...values, usual: duration(usually) })
  }
  return (
    <section className="sect half-left" aria-label={t('start.title')}>
      <h3>
        <span>{t(isStarting ? 'start.now' : 'start.title')}</span>
        <span className="tab">{head()}</span>
      </h3>
      {starts !== null && last === undefined && <Empty title={t('start.none')}>{t('start.noneWhy')}</Empty>}
      <div className="fall">
        {rows.map(({ name: phase, from, share, ms, current }) => (
          <div key={phase} className="fall-row" aria-current={current ? 'step' : undefined}>
            <span className={current ? 'strong' : ''}>{phase}</span>
            <span className="track">
              <i
                style={{
                  left: `${from * 100}%`,
                  width: `${share * 100}%`,
                  background: current ? 'var(--state-starting)' : 'var(--line-strong)',
                }}
              />
            </span>
            <span>{duration(ms)}</span>
          </div>
        ))}
        {rows.length > 0 && (
          <div className="fall-row">
            <span />
            <span className="axis">
              <span>0</span>
              <span>{duration(total / 2)}</span>
              <span>{duration(total)}</span>
            </span>
            <span />
          </div>
        )}
      </div>
    </section>
  )
}
