import { useState } from 'react'
import type { ConfigView } from '../../src/protocol/config-view.ts'
import type { UserView } from '../../src/protocol/users.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Field, Meter } from '../components/forms.tsx'
import { Icon } from '../components/Icon.tsx'
import { Button, Empty, Skeleton, Switch } from '../components/kit.tsx'
import { kilo, NONE, number, percent } from '../format.ts'
import { type Translate, useT } from '../i18n/index.ts'
import { goTo, type ScreenProps } from '../route.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { useTableKeys } from '../table-keys.ts'
import { type Doors, doors, nobodyText, type PersonRow, personRows, seenFrom } from '../view-models/people.ts'
import { NewUser } from './NewUser.tsx'
import { UserDrawer } from './UserDrawer.tsx'

/** Who can call, with which limits, and how much of them is used. */
export function Users({ path }: ScreenProps) {
  const t = useT()
  const { client } = useWorld()
  const snapshot = useSnapshot()
  const [search, setSearch] = useState('')
  const [adding, setAdding] = useState(false)
  const people = useAsked(
    async () => {
      const [{ users }, { keys }] = await Promise.all([client.commands.listUsers(), client.commands.listKeys()])
      return { users, keys }
    },
    { everyMs: 2000 },
  )
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 10_000 })
  const now = new Date()
  const rows =
    people.value === null
      ? null
      : personRows(people.value.users, people.value.keys, snapshot.users, config.value, search, now.getTime())
  const chosen = decodeURIComponent(path)
  const choose = (name: string | null): void => goTo('users', name === null ? '' : encodeURIComponent(name))
  const at = rows?.findIndex(({ user }) => user.name === chosen) ?? -1
  const row = at >= 0 ? rows![at]! : null
  const step = (by: number): void => {
    const next = rows?.[at + by]
    if (next !== undefined) choose(next.user.name)
  }
  const door = config.value === null ? null : doors(config.value)
  return (
    <>
      <h1 className="sr">{t('nav.users')}</h1>
      <div className="bar line-b bar-tall">
        <div className="grow search-box">
          <Field label={t('users.search')} value={search} onChange={setSearch} filter hideLabel />
        </div>
        <span className="small dim clip push" role="status">
          {door !== null && reachText(door, t)}
        </span>
        <Button look="first" onClick={() => setAdding(true)}>
          {t('users.new')}
        </Button>
      </div>
      <div className={row === null ? 'fill-col' : 'pane fill'}>
        {people.failed !== null && rows === null ? (
          <Empty
            bad
            title={t('users.failed')}
            actions={<Button onClick={() => void people.again()}>{t('verb.tryAgain')}</Button>}
          >
            {people.failed}
          </Empty>
        ) : rows === null ? (
          <Skeleton rows={8} />
        ) : (
          <Table
            rows={rows}
            chosen={row?.user.name ?? null}
            onChoose={choose}
            onChanged={() => void people.again()}
            config={config.value}
            onConfig={() => void config.again()}
            filtered={search.trim() !== ''}
            onNew={() => setAdding(true)}
          />
        )}
        {row !== null && people.value !== null && (
          <UserDrawer
            key={row.user.name}
            row={row}
            keys={people.value.keys.filter(({ user }) => user === row.user.name)}
            configPath={snapshot.server.configPath}
            onClose={() => choose(null)}
            onStep={step}
            onChanged={() => void people.again()}
          />
        )}
      </div>
      {adding && (
        <NewUser
          taken={people.value?.users.map(({ name }) => name) ?? []}
          onDone={(name) => {
            setAdding(false)
            void people.again()
            if (name !== null) choose(name)
          }}
        />
      )}
    </>
  )
}

function reachText({ beyond, mode }: Doors, t: Translate): string {
  if (beyond.length === 0) return t('users.reach.here')
  const hosts = beyond.join(', ')
  return mode === 'off' ? t('users.reach.open', { hosts }) : t('users.reach.key', { hosts })
}

function Table({
  rows,
  chosen,
  onChoose,
  onChanged,
  config,
  onConfig,
  filtered,
  onNew,
}: {
  rows: readonly PersonRow[]
  chosen: string | null
  onChoose: (name: string | null) => void
  onChanged: () => void
  config: ConfigView | null
  onConfig: () => void
  filtered: boolean
  onNew: () => void
}) {
  const t = useT()
  const none = config === null ? 'users.noneEach' : nobodyText(doors(config))
  const { marked, onKey } = useTableKeys(
    rows.map(({ user }) => user.name),
    chosen,
    onChoose,
  )
  return (
    <section
      className="table-wrap fill"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys choose a row
      tabIndex={0}
      aria-label={t('nav.users')}
      onKeyDown={onKey}
    >
      <table className="table">
        <colgroup>
          <col style={{ width: 108 }} />
          <col className="c2" style={{ width: 80 }} />
          <col className="c1" style={{ width: 68 }} />
          <col className="c3" style={{ width: 68 }} />
          <col className="c3" style={{ width: 68 }} />
          <col className="c4" style={{ width: 64 }} />
          <col className="c4" style={{ width: 92 }} />
          <col className="cm" style={{ width: 72 }} />
          <col style={{ width: 64 }} />
          <col className="cm" style={{ width: 100 }} />
          <col className="c2" style={{ width: 132 }} />
          <col style={{ width: 60 }} />
        </colgroup>
        <thead>
          <tr>
            <th>{t('col.user')}</th>
            <th className="c2">{t('users.col.key')}</th>
            <th className="c1">{t('users.col.band')}</th>
            <th className="c3 num">{t('users.col.perMinute')}</th>
            <th className="c3 num">{t('users.col.tokens')}</th>
            <th className="c4 num">{t('users.col.atOnce')}</th>
            <th className="c4">{t('users.col.models')}</th>
            <th className="cm num">{t('users.col.now')}</th>
            <th className="num">{t('users.col.today')}</th>
            <th className="cm">{t('users.col.share')}</th>
            <th className="c2">{t('users.col.seen')}</th>
            <th>{t('users.col.on')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Person
              key={row.user.name}
              row={row}
              chosen={row.user.name === chosen}
              marked={marked.has(row.user.name)}
              onChoose={onChoose}
              onChanged={onChanged}
            />
          ))}
          {config !== null && !filtered && <SystemRows config={config} onConfig={onConfig} />}
        </tbody>
      </table>
      {rows.length === 0 && (
        <Empty
          title={t(filtered ? 'users.noneFits' : none)}
          actions={filtered ? undefined : <Button onClick={onNew}>{t('users.new')}</Button>}
        >
          {filtered ? undefined : t(none === 'users.none' ? 'users.noneWhy' : 'users.noneEach')}
        </Empty>
      )}
    </section>
  )
}

function Person({
  row,
  chosen,
  marked,
  onChoose,
  onChanged,
}: {
  row: PersonRow
  chosen: boolean
  marked: boolean
  onChoose: (name: string | null) => void
  onChanged: () => void
}) {
  const t = useT()
  const { user, keyHint, moreKeys, perMinute, tokensPerMinute, atOnce, share } = row
  const { limits, now, today } = user
  return (
    <tr
      aria-selected={chosen}
      onClick={() => onChoose(chosen ? null : user.name)}
      className={`${user.disabled ? 'is-waiting' : ''}${marked ? ' is-marked' : ''}`}
    >
      <td className="strong name">{user.name}</td>
      <td className="c2 mono mid">
        {keyHint ?? NONE}
        {moreKeys > 0 && <span className="dim"> +{moreKeys}</span>}
      </td>
      <td className="c1">{t(`band.${limits.max_priority ?? 'any'}`)}</td>
      <td className="c3 num">{number(perMinute)}</td>
      <td className="c3 num">{tokensPerMinute === null ? NONE : kilo(tokensPerMinute)}</td>
      <td className="c4 num">{number(atOnce)}</td>
      <td className="c4 name">{limits.models === null ? t('users.allModels') : limits.models.join(', ')}</td>
      <td className="cm num">{t('users.runWait', { running: now.running, waiting: now.waiting })}</td>
      <td className="num">{number(today.requests)}</td>
      <td className="cm">
        {share === null ? (
          <span className="dim">{t('users.noLimit')}</span>
        ) : (
          <span className="row">
            <Meter share={share} label={t('users.col.share')} />
            <span className={`num meter-num${share >= 0.9 ? ' warn' : ''}`}>{percent(share)}</span>
          </span>
        )}
      </td>
      <td className="c2 mid clip" title={seenFrom(user, new Date(), t)}>
        {seenFrom(user, new Date(), t)}
      </td>
      <td>
        <OnOff user={user} onChanged={onChanged} />
      </td>
    </tr>
  )
}

function OnOff({ user, onChanged }: { user: UserView; onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  if (user.source === 'file') {
    return (
      <span className="tag" title={t('users.ofFile')}>
        <Icon name="lock" />
        <span className="sr">{t('users.ofFile')}</span>
      </span>
    )
  }
  const turn = async (on: boolean): Promise<void> => {
    const done = on ? t('users.done.on', { user: user.name }) : t('users.done.off', { user: user.name })
    await told(client.commands.updateUser({ name: user.name, disabled: !on }), done)
    onChanged()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a click on the switch is none on the row
    // biome-ignore lint/a11y/useKeyWithClickEvents: the switch has its own keys
    <span onClick={(event) => event.stopPropagation()}>
      <Switch label={user.name} checked={!user.disabled} onChange={(on) => void turn(on)} />
    </span>
  )
}

/** Those who show no key: programs here, and everybody else. */
function SystemRows({ config, onConfig }: { config: ConfigView; onConfig: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { users } = useSnapshot()
  const { told } = useActions()
  const door = doors(config)
  const nobody = users.find(({ name }) => name === 'anonymous')
  const says = (may: Doors['localhost']['may']): string => t(`users.may.${may}`)
  const turn = async (): Promise<void> => {
    if (door.toggle === null) return
    await told(
      client.commands.setConfig({ changes: [{ path: 'auth.mode', value: door.toggle.value }] }),
      t(door.toggle.value === 'required' ? 'users.done.keysNeeded' : 'users.done.keysFree'),
    )
    onConfig()
  }
  const rows = [
    { id: 'localhost', access: door.localhost, now: nobody },
    { id: 'others', access: door.others, now: undefined },
  ] as const
  return rows.map(({ id, access, now }) => (
    <tr key={id} className="is-policy">
      <td className="name" title={t(`users.system.${id}`)}>
        {t(`users.system.${id}`)}
      </td>
      <td className="c2">{t('users.noKey')}</td>
      <td className={`c1 say${access.may === 'all' && id === 'others' ? ' warn' : ''}`} title={says(access.may)}>
        {says(access.may)}
      </td>
      <td className="c3" />
      <td className="c3" />
      <td className="c4" />
      <td className="c4" />
      <td className="cm num">
        {now === undefined ? '' : t('users.runWait', { running: now.inFlight, waiting: now.waiting })}
      </td>
      <td />
      <td className="cm" />
      <td className="c2" />
      <td>
        {id === 'localhost' && door.toggle !== null ? (
          <Switch label={t('users.system.localhost')} checked={access.may === 'all'} onChange={() => void turn()} />
        ) : (
          <span className="tag" title={door.lockedBy ?? t('users.policyWhy')}>
            <Icon name="lock" />
            <span className="sr">{door.lockedBy ?? t('users.policyWhy')}</span>
          </span>
        )}
      </td>
    </tr>
  ))
}
