import { useEffect, useState } from 'react'
import type { DoctorReport } from '../../src/protocol/doctor.ts'
import { useCopy } from '../actions.ts'
import { Spinner, StateMark } from '../components/Icon.tsx'
import { Button, Dialog } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'

const SHAPES = { ok: 'ready', warn: 'degraded', fail: 'failed' } as const

/** What `lexora doctor` says, in the window. */
export function Diagnostics({ onClose }: { onClose: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const copy = useCopy()
  const [report, setReport] = useState<DoctorReport | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  useEffect(() => {
    let open = true
    client.commands.doctor().then(
      (told) => open && setReport(told),
      (error: Error) => open && setFailed(error.message),
    )
    return () => {
      open = false
    }
  }, [client])
  const text = report?.checks.map(
    ({ level, about, says, fix }) => `${level}  ${about}: ${says}${fix === null ? '' : ` (${fix})`}`,
  )
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t('diagnostics.title')}
      footer={
        <>
          {text !== undefined && <Button onClick={() => copy(text.join('\n'))}>{t('verb.copy')}</Button>}
          <Button look="first" onClick={onClose}>
            {t('verb.close')}
          </Button>
        </>
      }
    >
      {failed !== null && <p role="alert">{t('failed.command', { reason: failed })}</p>}
      {report === null && failed === null && (
        <p className="row" role="status">
          <Spinner /> {t('diagnostics.running')}
        </p>
      )}
      <ul className="checks small">
        {report?.checks.map(({ level, about, says, fix }) => (
          <li key={about + says}>
            <StateMark shape={SHAPES[level]} />
            <span className="dim">{t(`diagnostics.${level}`)}</span>
            <span>
              <b className="strong">{about}</b> {says}
              {fix !== null && <span className="dim"> {fix}</span>}
            </span>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}
