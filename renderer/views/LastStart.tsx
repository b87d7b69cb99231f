import { useEffect, useState } from 'react'
import { type EngineView, isComing } from '../../src/protocol/engine.ts'
import { foremostEngine } from '../../src/protocol/primary-verb.ts'
import type { EngineStartView } from '../../src/protocol/ui-commands.ts'
import { Empty } from '../components/kit.tsx'
import { duration, moment } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { usePolled } from '../polled.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { engineWords } from '../view-models/frame.ts'
import {
  causeTitle,
  type LiveStart,
  liveRows,
  phaseWords,
  type StartRow,
  startRows,
  watchStart,
} from '../view-models/start.ts'

/** Where the time of a start went; while one is under way, how far it is. */
export function LastStart() {
  const t = useT()
  const { engines } = useSnapshot()
  const { client } = useWorld()
  const engine = foremostEngine(engines)
  const name = engine?.name ?? ''
  const starts = usePolled(
    async () => (name === '' ? [] : (await client.commands.engineStarts({ engine: name })).starts),
    10_000,
    `${name} ${engine?.state.is ?? ''}`,
  )
  if (engine === null) {
    return (
      <section className="sect half-left" aria-label={t('start.title')}>
        <h3>{t('start.title')}</h3>
        <Empty title={t('start.noEngine')}>{t('start.noEngineWhy')}</Empty>
      </section>
    )
  }
  const isUnderWay = isComing(engine.state) && engine.state.is !== 'backoff' && engine.state.is !== 'sleeping'
  if (isUnderWay) return <StartNow key={name} engine={engine} />
  return <Past starts={starts} />
}

/** The start that is under way, as far as this window has seen it; null while there is none. */
export function useWatchedStart(engine: EngineView | null): LiveStart | null {
  const [watched, setWatched] = useState<LiveStart | null>(null)
  const phase = engine === null ? '' : engine.state.is === 'starting' ? engine.state.phase : engine.state.is
  // biome-ignore lint/correctness/useExhaustiveDependencies: another phase is what there is to note
  useEffect(() => {
    setWatched((seen) =>
      engine === null ? null : watchStart(seen, engine.name, engine.state, engine.uptimeMs, Date.now()),
    )
  }, [engine?.name, phase])
  return watched
}

/** The start that is under way; nothing of an earlier one. */
function StartNow({ engine }: { engine: EngineView }) {
  const t = useT()
  const { queues } = useSnapshot()
  const { client, second } = useWorld()
  const now = Math.max(useStore(second) * 1000, Date.now())
  const { name, state, uptimeMs } = engine
  const watched = useWatchedStart(engine)
  const lines = usePolled(async () => (await client.commands.engineLog({ engine: name, lines: 1 })).lines, 1000, name)
  const leftMs = state.is === 'starting' ? state.leftMs : null
  const elapsed = duration(watched === null ? uptimeMs : Math.max(0, now - watched.began))
  const left = leftMs === null ? null : duration(leftMs)
  const words = left === null ? t('start.live', { elapsed }) : t('start.liveLeft', { elapsed, left })
  return (
    <section className="sect half-left" aria-label={t('start.title')}>
      <h3>
        <span>{engineWords(engine, queues, t)}</span>
        {state.is === 'starting' && <span className="tab">{words}</span>}
      </h3>
      {watched !== null && <Fall rows={liveRows(watched, leftMs, now)} current={watched.phases.at(-1)?.name ?? ''} />}
      {state.is === 'starting' && lines?.[0] !== undefined && (
        <code className="small dim clip start-line" title={lines[0]}>
          {lines[0]}
        </code>
      )}
    </section>
  )
}

function Past({ starts }: { starts: readonly EngineStartView[] | null }) {
  const t = useT()
  const [last] = starts ?? []
  const usual = (starts ?? []).slice(1).filter(({ outcome }) => outcome === 'ready')
  const usually = usual.length === 0 ? null : usual.reduce((sum, { totalMs }) => sum + totalMs, 0) / usual.length
  const head = (): string => {
    if (last === undefined) return ''
    const values = { time: moment(last.at, new Date(), t.language), took: duration(last.totalMs) }
    if (last.outcome !== 'ready')
      return t('start.failed', { ...values, cause: causeTitle(last.outcome, t) ?? last.outcome })
    return usually === null ? t('start.took', values) : t('start.usual', { ...values, usual: duration(usually) })
  }
  return (
    <section className="sect half-left" aria-label={t('start.title')}>
      <h3>
        <span>{t('start.title')}</span>
        <span className={last === undefined || last.outcome === 'ready' ? 'tab' : 'tab bad'}>{head()}</span>
      </h3>
      {starts !== null && last === undefined && <Empty title={t('start.none')}>{t('start.noneWhy')}</Empty>}
      {last !== undefined && <Fall rows={startRows(last)} total={last.totalMs} />}
    </section>
  )
}

/** One phase below the other. `current`: where a start is now. `total`: of one that has ended. */
export function Fall({
  rows,
  current = null,
  total = null,
}: {
  rows: StartRow[]
  current?: string | null
  total?: number | null
}) {
  const t = useT()
  return (
    <div className="fall">
      {rows.map(({ name: phase, from, share, ms }) => {
        const isCurrent = phase === current
        return (
          <div key={phase} className="fall-row" aria-current={isCurrent ? 'step' : undefined}>
            <span className={isCurrent ? 'strong' : ''}>{phase === '' ? t('start.before') : phaseWords(phase, t)}</span>
            <span className="track">
              <i
                style={{
                  left: `${from * 100}%`,
                  width: `${share * 100}%`,
                  background: isCurrent ? 'var(--state-starting)' : 'var(--line-strong)',
                }}
              />
            </span>
            <span>{duration(ms)}</span>
          </div>
        )
      })}
      {total !== null && rows.length > 0 && (
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
  )
}
