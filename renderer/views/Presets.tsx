import type { PresetView } from '../../src/protocol/models.ts'
import { useActions } from '../actions.ts'
import type { Asked } from '../asked.ts'
import { Button, Empty, Skeleton } from '../components/kit.tsx'
import { gib, gigabytes, kilo } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { presetRows } from '../view-models/catalogue.ts'
import { gpuTotals } from '../view-models/frame.ts'

/** Good open models to begin with, those first that this card can hold. */
export function Presets({
  presets,
  onChanged,
  search,
}: {
  presets: Asked<PresetView[]>
  onChanged: () => void
  search: string
}) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { gpu, pulls = [] } = useSnapshot()
  const memory = gpu.is === 'read' ? gpuTotals(gpu.gpus).total : null
  const wanted = search.trim().toLowerCase()
  if (presets.value === null)
    return presets.failed === null ? (
      <Skeleton rows={6} height={44} />
    ) : (
      <Empty bad title={t('presets.failed')}>
        {presets.failed}
      </Empty>
    )
  const shown = presets.value.filter(({ title, repo }) => `${title} ${repo}`.toLowerCase().includes(wanted))
  const rows = presetRows(shown, memory)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section className="table-wrap fill" tabIndex={0} aria-label={t('models.hub')}>
      <table className="table tall">
        <colgroup>
          <col />
          <col className="c2" style={{ width: 84 }} />
          <col className="c1" style={{ width: 80 }} />
          <col className="cm" style={{ width: 72 }} />
          <col className="cm" style={{ width: 96 }} />
          <col style={{ width: 124 }} />
        </colgroup>
        <thead>
          <tr>
            <th>{t('col.model')}</th>
            <th className="c2">{t('presets.parameters')}</th>
            <th className="c1 num">{t('models.col.size')}</th>
            <th className="cm num">{t('models.col.context')}</th>
            <th className="cm num">{t('presets.memory')}</th>
            <th>
              <span className="sr">{t('col.action')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ preset, fits }) => {
            const isComing = pulls.some(({ repo }) => repo === preset.repo)
            return (
              <tr key={preset.id}>
                <td>
                  <span className="col two-line">
                    <span className="clip strong">
                      {preset.title} <span className="dim micro">{preset.license}</span>
                    </span>
                    <span className="clip micro dim" title={t.said(preset.note)}>
                      {preset.repo} · {t.said(preset.note)}
                    </span>
                  </span>
                </td>
                <td className="c2 mid">{preset.parameters}</td>
                <td className="c1 num">{gigabytes(preset.bytes)}</td>
                <td className="cm num">{kilo(preset.context)}</td>
                <td
                  className={`cm num${fits === false ? ' bad' : fits === null ? ' dim' : ''}`}
                  title={fits === null ? t('why.noGpu') : undefined}
                >
                  {gib(preset.minVramBytes)} <span className="u">GiB</span>
                </td>
                <td className="num">
                  {preset.installed ? (
                    <span className="dim">{t('presets.here')}</span>
                  ) : (
                    <Button
                      small
                      busy={isComing}
                      onClick={() =>
                        void told(
                          client.commands.pullModel({ repo: preset.repo }),
                          t('presets.coming', { name: preset.title }),
                        ).then(onChanged)
                      }
                    >
                      {t('presets.fetch')}
                    </Button>
                  )}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}
