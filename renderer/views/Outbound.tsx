import { isBlocked } from '../../src/protocol/blocked.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Empty, Switch } from '../components/kit.tsx'
import { ago, gigabytes, moment, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'

/** The other computers that Lexora itself has spoken to, so that nobody has to guess; each can be blocked. */
export function Outbound({ onChanged }: { onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { value, failed, again } = useAsked(async () => await client.commands.listOutbound(), { everyMs: 5000 })
  const now = new Date()
  const { allowOutbound, blockOutbound } = client.commands
  const allow = async (host: string, on: boolean): Promise<void> => {
    await told(on ? allowOutbound({ host }) : blockOutbound({ host }))
    onChanged()
    await again()
  }
  const blocked = value?.blocked ?? []
  const unused = blocked.filter((host) => value?.rows.every((row) => row.host !== host))
  const switchOf = (host: string) => (
    <td>
      <Switch
        label={`${t('out.allowed')}: ${host}`}
        checked={!isBlocked(host, blocked)}
        onChange={(on) => void allow(host, on)}
      />
    </td>
  )
  return (
    <section className="set-box" aria-label={t('out.title')}>
      <h2>{t('out.title')}</h2>
      {value === null && failed !== null && (
        <Empty bad title={t('out.failed')}>
          {failed}
        </Empty>
      )}
      {value?.offline && <p className="small mid">{t('out.off')}</p>}
      {value !== null && (
        <p className="small dim">
          {t(value.rows.length === 0 ? 'out.none' : 'out.why', { time: moment(value.since, now, t.language) })}
        </p>
      )}
      {value !== null && value.rows.length + unused.length > 0 && (
        <table className="table bench-table out-table">
          <thead>
            <tr>
              <th>{t('out.host')}</th>
              <th>{t('out.purpose')}</th>
              <th className="num">{t('out.count')}</th>
              <th className="num">{t('out.sent')}</th>
              <th className="num">{t('out.received')}</th>
              <th>{t('out.last')}</th>
              <th>{t('out.allowed')}</th>
            </tr>
          </thead>
          <tbody>
            {value.rows.map(({ host, purpose, count, sent, received, firstAt, lastAt }) => (
              <tr key={`${purpose} ${host} ${firstAt}`}>
                <td className="mono" title={host}>
                  {host}
                </td>
                <td>{t(`out.${purpose}`)}</td>
                <td className="num">{number(count)}</td>
                <td className="num">{gigabytes(sent)}</td>
                <td className="num">{gigabytes(received)}</td>
                <td className="mid" title={moment(lastAt, now, t.language)}>
                  {ago(lastAt, now, t.language)}
                </td>
                {switchOf(host)}
              </tr>
            ))}
            {unused.map((host) => (
              <tr key={host}>
                <td className="mono" title={host}>
                  {host}
                </td>
                <td className="mid" colSpan={5}>
                  {t('out.notYet')}
                </td>
                {switchOf(host)}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
