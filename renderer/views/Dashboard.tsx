import type { Happening } from '../../src/protocol/happenings.ts'
import { foremostEngine } from '../../src/protocol/primary-verb.ts'
import type { SeriesName, SeriesReport } from '../../src/protocol/series.ts'
import type { RequestView } from '../../src/protocol/snapshot.ts'
import { useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { StateMark } from '../components/Icon.tsx'
import { Button } from '../components/kit.tsx'
import { Spark } from '../components/Spark.tsx'
import { change, duration, gib, moment, number, percentDigits, percentNumber, signedPercent } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { usePolled } from '../polled.ts'
import { goTo } from '../route.ts'
import { lastOf, meanOf, sumOf } from '../series-store.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { eventLine, gate, verdict } from '../view-models/dashboard.ts'
import { gpuTotals, load } from '../view-models/frame.ts'
import { Charts } from './Charts.tsx'
import { Connect } from './Connect.tsx'
import { EngineTrouble } from './EngineTrouble.tsx'
import { LastStart } from './LastStart.tsx'

/** Is it serving → how fast → who waits → what is wrong. */
export function Dashboard() {
  const snapshot = useSnapshot()
  const { client } = useWorld()
  const asked = useAsked(async () => (await client.commands.recentEvents()).events, { everyMs: 2000 })
  const events = asked.value
  const engine = foremostEngine(snapshot.engines)
  const isTrouble = engine !== null && ['failed', 'backoff', 'foreign', 'not-installed'].includes(engine.state.is)
  const serves = snapshot.models.some(({ state }) => state === 'ready')
  return (
    <>
      {(!isTrouble || serves) && <Now />}
      {isTrouble && <EngineTrouble engine={engine} isAlone={!serves} />}
      <Tiles />
      <Charts events={events ?? []} />
      <section className="halves">
        <LastStart />
        <Connect />
      </section>
      <Events events={events} failed={asked.failed} />
    </>
  )
}

function Now() {
  const t = useT()
  const snapshot = useSnapshot()
  const { series, client } = useWorld()
  const { shape, title, says } = verdict(snapshot, useStore(series.recent), t)
  const requests = usePolled(async () => (await client.commands.listRequests()).requests, 1000) ?? []
  const isNothing = snapshot.engines.length === 0 && snapshot.backends.length === 0
  return (
    <section className="now">
      <div className="verdict" role="status">
        <StateMark shape={shape} large />
        <div>
          <h1>{title}</h1>
          <p title={says}>{says}</p>
          {isNothing && (
            <p className="row gap-top">
              <Button look="first" onClick={() => goTo('models')}>
                {t('first.head.model')}
              </Button>
              <Button onClick={() => goTo('models', 'engine-versions')}>{t('fail.install')}</Button>
              <Button onClick={() => goTo('first-run')}>{t('first.title')}</Button>
            </p>
          )}
        </div>
      </div>
      {!isNothing && <GateView requests={requests} />}
    </section>
  )
}

function GateView({ requests }: { requests: readonly RequestView[] }) {
  const t = useT()
  const snapshot = useSnapshot()
  const { waiting, waitingCount, running, runningCount, limit } = gate(snapshot, requests, t)
  const more = runningCount - running.length
  const free = Math.max(0, Math.min(8, limit) - running.length - (more > 0 ? 1 : 0))
  return (
    <section className="gate" aria-label={t('gate.label', { waiting: waitingCount, running: runningCount, limit })}>
      <h2 className="sr">{t('chart.queue')}</h2>
      <div className="gate-side gate-wait">
        <h3>
          <span>{t('gate.waiting')}</span>
          <b>{waitingCount}</b>
        </h3>
        <ol>
          {waiting.map(({ id, who, says }) => (
            <li key={id}>
              <b className="name">{who}</b>
              <i>{says}</i>
            </li>
          ))}
        </ol>
      </div>
      <div className="gate-side gate-in">
        <h3>
          <span>{t('gate.running')}</span>
          <b>{runningCount}</b>
          {limit > 0 && <span>{t('gate.of', { limit })}</span>}
        </h3>
        <ol>
          {running.map(({ id, who, says, prefill }) => (
            <li key={id} className={prefill ? 'prefill' : undefined}>
              <b className="name">{who}</b>
              <i>{says}</i>
            </li>
          ))}
          {Array.from({ length: free }, (_, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: empty places are all alike
            <li key={`free-${i}`} className="is-free">
              <b aria-hidden="true">&nbsp;</b>
              <i aria-hidden="true">&nbsp;</i>
            </li>
          ))}
        </ol>
      </div>
    </section>
  )
}

function Tiles() {
  const t = useT()
  const snapshot = useSnapshot()
  const { series, heardAt, second, link } = useWorld()
  const copy = useCopy()
  const recent = useStore(series.recent)
  const age = Math.max(0, useStore(second) * 1000 - useStore(heardAt))
  const isStale = useStore(link).is === 'lost' && age > 3000
  const { running, waiting, limit, kv } = load(snapshot)
  const isUp = snapshot.models.some(({ state }) => state === 'ready')
  const { used, total } = gpuTotals(snapshot.gpu.is === 'read' ? snapshot.gpu.gpus : [])
  const finished = sumOf(recent?.values.finished ?? [])
  const failed = sumOf(recent?.values.failed ?? [])
  const answered = finished === 0 ? null : (finished - failed) / finished
  const ours = lastOf(recent, 'vramOurs')
  const stale = isStale ? t('tile.age', { age: duration(age) }) : null
  // What to run in a terminal to see what the driver says.
  const tool = snapshot.gpu.is === 'failed' ? snapshot.gpu.tool : ''
  const output = lastOf(recent, 'output')
  const isIdle = !isUp && (output ?? 0) === 0
  const noTraffic = t(recent === null ? 'why.reading' : 'why.noTraffic')
  const ttft = lastOf(recent, 'ttftP50')
  const shownTtft = split(duration(ttft))
  return (
    <section className="tiles">
      <Tile
        title={t('tile.output')}
        note={stale ?? delta(recent, 'output')}
        source={t('source.gateway')}
        value={number(isIdle ? null : output)}
        unit={isIdle ? t(recent === null ? 'why.reading' : 'why.notServing') : 'tok/s'}
        stale={isStale}
      >
        <Spark values={tail(recent, 'output')} />
      </Tile>
      <Tile
        title={t('tile.ttft')}
        note={stale ?? delta(recent, 'ttftP50')}
        source={t('source.gateway')}
        value={shownTtft[0]}
        unit={ttft === null ? noTraffic : shownTtft[1]}
        stale={isStale}
      >
        <Spark values={tail(recent, 'ttftP50')} second={tail(recent, 'ttftP95')} />
        {ttft !== null && (
          <small className="tile-p95">{t('tile.p95', { value: duration(lastOf(recent, 'ttftP95')) })}</small>
        )}
      </Tile>
      <Tile
        title={t('tile.running')}
        note={stale ?? t('tile.waiting', { count: waiting })}
        source={t('source.gateway')}
        value={number(running)}
        unit={limit > 0 ? t('tile.of', { limit }) : ''}
        stale={isStale}
      >
        <Spark values={tail(recent, 'running')} />
      </Tile>
      <Tile
        title={t('tile.answered')}
        note={stale ?? t('tile.fiveMin')}
        source={t('source.gateway')}
        value={number(percentNumber(answered), percentDigits(answered))}
        unit={answered === null ? noTraffic : '%'}
        optional={answered === null || failed === 0 ? '' : ` · ${t('tile.failed', { failed, count: finished })}`}
        stale={isStale}
      >
        <Spark values={answeredTail(recent)} />
      </Tile>
      <Tile
        title={t('tile.kv')}
        note={stale ?? delta(recent, 'kv')}
        source={t('source.engine')}
        value={number(kv === null ? null : kv * 100)}
        unit={kv !== null ? '%' : t(isUp ? 'why.noEngine' : 'why.notServing')}
        stale={isStale}
      >
        <Spark values={tail(recent, 'kv')} />
      </Tile>
      <Tile
        title={t('tile.vram')}
        note={stale ?? (used === null || total === null ? '' : t('tile.free', { value: gib(total - used) }))}
        source={'reason' in snapshot.gpu ? t.said(snapshot.gpu.reason) : t('source.gpu')}
        value={gib(used)}
        unit={
          total === null ? t(snapshot.gpu.is === 'failed' ? 'status.gpuFailed' : 'why.noGpu') : `/ ${gib(total)} GiB`
        }
        stale={isStale}
      >
        {snapshot.gpu.is === 'failed' && (
          <button type="button" className="link small clip" onClick={() => copy(tool)}>
            <code>{tool}</code> {t('verb.copy')}
          </button>
        )}
        {used !== null && total !== null && <Memory used={used} total={total} ours={ours} />}
      </Tile>
    </section>
  )
}

type TileProps = {
  title: string
  note: string
  source: string
  value: string
  unit: string
  optional?: string
  stale: boolean
  children: React.ReactNode
}

function Tile({ title, note, source, value, unit, optional = '', stale, children }: TileProps) {
  return (
    <div className={`tile${stale ? ' is-stale' : ''}`} title={`${title}: ${source}`}>
      <h3>
        <span>{title}</span>
        <span>{note}</span>
      </h3>
      <div className="value">
        {value}
        <small>
          {unit}
          {optional !== '' && <span className="opt">{optional}</span>}
        </small>
      </div>
      <div className="foot">{children}</div>
    </div>
  )
}

/** Engine, other programs, free: drawn and said. Where nobody tells whose it is, it is one part. */
function Memory({ used, total, ours }: { used: number; total: number; ours: number | null }) {
  const t = useT()
  const own = ours === null ? used : Math.min(ours, used)
  const share = (bytes: number): string => `${(bytes / total) * 100}%`
  const free = gib(total - used)
  const words =
    ours === null
      ? t('tile.memoryOne', { used: gib(used), free })
      : t('tile.memory', { ours: gib(own), others: gib(used - own), free })
  return (
    <div className="parts parts-foot" role="img" aria-label={words} title={words}>
      <i className={ours === null ? 'p6' : 'p1'} style={{ width: share(own) }} />
      <i className="p6" style={{ width: share(used - own) }} />
    </div>
  )
}

function Events({ events, failed }: { events: readonly Happening[] | null; failed: string | null }) {
  const t = useT()
  const newest: Happening[] = events?.slice(-20).reverse() ?? []
  return (
    <section className="sect sect-last" aria-label={t('events.title')}>
      <h3>
        <span>{t('events.title')}</span>
      </h3>
      {failed !== null && (
        <p className="small warn" role="status" title={failed}>
          {t('events.failed')}
        </p>
      )}
      {events?.length === 0 && <p className="small dim">{t('events.none')}</p>}
      <ol className="small">
        {newest.map((event) => {
          const { shape, says, to } = eventLine(event, t)
          return (
            <li key={event.seq} className="row event">
              <time className="dim">{moment(event.at, new Date(), t.language)}</time>
              <StateMark shape={shape} />
              <span className="clip grow" title={says}>
                {says}
              </span>
              <a className="link dim" href={`#/${to.screen}/${to.path}`}>
                {t(to.title === 'log' ? 'events.log' : 'events.requests')}
              </a>
            </li>
          )
        })}
      </ol>
    </section>
  )
}

function tail(report: SeriesReport | null, name: SeriesName): readonly (number | null)[] {
  return report?.values[name].slice(-60) ?? []
}

/** Share of good answers in each second that had any. */
function answeredTail(report: SeriesReport | null): (number | null)[] {
  return tail(report, 'finished').map((count, i) => {
    const failed = tail(report, 'failed')[i] ?? 0
    return count === null || count === 0 ? null : (count - failed) / count
  })
}

/** The last seconds against the five minutes before. */
function delta(report: SeriesReport | null, name: SeriesName): string {
  const values = report?.values[name] ?? []
  return signedPercent(change(meanOf(values.slice(-10)), meanOf(values.slice(0, -10))))
}

function split(shown: string): [value: string, unit: string] {
  const at = shown.indexOf('\u00a0')
  return at === -1 ? [shown, ''] : [shown.slice(0, at), shown.slice(at + 1)]
}
