import type { ConfigView } from '../../src/protocol/config-view.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Button } from '../components/kit.tsx'
import { moment } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { waitingOrigins } from '../view-models/lan.ts'

/** Pages that were turned away lately, and may be let in. Nothing is shown while there is none. */
export function WaitingOrigins({ config, onChanged }: { config: ConfigView; onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const asked = useAsked(async () => (await client.commands.listOrigins()).origins, { everyMs: 5000 })
  const { rows, lockedBy } = waitingOrigins(config, asked.value ?? [])
  if (rows.length === 0) return null
  const decide = async (work: Promise<unknown>, done?: string): Promise<void> => {
    await told(work, done)
    await asked.again()
    onChanged()
  }
  return (
    <section className="set-box" aria-label={t('origins.title')}>
      <h2>{t('origins.title')}</h2>
      <p className="small dim">{lockedBy === null ? t('origins.why') : `${t('set.locked')} ${lockedBy}`}</p>
      <ul className="origins">
        {rows.map(({ origin, times, lastAt }) => (
          <li key={origin}>
            <span className="mono small">{origin}</span>
            <span className="small dim">
              {t.count('origins.times', times, { at: moment(lastAt, new Date(), t.language) })}
            </span>
            <Button
              small
              disabled={lockedBy !== null}
              onClick={() => void decide(client.commands.allowOrigin({ origin }), t('origins.allowed', { origin }))}
            >
              {t('origins.allow')}
            </Button>
            <Button small onClick={() => void decide(client.commands.forgetOrigin({ origin }))}>
              {t('origins.dismiss')}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  )
}
