import { duration, gib, number, percent } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { lastOf } from '../series-store.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { gpuTotals, lanWords, load } from '../view-models/frame.ts'

/** The few figures that stand on every screen. */
export function StatusBar() {
  const t = useT()
  const snapshot = useSnapshot()
  const { gpu, server } = snapshot
  const { series, client } = useWorld()
  const recent = useStore(series.recent)
  const { running, waiting, kv } = load(snapshot)
  const { used, total } = gpuTotals(gpu.is === 'read' ? gpu.gpus : [])
  const unit = (value: number | null, of: string): string => `${number(value)}\u00a0${of}`
  return (
    <footer className="status" role="contentinfo" aria-label={t('region.status')} data-region="" tabIndex={-1}>
      <span>{unit(lastOf(recent, 'output'), 'tok/s')}</span>
      <span>{t('status.ttft', { value: duration(lastOf(recent, 'ttftP50')) })}</span>
      <span>{t('status.run', { running, waiting })}</span>
      <span>{t('status.kv', { value: percent(kv) })}</span>
      {gpu.is === 'none' && <span title={t.said(gpu.reason)}>{t('status.noGpu')}</span>}
      {gpu.is === 'failed' && (
        <span className="warn" title={t.said(gpu.reason)}>
          {t('status.gpuFailed')}
        </span>
      )}
      {gpu.is === 'unread' && <span>{t('status.gpuUnread')}</span>}
      {gpu.is === 'read' && (
        <>
          <span>{t('status.vram', { used: gib(used), total: gib(total) })}</span>
          <span>{unit(lastOf(recent, 'temperatureC'), '°C')}</span>
          <span>{unit(lastOf(recent, 'power'), 'W')}</span>
        </>
      )}
      <span title={server.network.join(', ')}>{lanWords(snapshot, t)}</span>
      {server.offline && <span>{t('status.offline')}</span>}
      <span className="end">{client.platform?.attached === true ? t('status.attached') : ''}</span>
    </footer>
  )
}
