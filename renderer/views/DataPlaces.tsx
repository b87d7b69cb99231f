import { useState } from 'react'
import type { ClearablePlace } from '../../src/protocol/data.ts'
import { useToasts } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Confirm } from '../components/forms.tsx'
import { Button, Skeleton } from '../components/kit.tsx'
import { gigabytes } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'

/** What Lexora keeps on the disk, as of when this was opened, and what of it may go. */
export function DataPlaces() {
  const t = useT()
  const { client } = useWorld()
  const toasts = useToasts()
  const [asked, setAsked] = useState<ClearablePlace | null>(null)
  const [busy, setBusy] = useState(false)
  const { value, failed, again } = useAsked(async () => await client.commands.readData())
  const clear = async (place: ClearablePlace): Promise<void> => {
    setBusy(true)
    try {
      const { freedBytes } = await client.commands.clearData({ place })
      toasts.say(t('data.cleared', { size: gigabytes(freedBytes) }))
    } catch (error) {
      toasts.fail(t('failed.command', { reason: t.said(reasonOf(error)) }))
    }
    setBusy(false)
    setAsked(null)
    await again()
  }
  if (value === null) return failed === null ? <Skeleton rows={6} height={28} /> : <p className="small bad">{failed}</p>
  return (
    <>
      <table className="table bench-table data-table">
        <thead>
          <tr>
            <th>{t('data.what')}</th>
            <th>{t('data.where')}</th>
            <th className="num">{t('data.size')}</th>
            <th className="num">{t('data.clear')}</th>
          </tr>
        </thead>
        <tbody>
          {value.places.map(({ place, path, bytes, whole, canClear }) => (
            <tr key={place}>
              <td>{t(`data.${place}`)}</td>
              <td className="mono small" title={path}>
                {path}
              </td>
              <td className="num">{`${whole ? '' : '> '}${gigabytes(bytes)}`}</td>
              <td className="num">
                {canClear && bytes > 0 && (
                  <Button small onClick={() => setAsked(place as ClearablePlace)}>
                    {t('data.clear')}
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked !== null && (
        <Confirm
          title={`${t('data.clear')} ${t(`data.${asked}`)}`}
          cancel={t('verb.cancel')}
          verb={t('data.clearNow')}
          busy={busy}
          onNo={() => setAsked(null)}
          onYes={() => void clear(asked)}
        >
          <p>{t(`data.why.${asked}`)}</p>
        </Confirm>
      )}
    </>
  )
}
