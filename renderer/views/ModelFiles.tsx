import { useState } from 'react'
import type { ModelView, VerifyReport } from '../../src/protocol/models.ts'
import { useActions, useCopy } from '../actions.ts'
import { Confirm } from '../components/forms.tsx'
import { StateMark } from '../components/Icon.tsx'
import { Button, Facts } from '../components/kit.tsx'
import { gigabytes, moment, NONE, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'

/** What lies on the disk, whether it is whole, and the way to be rid of it. */
export function ModelFiles({
  model,
  onChanged,
  onGone,
}: {
  model: ModelView
  onChanged: () => void
  onGone: () => void
}) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const copy = useCopy()
  const [report, setReport] = useState<VerifyReport | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const [asking, setAsking] = useState(false)
  const verify = async (): Promise<void> => {
    setBusy(true)
    setFailed(null)
    setReport(null)
    await client.commands
      .verifyModel({ model: model.id })
      .then(setReport, (error: unknown) => setFailed(t.said(reasonOf(error))))
    setBusy(false)
  }
  const remove = async (): Promise<void> => {
    setAsking(false)
    const done = t('files.removed', { name: model.id, size: gigabytes(model.bytes) })
    if (await told(client.commands.removeModel({ model: model.id }), done)) {
      onGone()
      onChanged()
    }
  }
  return (
    <>
      <section className="sect">
        <Facts
          facts={[
            [t('files.source'), t(`files.source.${model.source}`)],
            [
              t('files.revision'),
              <span key="r" className="mono">
                {model.revision?.slice(0, 12) ?? NONE}
              </span>,
            ],
            [t('files.format'), model.format],
            [t('models.col.size'), gigabytes(model.bytes)],
            [t('files.architecture'), model.architecture ?? NONE],
            [t('files.parameters'), model.parameters === null ? NONE : `${number(model.parameters / 1e9, 1)} B`],
            [t('files.kind'), t(`files.kind.${model.kind}`)],
            [t('files.modified'), moment(model.modified, new Date(), t.language)],
          ]}
        />
        <div className="row gap-top">
          <code className="mono small dim clip grow" title={model.path}>
            {model.path}
          </code>
          <Button small look="quiet" onClick={() => copy(model.path)}>
            {t('verb.copy')}
          </Button>
        </div>
      </section>
      {model.missing.length > 0 && (
        <section className="sect" role="alert">
          <h3>{t('files.missing')}</h3>
          <ul className="small">
            {model.missing.map((line) => (
              <li key={line} className="bad">
                {line}
              </li>
            ))}
          </ul>
        </section>
      )}
      <section className="sect">
        <h3>{t('files.check')}</h3>
        <p className="small dim">{t('files.checkWhy')}</p>
        <div className="row gap-top">
          <Button onClick={() => void verify()} busy={busy}>
            {t(busy ? 'files.checking' : 'files.verify')}
          </Button>
          {report !== null && (
            <span className="row small tight" role="status">
              <StateMark shape={report.problems.length === 0 ? 'ready' : 'failed'} />
              {report.problems.length === 0
                ? t('files.good', { files: number(report.files), hashed: number(report.hashed) })
                : t('files.bad', { count: number(report.problems.length) })}
            </span>
          )}
        </div>
        {failed !== null && (
          <p className="small bad" role="alert">
            {failed}
          </p>
        )}
        <ul className="small">
          {report?.problems.map(({ file, why }) => (
            <li key={file}>
              <span className="mono">{file}</span> <span className="bad">{why}</span>
            </li>
          ))}
        </ul>
      </section>
      <section className="sect row">
        <Button look="danger" onClick={() => setAsking(true)}>
          {t('files.remove')}
        </Button>
        {model.usedBy.length > 0 && (
          <span className="small dim">{t('files.usedBy', { engines: model.usedBy.join(', ') })}</span>
        )}
      </section>
      {asking && (
        <Confirm
          title={t('files.removeAsk', { name: model.id })}
          verb={t('files.removeYes', { size: gigabytes(model.bytes) })}
          cancel={t('verb.cancel')}
          onNo={() => setAsking(false)}
          onYes={() => void remove()}
        >
          <p>{t('files.removeWhy')}</p>
          <p className="mono small dim">{model.path}</p>
        </Confirm>
      )}
    </>
  )
}
