import { duration, gib, percent, withUnit } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { lastOf } from '../series-store.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { gpuTotals, load } from '../view-models/frame.ts'

/** The few figures that stand on every screen. */
export function StatusBar() {
  const t = useT()
  const { gpu, queues, server } = useSnapshot()
  const { series, client } = useWorld()
  const recent = useStore(series.recent)
  const { running, waiting, kv } = load(queues)
  const gpus = gpu.is === 'read' ? gpu.gpus : []
  const { used, total } = gpuTotals(gpus)
  return (
    <footer className="status" role="contentinfo" aria-label={t('region.status')} data-region="" tabIndex={-1}>
      <span>{withUnit(lastOf(recent, 'output'), 'tok/s')}</span>
      <span>{t('status.ttft', { value: duration(lastOf(recent, 'ttftP50')) })}</span>
      <span>{t('status.run', { running, waiting })}</span>
      <span>{t('status.kv', { value: percent(kv) })}</span>
      {total === null ? (
        <span>{t('status.noGpu')}</span>
      ) : (
        <>
          <span>{t('status.vram', { used: gib(used), total: gib(total) })}</span>
          <span>{withUnit(lastOf(recent, 'temperatureC'), '°C')}</span>
          <span>{withUnit(lastOf(recent, 'power'), 'W')}</span>
        </>
      )}
      {server.offline && <span>{t('status.offline')}</span>}
      <span className="end">{client.platform?.attached === true ? t('status.attached') : ''}</span>
    </footer>
  )
}
