import { useAsked } from '../asked.ts'
import { Empty } from '../components/kit.tsx'
import { ago, moment, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'

/** The other computers that Lexora itself has spoken to, so that nobody has to guess. */
export function Outbound() {
  const t = useT()
  const { client } = useWorld()
  const { value, failed } = useAsked(async () => await client.commands.listOutbound(), { everyMs: 5000 })
  const now = new Date()
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
          {value.rows.length === 0 ? t('out.none') : t('out.why', { time: moment(value.since, now, t.language) })}
        </p>
      )}
      {value !== null && value.rows.length > 0 && (
        <table className="table bench-table">
          <thead>
            <tr>
              <th>{t('out.host')}</th>
              <th>{t('out.purpose')}</th>
              <th className="num">{t('out.count')}</th>
              <th>{t('out.last')}</th>
            </tr>
          </thead>
          <tbody>
            {value.rows.map(({ host, purpose, count, firstAt, lastAt }) => (
              <tr key={`${purpose} ${host} ${firstAt}`}>
                <td className="mono" title={host}>
                  {host}
                </td>
                <td>{t(`out.${purpose}`)}</td>
                <td className="num">{number(count)}</td>
                <td className="mid" title={moment(lastAt, now, t.language)}>
                  {ago(lastAt, now, t.language)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
