import { useState } from 'react'
import { BENCH_PROMPTS } from '../../src/protocol/models.ts'
import { useCopy } from '../actions.ts'
import { benches, keepBench } from '../bench-store.ts'
import { Button, Empty, Segmented } from '../components/kit.tsx'
import { duration, kilo, moment, number, signedPercent } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { benchLengths, benchMarkdown, benchRows, type ModelRow } from '../view-models/catalogue.ts'
import { reasonOf } from '../view-models/log.ts'

const LOADS = ['1', '4', '16'] as const
/** Of an answer. */
const TOKENS = 128

/** How fast it answers, alone and with others; what was measured before stands below. */
export function ModelBench({ row }: { row: ModelRow }) {
  const t = useT()
  const { client } = useWorld()
  const { models } = useSnapshot()
  const copy = useCopy()
  const [load, setLoad] = useState<(typeof LOADS)[number]>('4')
  const [wanted, setLength] = useState<keyof typeof BENCH_PROMPTS>('short')
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<string | null>(null)
  const kept = useStore(benches)[row.id] ?? []
  const served = row.engine?.model ?? row.model?.id ?? row.name
  const isServed = models.some(({ id, state }) => id === served && state === 'ready')
  const context = models.find(({ id }) => id === served)?.max_model_len ?? row.model?.contextLength ?? null
  const lengths = benchLengths(context, TOKENS)
  const length = lengths.includes(wanted) ? wanted : 'short'
  const run = async (): Promise<void> => {
    setBusy(true)
    setFailed(null)
    try {
      const concurrency = Number(load)
      const requests = Math.max(4, concurrency * 2)
      const prompt = BENCH_PROMPTS[length]
      const report = await client.commands.bench({ model: served, concurrency, requests, prompt, tokens: TOKENS })
      keepBench(row.id, { ...report, at: new Date().toISOString() })
      if (report.error !== null) setFailed(report.error)
    } catch (error) {
      setFailed(reasonOf(error))
    }
    setBusy(false)
  }
  return (
    <>
      <section className="sect">
        <h3>{t('bench.title')}</h3>
        <div className="row bench-bar">
          <Segmented
            label={t('bench.load')}
            value={load}
            options={LOADS.map((value) => ({ value, label: t('bench.atOnce', { count: value }) }))}
            onChange={setLoad}
          />
          <Segmented
            label={t('bench.prompt')}
            value={length}
            options={lengths.map((value) => ({
              value,
              label: t('bench.promptOf', { size: kilo(BENCH_PROMPTS[value]) }),
            }))}
            onChange={setLength}
          />
          <Button look="first" onClick={() => void run()} busy={busy} disabled={!isServed}>
            {t(busy ? 'bench.running' : 'bench.run')}
          </Button>
        </div>
        <p className="field-note">{t(isServed ? 'bench.why' : 'bench.notServed')}</p>
        {failed !== null && (
          <p className="small bad" role="alert">
            {t.said(failed)}
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
            <colgroup>
              <col style={{ width: '21%' }} />
              <col style={{ width: '13%' }} />
              <col style={{ width: '13%' }} />
            </colgroup>
            <thead>
              <tr>
                <th>{t('col.time')}</th>
                <th className="num">{t('bench.col.load')}</th>
                <th className="num">{t('bench.col.prompt')}</th>
                <th className="num">{t('col.ttft')}</th>
                <th className="num">{t('bench.col.each')}</th>
                <th className="num">{t('bench.col.all')}</th>
              </tr>
            </thead>
            <tbody>
              {benchRows(kept).map((one) => (
                <tr key={one.at}>
                  <td className="mid">{moment(one.at, new Date(), t.language)}</td>
                  <td className="num">{one.concurrency}</td>
                  <td className="num">{kilo(one.prompt)}</td>
                  <Figure value={duration(one.ttftMs?.p50)} change={one.change.ttft} less />
                  <Figure value={number(one.tokensPerSecondPerStream, 1)} change={one.change.each} />
                  <Figure value={number(one.tokensPerSecond, 1)} change={one.change.all} />
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  )
}

/** A figure, and below it what it changed against the last one of its kind. `less`: the smaller the better. */
function Figure({ value, change, less = false }: { value: string; change: number | null; less?: boolean }) {
  const t = useT()
  const rounded = change === null ? 0 : Math.round(change * 100)
  const look = rounded === 0 ? 'dim' : rounded > 0 === less ? 'bad' : 'ok'
  return (
    <td className="num">
      {value}
      {change !== null && (
        <span className={`micro bench-change ${look}`} title={t('bench.change')}>
          {rounded === 0 ? '±0 %' : signedPercent(change)}
        </span>
      )}
    </td>
  )
}
