import { useState } from 'react'
import type { DoctorReport } from '../../src/protocol/doctor.ts'
import { useActions, useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Spinner, StateMark } from '../components/Icon.tsx'
import { Button, Empty, Skeleton } from '../components/kit.tsx'
import { gib } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { Checks, checksText } from './Checks.tsx'
import { Install } from './EngineVersions.tsx'

/** What is here: hardware, drivers, and what stands in the way. */
export function MachineStep() {
  const t = useT()
  const { client } = useWorld()
  const { gpu } = useSnapshot()
  const copy = useCopy()
  const [looks, setLooks] = useState(false)
  const { value, failed, again } = useAsked(async (): Promise<DoctorReport> => await client.commands.doctor())
  const lookAgain = async (): Promise<void> => {
    setLooks(true)
    await again()
    setLooks(false)
  }
  if (value === null && failed !== null)
    return (
      <Empty
        bad
        title={t('first.noDoctor')}
        actions={<Button onClick={() => void again()}>{t('verb.tryAgain')}</Button>}
      >
        {failed}
      </Empty>
    )
  const isWithout = gpu.is === 'read' ? gpu.gpus.length === 0 : gpu.is !== 'unread'
  return (
    <>
      <ul className="wiz-cards">
        {gpu.is === 'read' &&
          gpu.gpus.map((card) => (
            <li key={card.index} className="row">
              <StateMark shape="ready" />
              <span className="strong">{card.name}</span>
              <span className="dim small">
                {t('first.gpuMemory', {
                  free: gib(card.freeBytes),
                  total: gib(card.totalBytes),
                  driver: card.driver ?? '–',
                })}
              </span>
            </li>
          ))}
        {isWithout && (
          <li className="row">
            <StateMark shape="degraded" />
            <span>
              {t('first.noGpu')} {'reason' in gpu && <span className="dim small">{t.said(gpu.reason)}</span>}
            </span>
          </li>
        )}
      </ul>
      {value === null ? (
        <p className="row small dim" role="status">
          <Spinner /> {t('diagnostics.running')}
        </p>
      ) : (
        <>
          {/* The row above says it louder. */}
          <Checks
            checks={value.checks.filter(({ about, level }) => !(isWithout && about === 'gpu' && level === 'ok'))}
          />
          <div className="row gap-top">
            <Button small busy={looks} onClick={() => void lookAgain()}>
              {t('first.lookAgain')}
            </Button>
            <Button small onClick={() => copy(checksText(value.checks, t))}>
              {t('verb.copy')}
            </Button>
          </div>
        </>
      )}
    </>
  )
}

/** A vLLM that is here, or one to install. */
export function EngineStep() {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { install, backends } = useSnapshot()
  const { value, again } = useAsked(async () => await client.commands.engineVersions(), { everyMs: 2000 })
  const shown = install ?? value?.install ?? null
  const begin = async (): Promise<void> => {
    await told(client.commands.installEngine({}))
    await again()
  }
  const others = backends.filter(({ status }) => status === 'up')
  return (
    <>
      {shown !== null && <Install view={shown} />}
      {value === null ? (
        <Skeleton rows={3} />
      ) : (
        <ul className="choices">
          {value.versions.map((one) => (
            <li key={one.version} className="row">
              <StateMark shape="ready" />
              <span className="strong">
                {one.package} {one.version}
              </span>
              <span className="dim small clip grow">{one.path}</span>
              {one.used && <span className="tag">{t('versions.used')}</span>}
            </li>
          ))}
          {value.onPath !== null && (
            <li className="row">
              <StateMark shape="ready" />
              <span className="strong">{t('first.onPath')}</span>
              <span className="dim small clip grow" title={value.onPath}>
                {value.onPath}
              </span>
            </li>
          )}
          {others.map(({ name }) => (
            <li key={name} className="row">
              <StateMark shape="ready" />
              <span className="strong name">{name}</span>
              <span className="dim small">{t('first.answers')}</span>
            </li>
          ))}
          <li className="row">
            <StateMark shape="stopped" />
            <span className="grow">
              <span className="strong">{t('first.install')}</span>
              <br />
              <span className="dim small">{t('first.installWhy', { folder: value.folder })}</span>
            </span>
            <Button onClick={() => void begin()} busy={install !== undefined}>
              {t('versions.installNow')}
            </Button>
          </li>
          <li className="row">
            <StateMark shape="stopped" />
            <span className="grow">
              <span className="strong">{t('first.own')}</span>
              <br />
              <span className="dim small">{t('first.ownWhy')}</span>
            </span>
          </li>
        </ul>
      )}
    </>
  )
}
