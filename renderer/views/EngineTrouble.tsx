import { useState } from 'react'
import type { EngineView } from '../../src/protocol/engine.ts'
import type { GpuHolderView } from '../../src/protocol/snapshot.ts'
import { useActions, useToasts } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { StateMark } from '../components/Icon.tsx'
import { Button, Dialog } from '../components/kit.tsx'
import { duration, gib } from '../format.ts'
import { type MessageKey, useT } from '../i18n/index.ts'
import { usePolled } from '../polled.ts'
import { goTo } from '../route.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { shapeOf } from '../view-models/frame.ts'
import { adoption, callersSay, portsToTry, type TroubleVerb, troubleVerbs } from '../view-models/remedy.ts'
import { causeTitle } from '../view-models/start.ts'
import { Linked, Page } from './Outward.tsx'

const WORDS: Record<Exclude<TroubleVerb['do'], 'change' | 'free-port' | 'licence'>, MessageKey> = {
  start: 'fail.restart',
  holders: 'fail.holders',
  log: 'fail.openLog',
  adopt: 'fail.adopt',
  install: 'fail.install',
  versions: 'fail.versions',
  files: 'fail.files',
  data: 'fail.data',
  diagnostics: 'verb.diagnostics',
}

/** An engine that cannot run: the cause, what to do, what callers get, and the lines that told. `isAlone`: nothing else serves. */
export function EngineTrouble({ engine, isAlone }: { engine: EngineView; isAlone: boolean }) {
  const t = useT()
  const snapshot = useSnapshot()
  const { name, model, state } = engine
  const failure = 'failure' in state ? state.failure : null
  const { verbs, first } = troubleVerbs(engine, t)
  const title = failure === null ? null : causeTitle(failure.class, t)
  const says =
    state.is === 'foreign'
      ? t('fail.foreign', {
          program: state.holder.program ?? '?',
          pid: state.holder.pid ?? '?',
          port: state.holder.port,
        })
      : t.said(failure?.cause ?? '')
  const more =
    state.is === 'backoff'
      ? t('fail.willRetry', { left: duration(state.retryInMs) })
      : state.is === 'failed' && failure !== null && !failure.canHeal
        ? t('fail.wontHeal')
        : ''
  const Title = isAlone ? 'h1' : 'h2'
  const log = `requests/engine-log/${encodeURIComponent(name)}/error`
  return (
    <>
      <section className={isAlone ? 'fail' : 'fail is-beside'} role="alert">
        <div>
          <div className="row fail-head">
            <StateMark shape={shapeOf(state)} large />
            <Title>
              {t('fail.title', { engine: model ?? name })}
              {title !== null && ` · ${title}`}
            </Title>
          </div>
          <p className="mid gap-top">
            <Linked text={says} /> {more}
          </p>
          {failure?.fix != null && (
            <p className="gap-top">
              <Linked text={t.said(failure.fix)} />
            </p>
          )}
          <div className="row gap-top fail-verbs">
            {verbs.map((verb, i) => (
              <Verb key={verb.do} verb={verb} engine={engine} look={first && i === 0 ? 'first' : 'plain'} log={log} />
            ))}
          </div>
        </div>
      </section>
      {isAlone && <h2 className="sr">{t('nav.dashboard')}</h2>}
      <div className="banner">
        <span className="grow mid">{callersSay(engine, snapshot, t)}</span>
        <a className="link small nowrap" href={`#/${log}`}>
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
    </>
  )
}

type VerbProps = { verb: TroubleVerb; engine: EngineView; look: 'first' | 'plain'; log: string }

function Verb({ verb, engine: { name, state }, look, log }: VerbProps) {
  const t = useT()
  const actions = useActions()
  const toasts = useToasts()
  const { client } = useWorld()
  const [asked, setAsked] = useState(false)
  const [busy, setBusy] = useState(false)
  const save = async (changes: { path: string; value: unknown }[], done: string, start: boolean): Promise<void> => {
    setBusy(true)
    const saved = await actions.told(client.commands.setConfig({ changes }))
    if (saved && (!start || (await actions.told(client.commands.startEngine({ engine: name }))))) toasts.say(done)
    setBusy(false)
  }
  const applied = t('fail.applied', { engine: name })
  if (verb.do === 'licence') return <Page url={verb.url} look={look} />
  if (verb.do === 'change')
    return (
      <Button look={look} busy={busy} onClick={() => void save(verb.remedy.changes, applied, true)}>
        {verb.remedy.words}
      </Button>
    )
  if (state.is === 'foreign' && verb.do === 'free-port')
    return (
      <FreePort
        taken={state.holder.port}
        look={look}
        busy={busy}
        onUse={(port) => void save([{ path: `engines.${name}.port`, value: port }], applied, true)}
      />
    )
  if (state.is === 'foreign' && verb.do === 'adopt')
    return (
      <Adopt
        port={state.holder.port}
        busy={busy}
        onUse={(changes, url) => void save(changes, t('fail.adopted', { url }), false)}
        onStart={() => void actions.start(name)}
      />
    )
  if (verb.do === 'free-port') return null
  const act = (): void => {
    switch (verb.do) {
      case 'start':
        return void actions.start(name)
      case 'holders':
        return setAsked(true)
      case 'install':
      case 'versions':
        return goTo('models', 'engine-versions')
      case 'files':
        return goTo('models', `${encodeURIComponent(`engine:${name}`)}/files`)
      case 'data':
        return goTo('settings', 'data')
      case 'diagnostics':
        return goTo('diagnostics')
      default:
        location.hash = `/${log}`
    }
  }
  return (
    <>
      <Button look={look} onClick={act}>
        {t(WORDS[verb.do])}
      </Button>
      {asked && <Holders onClose={() => setAsked(false)} />}
    </>
  )
}

/** The next port of this machine that nobody listens on. */
function FreePort(props: { taken: number; look: 'first' | 'plain'; busy: boolean; onUse: (port: number) => void }) {
  const { taken, look, busy, onUse } = props
  const t = useT()
  const { client } = useWorld()
  const { value } = useAsked(
    async () => {
      for (const port of portsToTry(taken)) {
        if ((await client.commands.checkPort({ port })).state === 'free') return port
      }
      return null
    },
    { everyMs: 15_000, key: String(taken) },
  )
  if (value === null) return null
  return (
    <Button look={look} busy={busy} onClick={() => onUse(value)}>
      {t('fail.freePort', { port: value })}
    </Button>
  )
}

/** The server that holds the port as a backend, where that puts no other one out of use; else another try. */
function Adopt(props: {
  port: number
  busy: boolean
  onUse: (changes: { path: string; value: unknown }[], url: string) => void
  onStart: () => void
}) {
  const { port, busy, onUse, onStart } = props
  const t = useT()
  const { client } = useWorld()
  const { value } = useAsked(async () => await client.commands.getConfig(), { key: String(port) })
  const changes = value === null ? null : adoption(port, value.entries)
  if (changes === null) return <Button onClick={onStart}>{t('fail.restart')}</Button>
  return (
    <Button busy={busy} onClick={() => onUse(changes, `http://127.0.0.1:${port}`)}>
      {t('fail.adopt')}
    </Button>
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
