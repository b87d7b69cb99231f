import { useState } from 'react'
import { type EngineView, isComing } from '../../src/protocol/engine.ts'
import type { GpuHolderView } from '../../src/protocol/snapshot.ts'
import { useActions, useToasts } from '../actions.ts'
import { StateMark } from '../components/Icon.tsx'
import { Button, Dialog } from '../components/kit.tsx'
import { duration, gib } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { usePolled } from '../polled.ts'
import { goTo } from '../route.ts'
import { useWorld } from '../stores.ts'
import { shapeOf } from '../view-models/frame.ts'
import { remedyOf } from '../view-models/remedy.ts'

const OF_MEMORY = /vram|memory|kv|ctx/

/** An engine that cannot run: the cause, what to do, what callers get, and the lines that told. */
export function EngineTrouble({ engine }: { engine: EngineView }) {
  const t = useT()
  const actions = useActions()
  const toasts = useToasts()
  const { client } = useWorld()
  const [asked, setAsked] = useState(false)
  const [busy, setBusy] = useState(false)
  const { name, model, state } = engine
  const failure = 'failure' in state ? state.failure : null
  const remedy = remedyOf(name, failure, t)
  const mend = async (): Promise<void> => {
    setBusy(true)
    const saved = await actions.told(client.commands.setConfig({ changes: remedy?.changes ?? [] }))
    if (saved && (await actions.told(client.commands.startEngine({ engine: name }))))
      toasts.say(t('fail.applied', { engine: name }))
    setBusy(false)
  }
  const shown = model ?? name
  const says =
    state.is === 'foreign'
      ? t('fail.foreign', {
          program: state.holder.program ?? '?',
          pid: state.holder.pid ?? '?',
          port: state.holder.port,
        })
      : (failure?.cause ?? '')
  const more =
    state.is === 'backoff'
      ? t('fail.willRetry', { left: duration(state.retryInMs) })
      : failure !== null && !failure.canHeal
        ? t('fail.wontHeal')
        : ''
  return (
    <>
      <section className="fail" role="alert">
        <div>
          <div className="row fail-head">
            <StateMark shape={shapeOf(state)} large />
            <h1>{t('fail.title', { engine: shown })}</h1>
          </div>
          <p className="mid gap-top">
            {says} {more}
          </p>
          {failure?.fix != null && <p className="gap-top">{failure.fix}</p>}
          <div className="row gap-top fail-verbs">
            {remedy === null ? (
              <Button look="first" onClick={() => void actions.start(name)}>
                {t('fail.restart')}
              </Button>
            ) : (
              <Button look="first" busy={busy} onClick={() => void mend()}>
                {remedy.words}
              </Button>
            )}
            {failure !== null && OF_MEMORY.test(failure.class) ? (
              <Button onClick={() => setAsked(true)}>{t('fail.holders')}</Button>
            ) : (
              <Button onClick={() => goTo('requests', 'engine-log')}>{t('fail.openLog')}</Button>
            )}
          </div>
        </div>
      </section>
      <h2 className="sr">{t('nav.dashboard')}</h2>
      <div className="banner">
        <span className="grow mid">
          {isComing(state) ? t('fail.callersWait') : t('fail.callers', { model: shown })}
        </span>
        <a className="link small nowrap" href="#/requests/engine-log">
          {t('requests.engineLog')}
        </a>
      </div>
      {failure !== null && failure.lines.length > 0 && (
        <div className="log line-b">
          {failure.lines.slice(-3).map((line) => (
            <p key={line} className="log-tail">
              {line}
            </p>
          ))}
        </div>
      )}
      {asked && <Holders onClose={() => setAsked(false)} />}
    </>
  )
}

function Holders({ onClose }: { onClose: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const holders = usePolled(async () => (await client.commands.gpu({ who: true })).holders ?? [], 3000)
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('holders.title')}
      footer={<Button onClick={onClose}>{t('verb.close')}</Button>}
    >
      {holders !== null && holders.length === 0 && <p>{t('holders.none')}</p>}
      <ul className="small">
        {holders?.map((holder) => (
          <Holder key={holder.pid} holder={holder} />
        ))}
      </ul>
    </Dialog>
  )
}

function Holder({ holder: { pid, program, bytes, engine } }: { holder: GpuHolderView }) {
  const t = useT()
  return (
    <li className="row holder">
      <i className={engine === null ? 'p4' : 'p1'} />
      <span className="grow clip">
        {program} <span className="dim">{t('holders.pid', { pid })}</span>
        {engine !== null && <span className="dim"> · {t('holders.ours', { engine })}</span>}
      </span>
      <span>
        {gib(bytes)} <span className="u">GiB</span>
      </span>
    </li>
  )
}
