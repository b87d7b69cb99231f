import { useState } from 'react'
import { useCopy } from '../actions.ts'
import { Icon } from '../components/Icon.tsx'
import { Button, Empty, Segmented, Select } from '../components/kit.tsx'
import { clock, duration, NONE } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot } from '../stores.ts'
import { useChat } from '../use-chat.ts'
import { beforeAnswer, chatModels } from '../view-models/models.ts'
import { SNIPPET_KINDS, SNIPPET_TITLES, type SnippetKind, snippet } from '../view-models/snippets.ts'

const HELLO = [{ role: 'user', content: 'Hello' }]
/** Enough to see that it answers. */
const FEW_TOKENS = { max_tokens: 64 }

/** Code to paste, and proof that it works from here. */
export function Connect() {
  const t = useT()
  const { models, server } = useSnapshot()
  const [kind, setKind] = useState<SnippetKind>('curl')
  const [chosen, setChosen] = useState<string | null>(null)
  const copy = useCopy()
  const { chat, send } = useChat()
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
  const needsKey = chat?.status === 401
  const text = snippet(kind, { address: server.address, model, messages: HELLO, needsKey })
  const meets = beforeAnswer(models, model)
  const isBusy = chat !== null && chat.endedAt === null
  return (
    <section className="sect half-right" aria-label={t('connect.title')}>
      <h3>
        <span>{t('connect.title')}</span>
        <span className="connect-result" role="status">
          {chat?.is === 'done' && (
            <span className="row ok tight">
              <Icon name="check" />
              {t('connect.ok', {
                status: chat.status ?? NONE,
                ttft: chat.firstAt === null ? NONE : duration(chat.firstAt - chat.sentAt),
                tokens: chat.usage?.completion ?? NONE,
                time: clock(performance.timeOrigin + chat.endedAt!),
              })}
            </span>
          )}
          {(chat?.is === 'refused' || chat?.is === 'cut') && (
            <span className="bad clip">
              {t('connect.failed', {
                status: chat.status ?? NONE,
                reason: chat.problem?.code || chat.problem?.message || '',
              })}
            </span>
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
          <Button small busy={isBusy} onClick={() => send({ model, messages: HELLO, parameters: FEW_TOKENS })}>
            {t(isBusy ? 'connect.running' : 'connect.run')}
          </Button>
        </span>
      </div>
      <pre className="code">{text}</pre>
      {meets !== null && <p className="small dim gap-top">{t(meets)}</p>}
      {needsKey && <p className="small warn gap-top">{t('connect.keyNeeded')}</p>}
    </section>
  )
}
