import { useRef, useState } from 'react'
import type { ConfigText, ReloadReport, ValidationReport } from '../../src/protocol/config-view.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { StateMark } from '../components/Icon.tsx'
import { Banner, Button, Empty, Skeleton } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { rawDraft } from '../raw-draft.ts'
import { useStore } from '../store.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import { isConflict, numbersOf, rangeOfLine } from '../view-models/raw.ts'

/** The file as a whole: to read, to change, to check and to write. Its secrets are words that stand for them. */
export function RawConfig({ onChanged }: { onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const [last, setLast] = useState<ReloadReport | null>(null)
  const file = useAsked(async () => await client.commands.configText(), { everyMs: 5000 })
  const done = (report: ReloadReport): void => {
    setLast(report)
    onChanged()
    void file.again()
  }
  return (
    <>
      <section className="set-box">
        <h2>{t('raw.reload')}</h2>
        <p className="small dim">{t('raw.reloadWhy')}</p>
        <div className="row gap-top">
          <Button onClick={() => void told(client.commands.reload().then(done))}>{t('raw.reload')}</Button>
          {file.value?.canUndo && (
            <Button onClick={() => void told(client.commands.undoConfig().then(done))}>{t('raw.undo')}</Button>
          )}
        </div>
        {last !== null && (
          <div className="gap-top" role="status">
            {last.changed.length === 0 ? (
              <p className="small mid">{t('raw.same')}</p>
            ) : (
              <Effects changed={last.changed} />
            )}
          </div>
        )}
      </section>
      {file.value !== null ? (
        <Editor file={file.value} onWritten={done} onStale={() => void file.again()} />
      ) : file.failed !== null ? (
        <Empty
          bad
          title={t('raw.unread')}
          actions={<Button onClick={() => void file.again()}>{t('verb.tryAgain')}</Button>}
        >
          {file.failed}
        </Empty>
      ) : (
        <Skeleton rows={6} height={20} widths={[30, 60]} />
      )}
    </>
  )
}

function Editor({
  file,
  onWritten,
  onStale,
}: {
  file: ConfigText
  onWritten: (report: ReloadReport) => void
  /** It may be another one by now. */
  onStale: () => void
}) {
  const t = useT()
  const { client } = useWorld()
  const area = useRef<HTMLTextAreaElement>(null)
  const gutter = useRef<HTMLPreElement>(null)
  const draft = useStore(rawDraft)
  /** What the text was made of. */
  const base = draft?.base ?? file
  const text = draft?.text ?? file.text
  const [report, setReport] = useState<ValidationReport | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const isDirty = draft !== null
  const isStale = file.revision !== base.revision
  const change = (next: string): void => {
    rawDraft.set(next === base.text ? null : { base, text: next })
    setReport(null)
    setFailed(null)
  }
  const send = async (isWrite: boolean): Promise<void> => {
    const { revision } = base
    setBusy(true)
    setFailed(null)
    try {
      const checked = await client.commands.validateConfig({ text, revision })
      setReport(checked)
      if (checked.ok && isWrite) {
        onWritten(await client.commands.writeConfig({ text, revision }))
        change(base.text)
      }
    } catch (error) {
      if (isConflict(error)) onStale()
      else setFailed(t.said(reasonOf(error)))
    }
    setBusy(false)
  }
  const show = (line: number): void => {
    const [start, end] = rangeOfLine(text, line)
    area.current?.focus()
    area.current?.setSelectionRange(start, end)
  }
  return (
    <section className="set-box">
      <h2>
        {t('raw.file')} {isDirty && <span className="tag">{t('raw.draft')}</span>}
      </h2>
      <p className="small dim">
        <span className="mono">{file.path}</span> {t('raw.fileWhy')}
      </p>
      {isDirty && isStale && (
        <Banner look="warn">
          {t('raw.stale')}{' '}
          <button type="button" className="link" onClick={() => change(base.text)}>
            {t('raw.takeNew')}
          </button>
        </Banner>
      )}
      <div className="raw gap-top">
        <pre ref={gutter} aria-hidden="true" className="mono small dim raw-numbers">
          {numbersOf(text)}
        </pre>
        <textarea
          ref={area}
          className="field area mono small"
          aria-label={t('raw.text')}
          placeholder={'server:\n  port: 8001'}
          spellCheck={false}
          wrap="off"
          value={text}
          rows={20}
          onScroll={({ currentTarget }) => gutter.current?.scrollTo({ top: currentTarget.scrollTop })}
          onChange={(event) => change(event.target.value)}
        />
      </div>
      <div className="row gap-top">
        <Button look="first" busy={busy} onClick={() => void send(true)} disabled={!isDirty}>
          {t('raw.write')}
        </Button>
        <Button onClick={() => void send(false)} disabled={busy}>
          {t('raw.check')}
        </Button>
        <Button look="quiet" onClick={() => change(base.text)} disabled={!isDirty}>
          {t('raw.discard')}
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
          {report.issues.map(({ path, message, place, line, column }) => (
            <li key={`${place} ${path} ${message}`}>
              {line !== null ? (
                <button type="button" className="link" onClick={() => show(line)}>
                  {t('raw.line', { line, column: column ?? 1 })}
                </button>
              ) : (
                <span className="mono">{place}</span>
              )}{' '}
              <span className="mono">{path}</span> <span className="bad">{message}</span>
            </li>
          ))}
        </ul>
      )}
      {report?.ok === true && report.changed.length > 0 && <Effects changed={report.changed} />}
      {report?.diff && (
        <>
          <h3 className="small dim gap-top">{t('raw.diff')}</h3>
          <pre className="code small">{report.diff}</pre>
        </>
      )}
    </section>
  )
}

/** What changed, and when it acts. */
function Effects({ changed }: Pick<ReloadReport, 'changed'>) {
  const t = useT()
  return (
    <ul className="small raw-issues">
      {changed.map(({ path, effect }) => (
        <li key={path}>
          <span className="mono">{path}</span>{' '}
          <span className={effect === 'now' ? 'dim' : 'warn'}>{t(`set.applies.${effect}`)}</span>
        </li>
      ))}
    </ul>
  )
}
