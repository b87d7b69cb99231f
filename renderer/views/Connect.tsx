import { useEffect, useRef, useState } from 'react'
import { useCopy, useToasts } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Icon } from '../components/Icon.tsx'
import { Button, Dialog, Empty, Segmented, Select } from '../components/kit.tsx'
import { clock, duration, NONE } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { heard, newRun, PROOF_MS, proofOf, type Run } from '../view-models/connect.ts'
import { reasonOf } from '../view-models/log.ts'
import { beforeAnswer, chatModels } from '../view-models/models.ts'
import { callers, doors } from '../view-models/people.ts'
import {
  EDITORS,
  type Editor,
  editorSettings,
  SNIPPET_KINDS,
  SNIPPET_TITLES,
  type SnippetKind,
  snippet,
  YOUR_KEY,
} from '../view-models/snippets.ts'

const HELLO = [{ role: 'user', content: 'Hello' }]
/** Enough to see that it answers. */
const FEW_TOKENS = { max_tokens: 256 }

/** A key that is yet to be made, in view. */
const MASKED = '••••••••'

/** Code to paste, and proof that it works from here. */
export function Connect() {
  const t = useT()
  const { models, server } = useSnapshot()
  const [kind, setKind] = useState<SnippetKind | 'editor'>('curl')
  const [editor, setEditor] = useState<Editor>('continue')
  const [whose, setWhose] = useState('')
  const [asking, setAsking] = useState(false)
  const [chosen, setChosen] = useState<string | null>(null)
  const copy = useCopy()
  const { client, link } = useWorld()
  const isLive = useStore(link).is === 'live'
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000 })
  const users = useAsked(async () => (await client.commands.listUsers()).users)
  const people = callers(users.value ?? [], Date.now())
  const { run, send } = useRun()
  const names = chatModels(models)
  const model = chosen !== null && names.includes(chosen) ? chosen : names[0]
  if (model === undefined) {
    return (
      <section className="sect half-right" aria-label={t('connect.title')}>
        <h3>{t('connect.title')}</h3>
        <Empty title={t('connect.noModel')}>{t('connect.noModelWhy')}</Empty>
      </section>
    )
  }
  const needsKey = config.value !== null && doors(config.value).localhost.may === 'none'
  const meets = beforeAnswer(models, model)
  const asks = { model, messages: HELLO, ...FEW_TOKENS }
  const textWith = (key: string | null): string => {
    const at = { address: server.address, model, key }
    if (kind !== 'editor') return snippet(kind, { ...at, messages: HELLO, parameters: FEW_TOKENS })
    return editorSettings(editor, { ...at, context: models.find(({ id }) => id === model)?.max_model_len ?? null })
  }
  const user = people.includes(whose) ? whose : null
  const text = textWith(user !== null ? MASKED : needsKey ? YOUR_KEY : null)
  const proof = proofOf(run, { snippet: text, models, isLive, at: Date.now() })
  return (
    <section className="sect half-right" aria-label={t('connect.title')}>
      <h3>
        <span>{t('connect.title')}</span>
        <span className="connect-result" role="status">
          {run !== null && proof === 'ok' && (
            <span className="row ok tight">
              <Icon name="check" />
              {t('connect.ok', {
                status: run.status ?? NONE,
                took: duration(run.endedAt! - run.sentAt),
                tokens: run.tokens ?? NONE,
                time: clock(run.endedAt!),
              })}
            </span>
          )}
          {run !== null && proof === 'failed' && (
            <span className="bad clip">
              {t('connect.failed', { status: run.status ?? NONE, reason: run.problem ?? '' })}
            </span>
          )}
          {(proof === 'offline' || proof === 'down' || proof === 'changed' || proof === 'old') && (
            <span className="dim clip">{t(`connect.gone.${proof}`)}</span>
          )}
        </span>
      </h3>
      <div className="row connect-bar">
        <Segmented
          label={t('connect.kind')}
          value={kind}
          onChange={setKind}
          options={[
            ...SNIPPET_KINDS.map((value) => ({ value, label: SNIPPET_TITLES[value] })),
            { value: 'editor', label: t('connect.editor') },
          ]}
        />
        {kind === 'editor' && (
          <Select
            label={t('connect.editor')}
            value={editor}
            onChange={(next) => setEditor(next as Editor)}
            options={Object.entries(EDITORS).map(([value, label]) => ({ value, label }))}
          />
        )}
        <Select
          label={t('connect.model')}
          value={model}
          onChange={setChosen}
          options={names.map((value) => ({ value, label: value }))}
        />
        {people.length > 0 && (
          <Select
            label={t('connect.key')}
            value={user ?? ''}
            onChange={setWhose}
            options={[
              { value: '', label: needsKey ? YOUR_KEY : t('connect.noKey') },
              ...people.map((value) => ({ value, label: t('connect.newKey', { user: value }) })),
            ]}
          />
        )}
        <span className="row push">
          <Button small onClick={() => (user === null ? void copy(text) : setAsking(true))}>
            {t('verb.copy')}
          </Button>
          {kind !== 'env' && kind !== 'editor' && (
            <Button small busy={proof === 'busy'} title={t('connect.runWhy')} onClick={() => send(text, asks)}>
              {t(proof === 'busy' ? 'connect.running' : 'connect.run')}
            </Button>
          )}
        </span>
      </div>
      <pre className="code">{text}</pre>
      {meets !== null && <p className="small dim gap-top">{t(meets)}</p>}
      {needsKey && user === null && <p className="small warn gap-top">{t('connect.keyNeeded')}</p>}
      {asking && user !== null && <NewKeyCopy user={user} textWith={textWith} onClose={() => setAsking(false)} />}
    </section>
  )
}

/** A key is shown once only, so one that is to stand in what is copied has to be made. */
function NewKeyCopy({
  user,
  textWith,
  onClose,
}: {
  user: string
  textWith: (key: string) => string
  onClose: () => void
}) {
  const t = useT()
  const copy = useCopy()
  const toasts = useToasts()
  const { client } = useWorld()
  const [busy, setBusy] = useState(false)
  const make = async (): Promise<void> => {
    setBusy(true)
    try {
      const { key, secret } = await client.commands.createKey({ user, label: 'connect' })
      // Nobody has it then, and nobody would.
      if (!(await copy(textWith(secret)))) await client.commands.revokeKey({ id: key.id })
    } catch (error) {
      toasts.fail(t('failed.command', { reason: t.said(reasonOf(error)) }))
    }
    onClose()
  }
  return (
    <Dialog
      open
      onClose={() => !busy && onClose()}
      title={t('connect.copyKey', { user })}
      footer={
        <>
          <Button disabled={busy} onClick={onClose}>
            {t('verb.cancel')}
          </Button>
          <Button look="first" busy={busy} onClick={() => void make()}>
            {t('connect.copyKeyYes')}
          </Button>
        </>
      }
    >
      <p>{t('connect.copyKeyWhy', { user })}</p>
    </Dialog>
  )
}

/** One request at a time, sent as it stands in the snippet. It is looked at again when it has proven something for long enough. */
function useRun(): { run: Run | null; send: (snippet: string, asks: { model: string }) => void } {
  const { client } = useWorld()
  const [run, setRun] = useState<Run | null>(null)
  const [, setOld] = useState(0)
  const end = useRef<(() => void) | null>(null)
  useEffect(() => () => end.current?.(), [])
  const endedAt = run?.endedAt ?? null
  useEffect(() => {
    if (endedAt === null) return
    const timer = setTimeout(() => setOld(endedAt), endedAt + PROOF_MS - Date.now())
    return () => clearTimeout(timer)
  }, [endedAt])
  const send = (snippet: string, asks: { model: string }): void => {
    end.current?.()
    setRun(newRun(snippet, asks.model, Date.now()))
    const headers = { 'x-lexora-app': 'try-it' }
    const request = { path: '/v1/chat/completions' as const, body: JSON.stringify(asks), headers, key: null }
    end.current = client.send(request, (news) => setRun((run) => run && heard(run, news, Date.now())))
  }
  return { run, send }
}
