import { Banner } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'

/** In the desktop app, where no panel shows its icon: then all that it offers is here, and closing is explained once. */
export function NoTrayBanner() {
  const t = useT()
  const { client } = useWorld()
  if (client.platform === null || client.platform.hasTray) return null
  return <Banner look="info">{t('banner.noTray')}</Banner>
}
