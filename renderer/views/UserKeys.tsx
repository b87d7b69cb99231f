import { useState } from 'react'
import type { KeyView, MintedKey } from '../../src/protocol/users.ts'
import { useActions } from '../actions.ts'
import { Confirm, Field } from '../components/forms.tsx'
import { Button, Dialog, Select } from '../components/kit.tsx'
import { moment } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import { isLiveKey } from '../view-models/people.ts'

const OVERLAPS = ['0', '10', '60', '1440'] as const

/** One key: since when, until when, last used; renewed and revoked here. */
export function KeyLine({
  item,
  onMinted,
  onChanged,
}: {
  item: KeyView
  onMinted: (key: MintedKey) => void
  onChanged: () => void
}) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const [ask, setAsk] = useState<'rotate' | 'revoke' | null>(null)
  const [overlap, setOverlap] = useState<string>('10')
  const isLive = isLiveKey(item, Date.now())
  const rotate = async (): Promise<void> => {
    setAsk(null)
    await told(client.commands.rotateKey({ id: item.id, overlap_minutes: Number(overlap) }).then(onMinted))
    onChanged()
  }
  const revoke = async (): Promise<void> => {
    setAsk(null)
    await told(client.commands.revokeKey({ id: item.id }), t('key.revoked'))
    onChanged()
  }
  const date = (at: string): string => moment(at, new Date(), t.language)
  const since = item.created === null ? t('key.ofFile') : t('key.since', { date: date(item.created) })
  const until =
    item.revoked !== null
      ? t('key.isRevoked')
      : item.expires === null
        ? ''
        : t('key.until', { date: date(item.expires) })
  const used = item.lastUsed === null ? t('key.unused') : t('key.used', { date: date(item.lastUsed) })
  return (
    <li className={`key-line small${isLive ? '' : ' dim'}`}>
      <span className="col grow">
        <span className="clip">
          <span className="mono">{item.hint}</span> {item.label !== null && <span>{item.label}</span>}
        </span>
        <span className="micro dim clip">{[since, until, used].filter((text) => text !== '').join(' · ')}</span>
      </span>
      {item.source === 'store' && isLive && (
        <>
          <Button small onClick={() => setAsk('rotate')}>
            {t('key.rotate')}
          </Button>
          <Button small look="danger" onClick={() => setAsk('revoke')}>
            {t('key.revoke')}
          </Button>
        </>
      )}
      {ask === 'rotate' && (
        <Dialog
          open
          onClose={() => setAsk(null)}
          title={t('key.rotateAsk', { key: item.hint })}
          footer={
            <>
              <Button onClick={() => setAsk(null)}>{t('verb.cancel')}</Button>
              <Button look="first" onClick={() => void rotate()}>
                {t('key.rotate')}
              </Button>
            </>
          }
        >
          <p>{t('key.rotateWhy')}</p>
          <div className="gap-top">
            <Select
              label={t('key.overlap')}
              prefix={t('key.overlap')}
              value={overlap}
              options={OVERLAPS.map((value) => ({ value, label: t(`overlap.${value}`) }))}
              onChange={setOverlap}
            />
          </div>
        </Dialog>
      )}
      {ask === 'revoke' && (
        <Confirm
          title={t('key.revokeAsk', { key: item.hint })}
          verb={t('key.revoke')}
          cancel={t('verb.cancel')}
          onNo={() => setAsk(null)}
          onYes={() => void revoke()}
        >
          <p>{t('key.revokeWhy')}</p>
        </Confirm>
      )}
    </li>
  )
}

/** Asks for a label, and makes a key. */
export function AddKey({
  user,
  onClose,
  onMinted,
}: {
  user: string
  onClose: () => void
  onMinted: (key: MintedKey) => void
}) {
  const t = useT()
  const { client } = useWorld()
  const [label, setLabel] = useState('')
  const [told, setTold] = useState<string | null>(null)
  const mint = async (): Promise<void> => {
    setTold(null)
    await client.commands
      .createKey({ user, ...(label.trim() === '' ? {} : { label: label.trim() }) })
      .then(onMinted, (error: unknown) => setTold(t.said(reasonOf(error))))
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('users.addKey')}
      footer={
        <>
          <Button onClick={onClose}>{t('verb.cancel')}</Button>
          <Button look="first" onClick={() => void mint()}>
            {t('users.addKey')}
          </Button>
        </>
      }
    >
      <Field
        label={t('key.label')}
        value={label}
        onChange={setLabel}
        placeholder="laptop"
        bad={told}
        hint={t('key.labelHint')}
      />
    </Dialog>
  )
}
