import { useState } from 'react'
import type { KeyView, MintedKey } from '../../src/protocol/users.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Confirm, Drawer, Field, Meter } from '../components/forms.tsx'
import { Banner, Button, Dialog, Facts, Select } from '../components/kit.tsx'
import { kilo, moment, NONE, number } from '../format.ts'
import { type Translate, useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import {
  badFields,
  formOf,
  isLiveKey,
  limitChanges,
  type PersonRow,
  seenFrom,
  sevenDays,
} from '../view-models/people.ts'
import { KeyShown } from './KeyShown.tsx'
import { LimitsFields } from './LimitsFields.tsx'

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

/** Tokens of seven days, as bars and, for those who cannot see them, as a list. */
function Week({ user }: { user: string }) {
  const t = useT()
  const { client } = useWorld()
  const { value, failed } = useAsked(
    async () => (await client.commands.usage({ since: '7d', by: ['day', 'user'] })).rows,
    {
      everyMs: 15_000,
      key: user,
    },
  )
  const days = sevenDays(value ?? [], user, new Date())
  const most = Math.max(1, ...days.map(({ tokens }) => tokens))
  const errors = days.reduce((sum, day) => sum + day.errors, 0)
  return (
    <section className="sect">
      <h3>
        <span>{t('users.week')}</span>
        <span>{t('users.weekUnit')}</span>
      </h3>
      {failed !== null && value === null ? (
        <p className="small bad" role="alert">
          {failed}
        </p>
      ) : (
        <ol className="week">
          {days.map(({ day, tokens }, i) => (
            <li key={day} className="micro">
              <span className="dim">{tokens === 0 ? '0' : kilo(tokens)}</span>
              <i
                className={i === 6 ? 'is-today' : ''}
                style={{ height: tokens === 0 ? 1 : 2 + Math.round((tokens / most) * 52) }}
              />
              <span className="dim">{weekday(day, t)}</span>
            </li>
          ))}
        </ol>
      )}
      <p className="small dim">{t('users.weekFailed', { count: number(errors) })}</p>
      <Reasons user={user} />
    </section>
  )
}

/** Why requests of the seven days were refused or failed. */
function Reasons({ user }: { user: string }) {
  const t = useT()
  const { client } = useWorld()
  const { value } = useAsked(async () => (await client.commands.requestReasons({ user, since: '7d' })).rows, {
    everyMs: 15_000,
    key: user,
  })
  if (value === null || value.length === 0) return null
  return (
    <>
      <h4 className="micro dim gap-top">{t('users.reasons')}</h4>
      <Facts facts={value.map(({ reason, requests }) => [reason, number(requests)])} />
    </>
  )
}

function weekday(day: string, t: Translate): string {
  return new Intl.DateTimeFormat(t.language, { weekday: 'short', timeZone: 'UTC' }).format(new Date(`${day}T00:00Z`))
}

const OVERLAPS = ['0', '10', '60', '1440'] as const

function KeyLine({
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

function AddKey({
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
