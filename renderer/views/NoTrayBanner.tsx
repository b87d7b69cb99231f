import { Banner } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useWorld } from '../stores.ts'

/** In the desktop app, for as long as no panel shows its icon: then all that it offers is here, and closing is explained once. */
export function NoTrayBanner() {
  const t = useT()
  const desktop = useStore(useWorld().desktop)
  if (desktop === null || desktop.hasTray) return null
  return <Banner look="info">{t('banner.noTray')}</Banner>
}
