import { useAsked } from '../asked.ts'
import { Facts } from '../components/kit.tsx'
import { kilo, number } from '../format.ts'
import { type Translate, useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { sevenDays } from '../view-models/people.ts'

/** Tokens of seven days, as bars and, for those who cannot see them, as a list. */
export function Week({ user }: { user: string }) {
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
