import { useEffect, useRef, useState } from 'react'
import { useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Icon } from '../components/Icon.tsx'
import { Button, Empty, Segmented, Select } from '../components/kit.tsx'
import { clock, duration, NONE } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { heard, newRun, PROOF_MS, proofOf, type Run } from '../view-models/connect.ts'
import { beforeAnswer, chatModels } from '../view-models/models.ts'
import { doors } from '../view-models/people.ts'
import { SNIPPET_KINDS, SNIPPET_TITLES, type SnippetKind, snippet } from '../view-models/snippets.ts'

const HELLO = [{ role: 'user', content: 'Hello' }]
/** Enough to see that it answers. */
const FEW_TOKENS = { max_tokens: 256 }

/** Code to paste, and proof that it works from here. */
export function Connect() {
  const t = useT()
  const { models, server } = useSnapshot()
  const [kind, setKind] = useState<SnippetKind>('curl')
  const [chosen, setChosen] = useState<string | null>(null)
  const copy = useCopy()
  const { client, link } = useWorld()
  const isLive = useStore(link).is === 'live'
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000 })
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
  const text = snippet(kind, { address: server.address, model, messages: HELLO, needsKey, parameters: FEW_TOKENS })
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
          options={SNIPPET_KINDS.map((value) => ({ value, label: SNIPPET_TITLES[value] }))}
        />
        <Select
          label={t('connect.model')}
          value={model}
          onChange={setChosen}
          options={names.map((value) => ({ value, label: value }))}
        />
        <span className="row push">
          <Button small onClick={() => copy(text)}>
            {t('verb.copy')}
          </Button>
          {kind !== 'env' && (
            <Button small busy={proof === 'busy'} title={t('connect.runWhy')} onClick={() => send(text, asks)}>
              {t(proof === 'busy' ? 'connect.running' : 'connect.run')}
            </Button>
          )}
        </span>
      </div>
      <pre className="code">{text}</pre>
      {meets !== null && <p className="small dim gap-top">{t(meets)}</p>}
      {needsKey && <p className="small warn gap-top">{t('connect.keyNeeded')}</p>}
    </section>
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
