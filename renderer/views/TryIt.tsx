import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Icon } from '../components/Icon.tsx'
import { Button, IconButton, Segmented, Select } from '../components/kit.tsx'
import { duration, NONE, number, withUnit } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import type { TryItStart } from '../try-it.ts'
import { useChat } from '../use-chat.ts'
import { type Chat, speedOf } from '../view-models/chat.ts'
import { chatModels } from '../view-models/models.ts'
import { SNIPPET_KINDS, SNIPPET_TITLES, type SnippetKind, snippet, YOUR_KEY } from '../view-models/snippets.ts'

/** A message to a model, by the same door as every client, and what it cost to answer. */
export function TryIt({ first, onClose }: { first: TryItStart; onClose: () => void }) {
  const t = useT()
  const { models, server } = useSnapshot()
  const names = chatModels(models)
  const [chosen, setChosen] = useState<string | null>(first.model ?? null)
  const { client } = useWorld()
  const users = useAsked(async () => (await client.commands.listUsers()).users)
  const people = (users.value ?? []).map(({ name }) => name)
  const [user, setUser] = useState(first.user ?? '')
  const [key, setKey] = useState('')
  const [system, setSystem] = useState(first.system ?? '')
  const [message, setMessage] = useState(first.message ?? '')
  const [asked, setAsked] = useState<string | null>(null)
  const [maxTokens, setMaxTokens] = useState('')
  const [temperature, setTemperature] = useState('')
  const [more, setMore] = useState(first.user !== undefined)
  const [code, setCode] = useState(false)
  /** Null: one answer at a time. */
  const [against, setAgainst] = useState<{ model: string; user: string } | null>(null)
  const { chat, send, stop, clear } = useChat()
  const other = useChat()
  const box = useRef<HTMLTextAreaElement>(null)
  const opener = useRef(document.activeElement)
  const model = chosen !== null && names.includes(chosen) ? chosen : names[0]
  const isOpen = (one: Chat | null): boolean => one !== null && one.endedAt === null
  const isBusy = isOpen(chat) || isOpen(other.chat)
  const messages = [
    ...(system === '' ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: message || asked || 'Hello' },
  ]
  const parameters = {
    ...(Number(maxTokens) > 0 ? { max_tokens: Math.floor(Number(maxTokens)) } : {}),
    ...(temperature !== '' && Number(temperature) >= 0 ? { temperature: Number(temperature) } : {}),
  }
  useEffect(() => {
    const back = opener.current
    box.current?.focus()
    return () => {
      if (back instanceof HTMLElement) back.focus()
    }
  }, [])
  useEffect(() => {
    if (chat?.status === 401) setMore(true)
  }, [chat?.status])
  const ask = (): void => {
    if (model === undefined || message.trim() === '' || isBusy) return
    setAsked(message)
    setMessage('')
    send({ model, messages, parameters, user, key })
    if (against !== null) other.send({ model: against.model, messages, parameters, user: against.user, key })
  }
  const stopAll = (): void => {
    stop()
    other.stop()
  }
  const forget = (): void => {
    clear()
    other.clear()
  }
  const compare = (): void => {
    other.stop()
    other.clear()
    setAgainst(against === null ? { model: names.find((name) => name !== model) ?? model ?? '', user } : null)
  }
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) ask()
    if (event.key === 'Escape' && !event.defaultPrevented) onClose()
  }
  return (
    <aside
      className={`drawer drawer-over${against === null ? '' : ' drawer-two'}`}
      aria-label={t('try.title')}
      data-region=""
      onKeyDown={onKey}
    >
      <div className="drawer-head">
        <h2>{t('try.title')}</h2>
        <span className="grow" />
        {chat !== null && !isBusy && (
          <Button small look="quiet" onClick={forget}>
            {t('try.clear')}
          </Button>
        )}
        {model !== undefined && (
          <Button small look="quiet" onClick={compare}>
            {t(against === null ? 'try.compare' : 'try.compareEnd')}
          </Button>
        )}
        <Button small look="quiet" onClick={() => setCode(!code)}>
          {t(code ? 'try.chat' : 'try.code')}
        </Button>
        <IconButton icon="close" label={t('verb.close')} onClick={onClose} />
      </div>
      <div className="bar line-b">
        {model === undefined ? (
          <span className="grow small dim">{t('try.noModel')}</span>
        ) : (
          <Select
            grow
            label={t('try.model')}
            value={model}
            onChange={setChosen}
            options={names.map((value) => ({ value, label: value }))}
          />
        )}
        {against !== null && (
          <Select
            grow
            label={t('try.other')}
            value={against.model}
            onChange={(next) => setAgainst({ ...against, model: next })}
            options={names.map((value) => ({ value, label: value }))}
          />
        )}
        <button
          type="button"
          className="btn btn-icon btn-small"
          aria-label={t('try.parameters')}
          title={t('try.parameters')}
          aria-expanded={more}
          onClick={() => setMore(!more)}
        >
          <Icon name="sliders" />
        </button>
      </div>
      {more && (
        <div className="try-more line-b small">
          <Field
            id="try-user"
            label={t('try.user')}
            hint={t('try.userHint')}
            value={user}
            onChange={setUser}
            choices={people}
          />
          {against !== null && (
            <Field
              id="try-other-user"
              label={t('try.otherUser')}
              hint={t('try.userHint')}
              value={against.user}
              onChange={(next) => setAgainst({ ...against, user: next })}
              choices={people}
            />
          )}
          <Field id="try-key" label={t('try.key')} hint={t('try.keyHint')} value={key} onChange={setKey} secret />
          <Field id="try-max" label={t('try.maxTokens')} hint="" value={maxTokens} onChange={setMaxTokens} numeric />
          <Field
            id="try-temp"
            label={t('try.temperature')}
            hint=""
            value={temperature}
            onChange={setTemperature}
            numeric
          />
          <Field
            id="try-system"
            label={t('try.system')}
            hint={t('try.systemHint')}
            value={system}
            onChange={setSystem}
            lines
          />
        </div>
      )}
      {against !== null && !code ? (
        <div className="try-two">
          {[
            { of: chat, name: model ?? '' },
            { of: other.chat, name: against.model },
          ].map(({ of, name }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: there are two, left and right
            <section key={index} aria-label={`${index + 1}: ${name}`}>
              <div className="try-body">
                <Talk chat={of} asked={asked} model={name} empty={t('try.emptyTwo')} />
              </div>
              <Figures chat={of} />
            </section>
          ))}
        </div>
      ) : (
        <div className="try-body">
          {code && model !== undefined ? (
            <Code
              of={{
                address: server.address,
                model,
                messages,
                key: key !== '' || chat?.status === 401 ? YOUR_KEY : null,
                parameters,
              }}
            />
          ) : (
            <Talk chat={chat} asked={asked} model={model ?? ''} empty={t('try.empty')} />
          )}
        </div>
      )}
      {(against === null || code) && <Figures chat={chat} />}
      <div className="try-send">
        <textarea
          ref={box}
          className="field area"
          aria-label={t('try.message')}
          placeholder={t('try.message')}
          value={message}
          rows={3}
          onChange={(event) => setMessage(event.target.value)}
        />
        <div className="row">
          <kbd className="kbd">Ctrl</kbd>
          <kbd className="kbd">Enter</kbd>
          <span className="small dim">{t('try.sends')}</span>
          <span className="grow" />
          {isBusy ? (
            <Button onClick={stopAll}>{t('try.stop')}</Button>
          ) : (
            <Button look="first" disabled={model === undefined || message.trim() === ''} onClick={ask}>
              {t('try.send')}
            </Button>
          )}
        </div>
      </div>
    </aside>
  )
}

function Talk({
  chat,
  asked,
  model,
  empty,
}: {
  chat: Chat | null
  asked: string | null
  model: string
  /** Stands there until something was asked. */
  empty: string
}) {
  const t = useT()
  if (chat === null || asked === null) return <p className="dim small">{empty}</p>
  return (
    <>
      <h3 className="micro dim">{t('try.you')}</h3>
      <p className="talk">{asked}</p>
      <h3 className="micro dim row spread">
        <span className="name">{model}</span>
        {(chat.is === 'waiting' || chat.is === 'answering') && <span role="status">{t(`try.${chat.is}`)}</span>}
      </h3>
      {chat.thoughts !== '' && <p className="talk dim small">{chat.thoughts}</p>}
      <p className="talk">
        {chat.text}
        {chat.is === 'answering' && <span className="caret" aria-hidden="true" />}
      </p>
      {chat.is === 'refused' && (
        <p className="bad small" role="alert">
          {t('try.refused', {
            status: chat.status ?? NONE,
            code: chat.problem?.code ?? '',
            message: t.said(chat.problem?.message ?? ''),
          })}
        </p>
      )}
      {chat.is === 'cut' && (
        <p className="bad small" role="alert">
          {t('try.cut', { reason: t.said(chat.problem?.message ?? '') })}
        </p>
      )}
      {chat.is === 'stopped' && <p className="dim small">{t('try.stopped')}</p>}
    </>
  )
}

function Figures({ chat }: { chat: Chat | null }) {
  const t = useT()
  const first = chat === null || chat.firstAt === null ? null : chat.firstAt - chat.sentAt
  const usage = chat?.usage ?? null
  return (
    <dl className="figures">
      <Figure name={t('try.first')} value={duration(first)} />
      <Figure name={t('try.speed')} value={withUnit(chat === null ? null : speedOf(chat), 'tok/s', 1)} />
      <Figure name={t('try.waited')} value={duration(chat?.queueMs)} />
      <Figure
        name={t('try.tokens')}
        value={usage === null ? NONE : `${number(usage.prompt)} + ${number(usage.completion)}`}
      />
    </dl>
  )
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="value">{value}</dd>
    </div>
  )
}

function Code({ of }: { of: Parameters<typeof snippet>[1] }) {
  const t = useT()
  const copy = useCopy()
  const [kind, setKind] = useState<SnippetKind>('curl')
  const text = snippet(kind, of)
  return (
    <>
      <div className="row spread">
        <Segmented
          label={t('connect.kind')}
          value={kind}
          onChange={setKind}
          options={SNIPPET_KINDS.map((value) => ({ value, label: SNIPPET_TITLES[value] }))}
        />
        <Button small onClick={() => copy(text)}>
          {t('verb.copy')}
        </Button>
      </div>
      <pre className="code">{text}</pre>
    </>
  )
}

function Field({
  id,
  label,
  hint,
  value,
  onChange,
  secret,
  numeric,
  choices = [],
  lines,
}: {
  id: string
  label: string
  hint: string
  value: string
  onChange: (value: string) => void
  secret?: boolean
  numeric?: boolean
  /** Offered while one types; another may be typed as well. */
  choices?: readonly string[]
  /** Several lines may be typed. */
  lines?: boolean
}) {
  if (lines) {
    return (
      <div className="try-field">
        <label htmlFor={id}>{label}</label>
        <textarea
          id={id}
          className="field area small"
          rows={2}
          placeholder={hint}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
    )
  }
  return (
    <div className="try-field">
      <label htmlFor={id}>{label}</label>
      <div className="field field-small">
        <input
          id={id}
          type={secret ? 'password' : 'text'}
          inputMode={numeric ? 'decimal' : 'text'}
          autoComplete="off"
          list={choices.length > 0 ? `${id}-list` : undefined}
          placeholder={hint}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
        {choices.length > 0 && (
          <datalist id={`${id}-list`}>
            {choices.map((choice) => (
              <option key={choice} value={choice} />
            ))}
          </datalist>
        )}
      </div>
    </div>
  )
}
