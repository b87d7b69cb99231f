import { useEffect, useState } from 'react'
import { isPullOpen } from '../../src/protocol/models.ts'
import { shortName } from '../../src/protocol/new-engine.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Icon, Mark, StateMark } from '../components/Icon.tsx'
import { Banner, Button, Empty, Skeleton, Switch } from '../components/kit.tsx'
import { firstRun, stepFirstRun } from '../first-run-store.ts'
import { duration, gib, gigabytes } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { goTo } from '../route.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { useFits, useModels, useStartModel } from '../use-models.ts'
import { fitLook, presetRows } from '../view-models/catalogue.ts'
import { isRunning, STEPS, type Step, stepLook } from '../view-models/first-run.ts'
import { engineWords, gpuTotals, shapeOf } from '../view-models/frame.ts'
import { pullText } from '../view-models/pull-text.ts'
import { liveRows, startRows } from '../view-models/start.ts'
import { Connect } from './Connect.tsx'
import { DesktopSettings } from './DesktopSettings.tsx'
import { EngineStep, MachineStep } from './FirstRunMachine.tsx'
import { Fall, useWatchedStart } from './LastStart.tsx'
import { ToLan } from './ToLan.tsx'

/** From nothing to a first answer. Every step can be passed over, and it goes on where it was left. */
export function FirstRun() {
  const t = useT()
  const state = useStore(firstRun)
  const snapshot = useSnapshot()
  const at = STEPS.indexOf(state.step)
  useEffect(() => {
    document.title = `${t('first.title')} · Lexora`
  }, [t])
  const leave = (how: 'later' | 'finish'): void => {
    stepFirstRun({ do: how })
    goTo('dashboard')
  }
  const isLast = state.step === 'choices'
  const isWaiting = state.step === 'start' && !isRunning(state, snapshot)
  return (
    <div className="wiz">
      <aside className="wiz-l" aria-label={t('first.steps')}>
        <div className="row wiz-brand">
          <Mark />
          <span className="strong">Lexora</span>
        </div>
        <ol className="steps">
          {STEPS.map((step) => {
            const look = stepLook(step, state, snapshot)
            return (
              <li key={step} className={look} aria-current={look === 'cur' ? 'step' : undefined}>
                {t(`first.step.${step}`)}
                {look === 'skipped' && <span className="micro dim"> {t('first.skipped')}</span>}
              </li>
            )
          })}
        </ol>
      </aside>
      <main className="wiz-b" tabIndex={-1}>
        <h1>{t(`first.head.${state.step}`)}</h1>
        <p className="mid wiz-why">{t(`first.why.${state.step}`)}</p>
        <Body step={state.step} />
      </main>
      <footer className="wiz-f">
        <Button look="quiet" onClick={() => leave('later')}>
          {t('first.later')}
        </Button>
        <span className="grow" />
        <Button onClick={() => stepFirstRun({ do: 'back' })} disabled={at === 0}>
          {t('first.back')}
        </Button>
        {isLast ? (
          <Button look="first" onClick={() => leave('finish')}>
            {t('first.finish')}
          </Button>
        ) : (
          <Button look={isWaiting ? 'plain' : 'first'} onClick={() => stepFirstRun({ do: 'next' })}>
            {t(isWaiting ? 'first.skip' : 'first.next')}
          </Button>
        )}
      </footer>
    </div>
  )
}

function Body({ step }: { step: Step }) {
  switch (step) {
    case 'machine':
      return <MachineStep />
    case 'engine':
      return <EngineStep />
    case 'model':
      return <ModelStep />
    case 'start':
      return <StartStep />
    case 'request':
      return (
        <div className="wiz-wide">
          <Connect />
        </div>
      )
    case 'choices':
      return <ChoicesStep />
  }
}

const PROPOSED = 4

function ModelStep() {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { engines, gpu } = useSnapshot()
  const { models, presets, pulls, again } = useModels()
  const fits = useFits(models.value, '')
  const start = useStartModel()
  const [busy, setBusy] = useState<string | null>(null)
  if (models.value === null)
    return models.failed === null ? (
      <Skeleton rows={4} height={44} />
    ) : (
      <Empty bad title={t('models.failed')}>
        {models.failed}
      </Empty>
    )
  const here = models.value.filter(({ complete }) => complete)
  const wanting = (presets.value ?? []).filter(({ installed }) => !installed)
  const proposed = presetRows(wanting, gpu.is === 'read' ? gpuTotals(gpu.gpus).total : null).slice(0, PROPOSED)
  const choose = async (id: string): Promise<void> => {
    const model = here.find((one) => one.id === id)
    if (model === undefined) return
    setBusy(id)
    const engine = engines.find(({ name }) => model.usedBy.includes(name))?.name ?? null
    const preset = presets.value?.find(({ repo }) => repo === model.id) ?? null
    const name = await start(model, engine, preset)
    setBusy(null)
    if (name !== null) stepFirstRun({ do: 'chosen', engine: name })
  }
  return (
    <>
      <h2 className="wiz-h2">{t('first.here')}</h2>
      {here.length === 0 && <p className="small dim">{t('first.noneHere')}</p>}
      <ul className="choices">
        {here.map(({ id, bytes }) => {
          const fit = fits.get(id)
          const { look, spareBytes, neededBytes } = fitLook(fit ?? null)
          return (
            <li key={id} className="row">
              <span className="col grow two-line">
                <span className="strong name clip">{shortName(id)}</span>
                <span className="micro dim clip">
                  {id} · {gigabytes(bytes)}
                </span>
              </span>
              <span className="col two-line nowrap">
                <span className={look === 'no' ? 'bad' : look === 'tight' ? 'warn' : ''}>
                  {fit === undefined ? '…' : t(`fit.${look}`)}
                </span>
                <span className="micro dim">
                  {look === 'no'
                    ? t('fit.needs', { size: gib(neededBytes) })
                    : spareBytes === null
                      ? ''
                      : t('fit.spare', { size: gib(spareBytes) })}
                </span>
              </span>
              <Button onClick={() => void choose(id)} busy={busy === id} disabled={busy !== null}>
                {t('first.choose')}
              </Button>
            </li>
          )
        })}
        {pulls.filter(isPullOpen).map((pull) => (
          <li key={pull.id} className="row">
            <Icon name="down" />
            <span className="col grow two-line">
              <span className="strong name clip">{shortName(pull.repo)}</span>
              <span className="micro dim clip">{pullText({ pull }, t)}</span>
            </span>
            {pull.state === 'held' && (
              <Button small onClick={() => void told(client.commands.resumePull({ id: pull.id })).then(again)}>
                {t('pull.goOn')}
              </Button>
            )}
            <Button small onClick={() => void told(client.commands.cancelPull({ id: pull.id })).then(again)}>
              {t('verb.cancel')}
            </Button>
          </li>
        ))}
      </ul>
      <h2 className="wiz-h2">{t('first.proposed')}</h2>
      <ul className="choices">
        {proposed.map(({ preset: { id, title, repo, bytes, minVramBytes, note }, fits }) => (
          <li key={id} className="row">
            <span className="col grow two-line">
              <span className="strong clip">{title}</span>
              <span className="micro dim clip">{note}</span>
            </span>
            <span className="col two-line nowrap small">
              <span>{gigabytes(bytes)}</span>
              <span className={`micro ${fits === false ? 'bad' : 'dim'}`}>
                {t('fit.needs', { size: gib(minVramBytes) })}
              </span>
            </span>
            <Button
              onClick={() =>
                void told(client.commands.pullModel({ repo }), t('presets.coming', { name: title })).then(again)
              }
            >
              {t('presets.fetch')}
            </Button>
          </li>
        ))}
      </ul>
      <p className="small dim gap-top">{t('first.noModel')}</p>
    </>
  )
}

/** The phases of this start as they come, and the last words of its log. */
function StartStep() {
  const t = useT()
  const { client } = useWorld()
  const actions = useActions()
  const { engines, queues } = useSnapshot()
  const { engine: name } = useStore(firstRun)
  const engine = engines.find((one) => one.name === name) ?? null
  const starts = useAsked(
    async () => (name === null ? [] : (await client.commands.engineStarts({ engine: name })).starts),
    { everyMs: 1500, key: `${name} ${engine?.state.is ?? ''}` },
  )
  const log = useAsked(
    async () => (name === null ? [] : (await client.commands.engineLog({ engine: name, lines: 4 })).lines),
    {
      everyMs: 1500,
      key: name ?? '',
    },
  )
  const watched = useWatchedStart(engine)
  if (engine === null) return <Empty title={t('first.noEngine')}>{t('first.noEngineWhy')}</Empty>
  const { state } = engine
  const [last] = starts.value ?? []
  const failure = 'failure' in state ? state.failure : null
  return (
    <>
      <p className="row" role="status">
        <StateMark shape={shapeOf(state)} /> <span className="strong">{engineWords(engine, queues, t)}</span>
        {state.is === 'starting' && state.leftMs !== null && (
          <span className="dim small">{t('pull.left', { left: duration(state.leftMs) })}</span>
        )}
      </p>
      {(state.is === 'starting' || state.is === 'preflight') && (
        <Button small onClick={() => void actions.stop(engine.name)}>
          {t('verb.cancelStart')}
        </Button>
      )}
      {state.is === 'stopped' && (
        <Button small onClick={() => void actions.start(engine.name)}>
          {t('verb.start')}
        </Button>
      )}
      {state.is === 'starting' && (
        <div
          className="meter wiz-meter"
          role="progressbar"
          aria-label={t('first.head.start')}
          aria-valuenow={Math.round(state.percent)}
        >
          <i className="is-coming" style={{ width: `${state.percent}%` }} />
        </div>
      )}
      {failure !== null && (
        <Banner
          look="bad"
          actions={
            <Button small onClick={() => void actions.start(engine.name)}>
              {t('fail.restart')}
            </Button>
          }
        >
          {t.said(failure.cause)} {failure.fix !== null && t.said(failure.fix)}
        </Banner>
      )}
      <div className="wiz-fall">
        {watched !== null && state.is === 'starting' ? (
          <Fall rows={liveRows(watched, state.leftMs, Date.now())} current={state.phase} />
        ) : (
          last !== undefined && <Fall rows={startRows(last)} />
        )}
      </div>
      {log.value !== null && log.value.length > 0 && (
        <pre className="code small wiz-log">{log.value.slice(-4).join('\n')}</pre>
      )}
    </>
  )
}

function ChoicesStep() {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { engine } = useStore(firstRun)
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000 })
  const path = `engines.${engine}.autostart`
  const autostart = config.value?.entries.find((entry) => entry.path === path)
  const set = async (value: boolean): Promise<void> => {
    await told(client.commands.setConfig({ changes: [{ path, value }] }))
    await config.again()
  }
  return (
    <div className="wiz-sets">
      {autostart !== undefined && (
        <div className="set">
          <div className="set-t">
            <div className="set-label">{t('first.autostart', { engine: engine ?? '' })}</div>
            <p className="small dim">{t('first.autostartWhy')}</p>
          </div>
          <div className="set-c">
            <Switch
              label={t('first.autostart', { engine: engine ?? '' })}
              checked={autostart.value === true}
              onChange={(on) => void set(on)}
            />
          </div>
          <div />
        </div>
      )}
      <ToLan />
      <DesktopSettings only={['startAtLogin', 'onClose']} />
    </div>
  )
}
