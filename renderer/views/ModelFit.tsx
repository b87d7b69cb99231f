import { useState } from 'react'
import { canRestart, type EngineView } from '../../src/protocol/engine.ts'
import type { ModelView } from '../../src/protocol/models.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Slide } from '../components/forms.tsx'
import { Button, Empty, Facts, Skeleton } from '../components/kit.tsx'
import { gib, kilo, moment, number, signedPercent } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { useHeld } from '../use-models.ts'
import { memoryParts, shareOf, startsWith } from '../view-models/catalogue.ts'

const COLOUR = { weights: 'p2', kv: 'p1', overhead: 'p3', other: 'p6', free: 'p0' } as const
const STEP = 1024

/** Weights, cache and the rest against the memory that is free, for the context and the load that one wants. */
export function ModelFit({ model, engine }: { model: ModelView; engine: EngineView | null }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const [context, setContext] = useState<number | null>(null)
  const [share, setShare] = useState<number | null>(null)
  const [asked, setAsked] = useState<{ context?: number; share?: number }>({})
  const [atOnce, setAtOnce] = useState<number | null>(null)
  const about = engine?.name ?? model.id
  const config = useAsked(async () => await client.commands.getConfig(), { key: about })
  const held = useHeld(engine?.pid != null)
  const {
    value: fit,
    failed,
    again,
  } = useAsked(async () => await client.commands.fitModel({ model: about, ...asked }), {
    key: `${about} ${JSON.stringify(asked)}`,
  })
  const [last, setLast] = useState(fit)
  if (fit !== null && fit !== last) setLast(fit)
  const shown = fit ?? last
  if (failed !== null && shown === null)
    return (
      <Empty bad title={t('fit.failed')} actions={<Button onClick={() => void again()}>{t('verb.tryAgain')}</Button>}>
        {failed}
      </Empty>
    )
  if (shown === null) return <Skeleton rows={8} widths={[30, 50]} />
  const sequences = atOnce ?? startsWith(config.value?.entries ?? [], engine, shown.sequences)
  const own = engine === null ? 0 : (held.get(engine.name) ?? 0)
  const part = share ?? shareOf(config.value?.entries ?? [], engine, shown.share)
  const { parts, totalBytes, missingBytes } = memoryParts(shown, sequences, own, part)
  const mostContext = Math.max(STEP, model.contextLength ?? shown.longestContext, shown.context)
  const length = context ?? shown.context
  const change = {
    ...(context === null ? {} : { 'max-model-len': context }),
    ...(atOnce === null ? {} : { 'max-num-seqs': atOnce }),
    ...(share === null ? {} : { 'gpu-memory-utilization': share }),
  }
  const canApply = engine !== null && engine.kind === 'vllm' && Object.keys(change).length > 0
  const apply = async (): Promise<void> => {
    if (engine === null) return
    const changes = Object.entries(change).map(([name, value]) => ({
      path: `engines.${engine.name}.args.${name}`,
      value,
    }))
    const { name, state } = engine
    const done = canRestart(state) ? t('launch.restarts', { engine: name }) : t('set.saved', { name })
    if (await told(client.commands.setConfig({ changes }), done)) {
      setContext(null)
      setAtOnce(null)
      setShare(null)
      setAsked({})
      await Promise.all([config.again(), again()])
    }
  }
  return (
    <>
      <section className="sect">
        <h3>
          <span>{t(shown.gpu === null ? 'fit.machineMemory' : 'fit.memory')}</span>
          <span className="num">{shown.gpu === null ? '' : `${gib(totalBytes)} GiB`}</span>
        </h3>
        <div
          className="parts parts-tall"
          role="img"
          aria-label={parts.map(({ name, bytes }) => `${t(`fit.part.${name}`)} ${gib(bytes)} GiB`).join(', ')}
        >
          {parts.map(({ name, share }) => (
            <i key={name} className={COLOUR[name]} style={{ width: `${share * 100}%` }} />
          ))}
        </div>
        <ol className="small part-list">
          {parts.map(({ name, bytes }) => (
            <li key={name} className="row">
              <i className={`swatch ${COLOUR[name]}`} />
              <span className="mid">{t(`fit.part.${name}`)}</span>
              <span className="dim grow clip">
                {name === 'kv'
                  ? t('fit.tokens', { count: number(length * sequences) })
                  : (howOf(shown.parts, name) ?? '')}
              </span>
              <span className="num">
                {gib(bytes)} <span className="u">GiB</span>
              </span>
            </li>
          ))}
        </ol>
        {missingBytes > 0 && (
          <p className="small bad gap-top" role="status">
            {t('fit.missing', { size: gib(missingBytes) })}
          </p>
        )}
      </section>
      <section className="sect">
        <Slide
          label={t('fit.context')}
          value={length}
          min={Math.min(STEP, mostContext)}
          max={mostContext}
          step={Math.min(STEP, mostContext)}
          shown={
            <>
              {kilo(length)} <span className="u">tok</span>
            </>
          }
          text={`${kilo(length)} tok`}
          onChange={setContext}
          onDone={(context) => setAsked((before) => ({ ...before, context }))}
        />
        <Slide
          label={t('fit.atOnce')}
          value={sequences}
          min={1}
          max={Math.max(16, Math.min(256, shown.sequences * 2))}
          step={1}
          shown={number(sequences)}
          text={number(sequences)}
          onChange={setAtOnce}
        />
        {part !== null && (
          <Slide
            label={t('fit.share')}
            value={Math.round(part * 100)}
            min={5}
            max={100}
            step={1}
            shown={
              <>
                {number(part * 100)} <span className="u">%</span>
              </>
            }
            text={`${number(part * 100)} %`}
            onChange={(percent) => setShare(percent / 100)}
            onDone={(percent) => setAsked((before) => ({ ...before, share: percent / 100 }))}
          />
        )}
        <p className="small mid gap-top">
          {own > 0
            ? t('fit.runsNow')
            : shown.longestContext === 0
              ? t('fit.notEvenWeights')
              : t('fit.says', {
                  sequences: number(shown.sequences),
                  context: kilo(shown.context),
                  longest: kilo(shown.longestContext),
                })}
        </p>
        {own === 0 &&
          shown.advice.map((line) => (
            <p key={line} className="small mid">
              {t.said(line)}
            </p>
          ))}
      </section>
      <section className="sect">
        <h3>{t('fit.against')}</h3>
        {shown.measured === null ? (
          <p className="small dim">{t('fit.neverMeasured')}</p>
        ) : (
          <Facts
            facts={[
              [
                t('fit.peak'),
                t('fit.measured', {
                  expected: gib(shown.neededBytes),
                  measured: gib(shown.measured.neededBytes),
                  error: signedPercent(shown.measured.errorRatio) || '0 %',
                }),
              ],
              [t('fit.when'), moment(shown.measured.at, new Date(), t.language)],
            ]}
          />
        )}
      </section>
      {engine !== null && engine.kind === 'vllm' && (
        <section className="sect row">
          <Button disabled={!canApply} onClick={() => void apply()}>
            {t(canRestart(engine.state) ? 'launch.apply' : 'verb.save')}
          </Button>
          <span className="small dim">
            {canApply
              ? Object.entries(change)
                  .map(([name, value]) => `--${name} ${value}`)
                  .join('  ')
              : t('launch.same')}
          </span>
        </section>
      )}
    </>
  )
}

function howOf(parts: readonly { name: string; how: string }[], name: string): string | null {
  return parts.find((part) => part.name === name)?.how ?? null
}
