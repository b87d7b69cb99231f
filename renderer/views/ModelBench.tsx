import { useState } from 'react'
import { useCopy } from '../actions.ts'
import { benches, keepBench } from '../bench-store.ts'
import { Button, Empty, Segmented } from '../components/kit.tsx'
import { duration, moment, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { benchMarkdown, type ModelRow } from '../view-models/catalogue.ts'
import { reasonOf } from '../view-models/log.ts'

const LOADS = ['1', '4', '16'] as const

/** How fast it answers, alone and with others; what was measured before stands below. */
export function ModelBench({ row }: { row: ModelRow }) {
  const t = useT()
  const { client } = useWorld()
  const { models } = useSnapshot()
  const copy = useCopy()
  const [load, setLoad] = useState<(typeof LOADS)[number]>('4')
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<string | null>(null)
  const kept = useStore(benches)[row.id] ?? []
  const served = row.engine?.model ?? row.model?.id ?? row.name
  const isServed = models.some(({ id, state }) => id === served && state === 'ready')
  const run = async (): Promise<void> => {
    setBusy(true)
    setFailed(null)
    try {
      const concurrency = Number(load)
      const report = await client.commands.bench({ model: served, concurrency, requests: Math.max(4, concurrency * 2) })
      keepBench(row.id, { ...report, at: new Date().toISOString() })
      if (report.error !== null) setFailed(report.error)
    } catch (error) {
      setFailed(t.said(reasonOf(error)))
    }
    setBusy(false)
  }
  return (
    <>
      <section className="sect">
        <h3>{t('bench.title')}</h3>
        <div className="row">
          <Segmented
            label={t('bench.load')}
            value={load}
            options={LOADS.map((value) => ({ value, label: t('bench.atOnce', { count: value }) }))}
            onChange={setLoad}
          />
          <Button look="first" onClick={() => void run()} busy={busy} disabled={!isServed}>
            {t(busy ? 'bench.running' : 'bench.run')}
          </Button>
        </div>
        <p className="field-note">{t(isServed ? 'bench.why' : 'bench.notServed')}</p>
        {failed !== null && (
          <p className="small bad" role="alert">
            {failed}
          </p>
        )}
      </section>
      {kept.length === 0 ? (
        <Empty title={t('bench.none')} />
      ) : (
        <section className="sect">
          <h3>
            <span>{t('bench.measured')}</span>
            <Button small look="quiet" onClick={() => copy(benchMarkdown(kept))}>
              {t('bench.copy')}
            </Button>
          </h3>
          <table className="table bench-table">
            <thead>
              <tr>
                <th>{t('col.time')}</th>
                <th className="num">{t('bench.col.load')}</th>
                <th className="num">{t('col.ttft')}</th>
                <th className="num">{t('bench.col.each')}</th>
                <th className="num">{t('bench.col.all')}</th>
              </tr>
            </thead>
            <tbody>
              {kept.map((one) => (
                <tr key={one.at}>
                  <td className="mid">{moment(one.at, new Date(), t.language)}</td>
                  <td className="num">{one.concurrency}</td>
                  <td className="num">{duration(one.ttftMs?.p50)}</td>
                  <td className="num">{number(one.tokensPerSecondPerStream, 1)}</td>
                  <td className="num">{number(one.tokensPerSecond, 1)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  )
}
