import { useState } from 'react'
import type { KeyView, MintedKey } from '../../src/protocol/users.ts'
import { useActions } from '../actions.ts'
import { Confirm, Drawer, Field, Meter } from '../components/forms.tsx'
import { Banner, Button, Dialog, Facts } from '../components/kit.tsx'
import { moment, NONE, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import { badFields, formOf, limitChanges, type PersonRow, seenFrom } from '../view-models/people.ts'
import { KeyShown } from './KeyShown.tsx'
import { LimitsFields } from './LimitsFields.tsx'
import { AddKey, KeyLine } from './UserKeys.tsx'
import { Week } from './UserWeek.tsx'

type Ask = 'edit' | 'delete' | 'add-key' | null

/** One user: what he uses of his limits, his week, his keys. */
export function UserDrawer({
  row,
  keys,
  configPath,
  onClose,
  onStep,
  onChanged,
}: {
  row: PersonRow
  keys: readonly KeyView[]
  configPath: string | null
  onClose: () => void
  onStep: (by: number) => void
  onChanged: () => void
}) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const [ask, setAsk] = useState<Ask>(null)
  const [minted, setMinted] = useState<MintedKey | null>(null)
  const { user } = row
  const isOurs = user.source === 'store'
  const remove = async (): Promise<void> => {
    setAsk(null)
    await told(client.commands.deleteUser({ name: user.name }), t('users.done.deleted', { user: user.name }))
    onClose()
    onChanged()
  }
  return (
    <Drawer
      label={user.name}
      title={user.name}
      close={t('verb.close')}
      onClose={onClose}
      onStep={onStep}
      side={
        isOurs && (
          <Button small onClick={() => setAsk('edit')}>
            {t('users.edit')}
          </Button>
        )
      }
    >
      <div className="drawer-body">
        {!isOurs && <Banner look="info">{t('users.fileWhy', { file: configPath ?? NONE })}</Banner>}
        {user.disabled && <Banner look="warn">{t('users.isOff')}</Banner>}
        <section className="sect">
          <h3>{t('users.limitsNow')}</h3>
          <div className="meters small">
            <Used name={t('limits.requests_per_minute')} used={row.requestsNow} of={row.perMinute} />
            <Used name={t('limits.tokens_per_minute')} used={row.tokensNow} of={row.tokensPerMinute} />
            <Used name={t('limits.max_concurrent')} used={user.now.running} of={row.atOnce} />
            {user.limits.daily_tokens !== null && (
              <Used name={t('limits.daily_tokens')} used={user.today.tokens} of={user.limits.daily_tokens} />
            )}
          </div>
        </section>
        <Week user={user.name} />
        <section className="sect">
          <h3>{t('users.facts')}</h3>
          <Facts
            facts={[
              [t('users.col.band'), t(`band.${user.limits.max_priority ?? 'any'}`)],
              [t('limits.weight'), number(user.limits.weight ?? 1, Number.isInteger(user.limits.weight ?? 1) ? 0 : 1)],
              [t('users.col.models'), user.limits.models?.join(', ') ?? t('users.allModels')],
              [
                t('users.expires'),
                user.expires === null ? t('expiry.never') : moment(user.expires, new Date(), t.language),
              ],
              [t('users.col.seen'), seenFrom(user, new Date(), t)],
              user.note === null ? null : [t('users.note'), user.note],
            ]}
          />
        </section>
        <section className="sect">
          <h3>
            <span>{t('users.keys')}</span>
            {isOurs && (
              <Button small look="quiet" onClick={() => setAsk('add-key')}>
                {t('users.addKey')}
              </Button>
            )}
          </h3>
          {keys.length === 0 && <p className="small dim">{t('users.noKeys')}</p>}
          <ul>
            {keys.map((key) => (
              <KeyLine key={key.id} item={key} onMinted={setMinted} onChanged={onChanged} />
            ))}
          </ul>
        </section>
        <section className="sect row">
          {isOurs && (
            <Button look="danger" onClick={() => setAsk('delete')}>
              {t('users.delete')}
            </Button>
          )}
          <a className="link small" href={`#/requests/history/${encodeURIComponent(`user:${user.name}`)}`}>
            {t('users.requests')}
          </a>
        </section>
      </div>
      {ask === 'edit' && (
        <EditUser
          row={row}
          onDone={() => {
            setAsk(null)
            onChanged()
          }}
        />
      )}
      {ask === 'add-key' && (
        <AddKey
          user={user.name}
          onClose={() => setAsk(null)}
          onMinted={(key) => {
            setAsk(null)
            setMinted(key)
            onChanged()
          }}
        />
      )}
      {ask === 'delete' && (
        <Confirm
          title={t('users.deleteAsk', { user: user.name })}
          verb={t('users.delete')}
          cancel={t('verb.cancel')}
          onNo={() => setAsk(null)}
          onYes={() => void remove()}
        >
          <p>{t.count('users.deleteWhy', user.keys)}</p>
        </Confirm>
      )}
      {minted !== null && (
        <KeyShown
          minted={minted}
          onClose={() => {
            setMinted(null)
            onChanged()
          }}
        />
      )}
    </Drawer>
  )
}

function Used({ name, used, of }: { name: string; used: number; of: number | null }) {
  const t = useT()
  return (
    <>
      <span className="mid">{name}</span>
      {of === null ? <span className="dim micro">{t('users.noLimit')}</span> : <Meter share={used / of} label={name} />}
      <span className="num">
        {number(used)} {of !== null && <span className="u">/ {number(of)}</span>}
      </span>
    </>
  )
}

function EditUser({ row: { user }, onDone }: { row: PersonRow; onDone: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const [before] = useState(formOf(user.limits))
  const [form, setForm] = useState(before)
  const [note, setNote] = useState(user.note ?? '')
  const [told, setTold] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const isBad = badFields(form).length > 0
  const changes = isBad ? {} : limitChanges(before, form)
  const noteChange = note.trim() === (user.note ?? '') ? {} : { note: note.trim() === '' ? null : note.trim() }
  const nothing = Object.keys(changes).length === 0 && Object.keys(noteChange).length === 0
  const save = async (): Promise<void> => {
    setBusy(true)
    setTold(null)
    await client.commands
      .updateUser({ name: user.name, ...changes, ...noteChange })
      .then(onDone, (error: unknown) => setTold(t.said(reasonOf(error))))
    setBusy(false)
  }
  return (
    <Dialog
      open
      wide
      onClose={onDone}
      title={t('users.editTitle', { user: user.name })}
      footer={
        <>
          <Button onClick={onDone}>{t('verb.cancel')}</Button>
          <Button look="first" busy={busy} disabled={isBad || nothing} onClick={() => void save()}>
            {t('verb.save')}
          </Button>
        </>
      }
    >
      <div className="form">
        <p className="small dim">{t('limits.atOnceInForce')}</p>
        <LimitsFields form={form} onChange={setForm} />
        <Field label={t('users.note')} value={note} onChange={setNote} bad={told} />
      </div>
    </Dialog>
  )
}
