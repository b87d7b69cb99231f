import { useState } from 'react'
import type { ReloadReport, ValidationReport } from '../../src/protocol/config-view.ts'
import { useActions } from '../actions.ts'
import { StateMark } from '../components/Icon.tsx'
import { Button } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'

/** The file as a whole: reading it again, and checking a text without going over to it. */
export function RawConfig({ onChanged }: { onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const [text, setText] = useState('')
  const [report, setReport] = useState<ValidationReport | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [last, setLast] = useState<ReloadReport | null>(null)
  const check = async (): Promise<void> => {
    setFailed(null)
    await client.commands.validateConfig({ text }).then(setReport, (error: unknown) => setFailed(reasonOf(error)))
  }
  const reload = async (): Promise<void> => {
    setLast(null)
    if (await told(client.commands.reload().then(setLast))) onChanged()
  }
  return (
    <>
      <section className="set-box">
        <h2>{t('raw.reload')}</h2>
        <p className="small dim">{t('raw.reloadWhy')}</p>
        <div className="row gap-top">
          <Button onClick={() => void reload()}>{t('raw.reload')}</Button>
          {last !== null && (
            <span className="small mid" role="status">
              {last.changed.length === 0
                ? t('raw.same')
                : t('raw.changed', { paths: last.changed.map(({ path }) => path).join(', ') })}
            </span>
          )}
        </div>
      </section>
      <section className="set-box">
        <h2>{t('raw.check')}</h2>
        <p className="small dim">{t('raw.checkWhy')}</p>
        <textarea
          className="field area mono small raw gap-top"
          aria-label={t('raw.text')}
          placeholder={'server:\n  port: 8001'}
          spellCheck={false}
          value={text}
          rows={12}
          onChange={(event) => {
            setText(event.target.value)
            setReport(null)
          }}
        />
        <div className="row gap-top">
          <Button onClick={() => void check()} disabled={text.trim() === ''}>
            {t('raw.check')}
          </Button>
          {report?.ok === true && (
            <span className="small ok row tight" role="status">
              <StateMark shape="ready" /> {t('raw.good')}
            </span>
          )}
        </div>
        {failed !== null && (
          <p className="small bad" role="alert">
            {failed}
          </p>
        )}
        {report !== null && !report.ok && (
          <ul className="small raw-issues" role="alert">
            {report.issues.map(({ path, message, place }) => (
              <li key={`${place} ${path} ${message}`}>
                <span className="mono">{path || place}</span> <span className="bad">{message}</span>{' '}
                <span className="dim">{place}</span>
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  )
}
