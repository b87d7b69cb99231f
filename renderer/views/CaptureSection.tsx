import { useState } from 'react'
import type { Captured, CapturedText } from '../../src/protocol/captures.ts'
import type { HistoryRow } from '../../src/protocol/users.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Button, Facts, Segmented } from '../components/kit.tsx'
import { gigabytes } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { prettyOf, talkOf } from '../view-models/capture.ts'

/** What a request and its answer said; null: nothing was captured. */
export function useCaptured(id: string): Captured | null {
  const { client } = useWorld()
  const { capture } = useSnapshot().server
  const { value } = useAsked(
    async () => {
      // Every reading is written down: only what is there is read.
      const { kept } = await client.commands.listCaptures()
      return kept.some((one) => one.id === id) ? await client.commands.readCapture({ id }) : null
    },
    { key: `${id} ${capture?.endsAt ?? ''}` },
  )
  return value
}

const FORMS = ['chat', 'pretty', 'raw'] as const

/** What a request and its answer said, where that was captured; else the way to have it captured. */
export function CaptureSection({ row, captured }: { row: HistoryRow; captured: Captured | null }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { capture } = useSnapshot().server
  const [form, setForm] = useState<(typeof FORMS)[number]>('chat')
  const start = (user: string | null): void =>
    void told(client.commands.startCapture(user === null ? {} : { user }), t('capture.started'))
  if (captured === null) {
    return (
      <section className="sect">
        <h3>{t('capture.title')}</h3>
        <p className="small mid">{t(capture === null ? 'request.notKept' : 'capture.notThis')}</p>
        {capture === null && (
          <div className="row gap-top">
            {row.user !== null && (
              <Button small onClick={() => start(row.user)}>
                {t('capture.start', { user: row.user })}
              </Button>
            )}
            <Button small onClick={() => start(null)}>
              {t('capture.startAll')}
            </Button>
          </div>
        )}
      </section>
    )
  }
  const { headers, request, answer } = captured
  const talk = talkOf(captured)
  return (
    <section className="sect">
      <h3>{t('capture.title')}</h3>
      <div className="row spread">
        <Segmented
          label={t('capture.form')}
          value={form}
          onChange={setForm}
          options={FORMS.map((name) => ({ value: name, label: t(`capture.${name}`) }))}
        />
      </div>
      {form === 'chat' ? (
        talk.map(({ role, text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a talk that was never changes
          <div key={index} className="gap-top">
            <h4 className="micro dim">{role}</h4>
            <p className="talk small">{text}</p>
          </div>
        ))
      ) : (
        <>
          <Body title={t('capture.request')} of={request} pretty={form === 'pretty'} />
          <Body title={t('capture.answer')} of={answer} pretty={form === 'pretty'} />
        </>
      )}
      <h4 className="micro dim gap-top">{t('capture.headers')}</h4>
      <Facts
        facts={Object.entries(headers).map(([name, told]) => [
          name,
          <span key={name} className="mono small">
            {told}
          </span>,
        ])}
      />
    </section>
  )
}

function Body({ title, of, pretty }: { title: string; of: CapturedText; pretty: boolean }) {
  const t = useT()
  return (
    <>
      <h4 className="micro dim gap-top row spread">
        <span>{title}</span>
        <span>{of.cut ? t('capture.cut', { size: gigabytes(of.bytes) }) : gigabytes(of.bytes)}</span>
      </h4>
      <pre className="code small">{pretty ? prettyOf(of.text) : of.text}</pre>
    </>
  )
}
