import { useEffect, useState } from 'react'
import type { DoctorReport } from '../../src/protocol/doctor.ts'
import { useCopy } from '../actions.ts'
import { Spinner } from '../components/Icon.tsx'
import { Button, Dialog } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { Checks, checksText } from './Checks.tsx'

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
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t('diagnostics.title')}
      footer={
        <>
          {report !== null && <Button onClick={() => copy(checksText(report.checks, t))}>{t('verb.copy')}</Button>}
          <Button look="first" onClick={onClose}>
            {t('verb.close')}
          </Button>
        </>
      }
    >
      {failed !== null && <p role="alert">{t('failed.command', { reason: t.said(failed) })}</p>}
      {report === null && failed === null && (
        <p className="row" role="status">
          <Spinner /> {t('diagnostics.running')}
        </p>
      )}
      {report !== null && <Checks checks={report.checks} />}
    </Dialog>
  )
}
