import { useState } from 'react'
import type { ModelFileView, ModelView, VerifyReport } from '../../src/protocol/models.ts'
import { useActions, useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Confirm } from '../components/forms.tsx'
import { StateMark } from '../components/Icon.tsx'
import { Button, Facts, Skeleton } from '../components/kit.tsx'
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
  const files = useAsked(async () => (await client.commands.modelFiles({ model: model.id })).files, {
    everyMs: busy ? 2000 : 0,
    key: `${model.id} ${model.modified}`,
  })
  const verify = async (): Promise<void> => {
    setBusy(true)
    setFailed(null)
    setReport(null)
    await client.commands
      .verifyModel({ model: model.id })
      .then(setReport, (error: unknown) => setFailed(t.said(reasonOf(error))))
    setBusy(false)
    await files.again()
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
                {model.revision ?? NONE}
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
      {files.value !== null ? (
        <FileList files={files.value} />
      ) : files.failed !== null ? (
        <p className="sect small bad">{files.failed}</p>
      ) : (
        <Skeleton rows={3} widths={[50, 20]} />
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

const SHAPES = { unread: 'stopped', whole: 'ready', bad: 'failed', missing: 'failed' } as const

/** Each file with its size, and what is known of what it holds. A long list scrolls. */
function FileList({ files }: { files: readonly ModelFileView[] }) {
  const t = useT()
  const { language } = t
  return (
    <section
      className="sect file-list"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys scroll it
      tabIndex={0}
      aria-label={t('model.tab.files')}
    >
      <table className="table bench-table">
        <tbody>
          {files.map(({ name, bytes, state, hashed, why, checkedAt }) => (
            <tr key={name}>
              <td className="clip mono" title={name}>
                {name}
              </td>
              <td className="num">{gigabytes(bytes)}</td>
              <td title={checkedAt === null ? undefined : moment(checkedAt, new Date(), language)}>
                <span className="row tight">
                  <StateMark shape={SHAPES[state]} />
                  <span className={`clip${SHAPES[state] === 'failed' ? ' bad' : ''}`} title={why ?? undefined}>
                    {why ?? t(state === 'whole' && hashed ? 'files.state.hashed' : `files.state.${state}`)}
                  </span>
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
