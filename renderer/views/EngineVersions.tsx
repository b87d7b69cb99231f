import { useState } from 'react'
import type { InstallView, OfferedVersions } from '../../src/protocol/models.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Drawer, Field } from '../components/forms.tsx'
import { Spinner } from '../components/Icon.tsx'
import { Banner, Button, Empty, Skeleton } from '../components/kit.tsx'
import { duration, gigabytes, moment } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'

/** The versions of vLLM that Lexora has installed aside: use one, go back, install another. */
export function EngineVersions({ onClose }: { onClose: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { install } = useSnapshot()
  const [version, setVersion] = useState('')
  const { value, failed, again } = useAsked(async () => await client.commands.engineVersions(), { everyMs: 3000 })
  const shown = install ?? value?.install ?? null
  const isBusy = install !== undefined
  const { useEngine: choose } = client.commands
  const act = async (work: Promise<unknown>, done?: string): Promise<void> => {
    await told(work, done)
    await again()
  }
  const begin = (chosen = version.trim()): Promise<void> =>
    act(client.commands.installEngine(chosen === '' ? {} : { version: chosen }))
  return (
    <Drawer label={t('models.versions')} title={t('models.versions')} close={t('verb.close')} onClose={onClose}>
      <div className="drawer-body">
        {shown !== null && <Install view={shown} />}
        <section className="sect">
          <h3>
            <span>{t('versions.installed')}</span>
            {value?.previous != null && (
              <Button small onClick={() => void act(client.commands.rollbackEngine(), t('versions.rolledBack'))}>
                {t('versions.rollback', { version: value.previous })}
              </Button>
            )}
          </h3>
          {value === null && failed === null && <Skeleton rows={2} />}
          {value === null && failed !== null && <p className="small bad">{failed}</p>}
          {value?.versions.length === 0 && <Empty title={t('versions.none')}>{t('versions.noneWhy')}</Empty>}
          <ul>
            {value?.versions.map((one) => (
              <li key={one.version} className="key-line small">
                <span className="col grow">
                  <span className="strong">
                    {one.package} {one.version}
                  </span>
                  <span className="micro dim clip" title={one.path}>
                    {moment(one.installedAt, new Date(), t.language)}
                    {one.bytes !== null && ` · ${gigabytes(one.bytes)}`}
                  </span>
                </span>
                {one.used ? (
                  <span className="tag">{t('versions.used')}</span>
                ) : (
                  <Button
                    small
                    onClick={() =>
                      void act(choose({ version: one.version }), t('versions.nowUsed', { version: one.version }))
                    }
                  >
                    {t('versions.use')}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        </section>
        <section className="sect">
          <h3>{t('versions.install')}</h3>
          <div className="row install-row">
            <Field
              label={t('versions.version')}
              hideLabel
              value={version}
              onChange={setVersion}
              placeholder={t('versions.newest')}
            />
            <Button look="first" onClick={() => void begin()} busy={isBusy}>
              {t('versions.installNow')}
            </Button>
          </div>
          <p className="field-note">{t('versions.why')}</p>
          <Offered onInstall={(chosen) => void begin(chosen)} isBusy={isBusy} />
        </section>
        {value !== null && (
          <p className="sect small dim">
            {t('versions.folder')} <span className="mono">{value.folder}</span>
          </p>
        )}
      </div>
    </Drawer>
  )
}

/** What the package index has. It is asked only when somebody wants to know. */
function Offered({ onInstall, isBusy }: { onInstall: (version: string) => void; isBusy: boolean }) {
  const t = useT()
  const { client } = useWorld()
  const [offered, setOffered] = useState<OfferedVersions | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [asking, setAsking] = useState(false)
  const ask = async (): Promise<void> => {
    setAsking(true)
    setFailed(null)
    try {
      setOffered(await client.commands.offeredEngines())
    } catch (error) {
      setFailed(reasonOf(error))
    }
    setAsking(false)
  }
  return (
    <>
      <Button small busy={asking} onClick={() => void ask()}>
        {t('versions.offered')}
      </Button>
      {failed !== null && (
        <p className="small bad" role="alert">
          {t.said(failed)}
        </p>
      )}
      {offered !== null && (
        <ul aria-label={t('versions.offered')}>
          {offered.versions.map(({ version, at, installed }) => (
            <li key={version} className="key-line small">
              <span className="strong grow">{version}</span>
              {at !== null && <span className="micro dim">{at.slice(0, 10)}</span>}
              {installed ? (
                <span className="tag">{t('versions.installed')}</span>
              ) : (
                <Button small disabled={isBusy} onClick={() => onInstall(version)}>
                  {t('versions.installNow')}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

/** How far an installation is, or why it ended. */
export function Install({ view }: { view: InstallView }) {
  const t = useT()
  const { version, phase, line, seconds, needsBytes, freeBytes, problem } = view
  if (problem !== null)
    return (
      <Banner look="bad">
        {t('versions.failed', { version })} {t.said(problem.cause)} {problem.fix !== null && t.said(problem.fix)}
      </Banner>
    )
  if (phase === 'done') return null
  return (
    <section className="sect" role="status">
      <p className="row">
        <Spinner />
        <span className="strong">{t('versions.installing', { version })}</span>
        <span className="dim small">{t(`install.${phase}`)}</span>
        <span className="grow" />
        <span className="num small">{duration(seconds * 1000)}</span>
      </p>
      <p className="small dim">
        {t('versions.takes', { needs: gigabytes(needsBytes), free: freeBytes === null ? '–' : gigabytes(freeBytes) })}
      </p>
      {line !== null && <p className="small mono dim clip">{line}</p>}
    </section>
  )
}
