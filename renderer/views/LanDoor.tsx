import { useState } from 'react'
import type { ConfigView } from '../../src/protocol/config-view.ts'
import { useToasts } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { StateMark } from '../components/Icon.tsx'
import { Button, Dialog, Select, Switch } from '../components/kit.tsx'
import { Qr } from '../components/Qr.tsx'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { doorPlaces, lanChecks, lanReach, lanState, testPlace } from '../view-models/lan.ts'
import { reasonOf } from '../view-models/log.ts'
import { doors, isLiveKey } from '../view-models/people.ts'
import { placesForPhones } from '../view-models/qr.ts'
import { NewUser } from './NewUser.tsx'

/** Opens Lexora to the network, after a look at what that means; closes it at once. */
export function LanDoor({ config, onChanged }: { config: ConfigView; onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { server } = useSnapshot()
  const toasts = useToasts()
  const [asking, setAsking] = useState(false)
  const [adding, setAdding] = useState(false)
  const [chosen, setChosen] = useState('0.0.0.0')
  const keys = useAsked(async () => (await client.commands.listKeys()).keys, { everyMs: 5000 })
  const door = doors(config)
  const { isOpen, places, waits } = lanState(server, door.beyond)
  // What is answered changes with the door.
  const lan = useAsked(async () => await client.commands.checkLan(), { key: `${isOpen} ${places.join()}` })
  const choices = doorPlaces(lan.value)
  const host = config.entries.find(({ path }) => path === 'server.host')
  const live = (keys.value ?? []).filter((key) => isLiveKey(key, Date.now()) && key.scopes.includes('inference'))
  const checks = lanChecks(config, live.length)
  const isReady = checks.every(({ ok }) => ok !== false)
  const [place] = placesForPhones(server)
  const port = new URL(server.address).port
  const set = async (value: string[] | null): Promise<void> => {
    setAsking(false)
    try {
      const { pendingRestart } = await client.commands.setConfig({ changes: [{ path: 'server.host', value }] })
      if (pendingRestart.includes('server.host')) toasts.fail(t('set.savedLater', { name: t('lan.title') }))
      else toasts.say(t(value === null ? 'lan.closed' : 'lan.opened'))
    } catch (error) {
      toasts.fail(t('failed.command', { reason: t.said(reasonOf(error)) }))
    }
    onChanged()
  }
  /** A user is made in the middle of it, and then it goes on. */
  const turn = (toUser: boolean): void => {
    setAsking(!toUser)
    setAdding(toUser)
    if (!toUser) void keys.again()
  }
  return (
    <section className="set" aria-label={t('lan.title')}>
      <div className="set-t">
        <div className="set-label">{t('lan.title')}</div>
        <p className="small dim">{isOpen ? t('lan.isOpen', { places: places.join(', ') }) : t('lan.isClosed')}</p>
        {waits && <p className="small warn">{t('set.applies.restart')}</p>}
        {isOpen && lan.value !== null && (
          <>
            <ul className="small" aria-label={t('lan.check.reach')}>
              {lanReach(lan.value).map(({ address, is }) => (
                <li key={address.address} className={is === 'open' ? 'bad' : is === 'closed' ? 'dim' : ''}>
                  {t(`lan.reach.${is}`, { address: address.address, interface: address.interface })}
                </li>
              ))}
            </ul>
            <p className="small dim">{t('lan.firewall', { port })}</p>
          </>
        )}
      </div>
      <div className="set-c">
        <Switch
          label={t('lan.title')}
          checked={isOpen}
          disabled={host?.locked === true}
          onChange={(on) => (on ? setAsking(true) : void set(null))}
        />
        {host?.locked === true && <span className="small dim">{host.detail}</span>}
        {isOpen && place !== undefined && (
          <figure className="qr-box">
            <Qr text={`${place}/healthz`} label={t('lan.qr', { address: place })} />
            <figcaption className="small dim">
              {t('lan.qrWhy')} <span className="mono">{place}/healthz</span>
            </figcaption>
          </figure>
        )}
      </div>
      <div className="set-s" />
      {asking && (
        <Dialog
          open
          wide
          onClose={() => setAsking(false)}
          title={t('lan.ask')}
          footer={
            <>
              <Button onClick={() => setAsking(false)}>{t('verb.cancel')}</Button>
              <Button
                look="first"
                disabled={!isReady}
                onClick={() => void set(choices.find(({ address }) => address === chosen)?.host ?? ['0.0.0.0'])}
              >
                {t('lan.open')}
              </Button>
            </>
          }
        >
          <div className="row">
            <span className="small dim">{t('lan.at')}</span>
            <Select
              label={t('lan.at')}
              value={chosen}
              onChange={setChosen}
              options={choices.map(({ address, interface: name }) => ({
                value: address,
                label: name === null ? t('lan.all') : `${address} · ${name}`,
              }))}
            />
          </div>
          <ul className="checks lan-checks">
            {checks.map(({ id, ok }) => (
              <li key={id}>
                <StateMark shape={ok === null ? 'stopped' : ok ? 'ready' : 'failed'} />
                <span>
                  <b className="strong">{t(`lan.check.${id}`)}</b>{' '}
                  <span className="dim">
                    {t(`lan.why.${id}`, { place: testPlace(lan.value, chosen, server), count: live.length })}
                  </span>
                </span>
                {id === 'keys' && ok === false && (
                  <Button small onClick={() => turn(true)}>
                    {t('users.new')}
                  </Button>
                )}
              </li>
            ))}
          </ul>
        </Dialog>
      )}
      {adding && <NewUser taken={[...new Set(keys.value?.map(({ user }) => user))]} onDone={() => turn(false)} />}
    </section>
  )
}
