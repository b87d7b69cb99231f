import { Banner } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useWorld } from '../stores.ts'

/** The file was changed to something that does not hold; where it is mended says the rest. */
export function ConfigBanner() {
  const t = useT()
  const { snapshot } = useWorld()
  const fault = useStore(snapshot)?.server.configFault ?? null
  if (fault === null) return null
  const where = [fault.place, fault.path].filter((word) => word !== '').join(' ')
  return (
    <Banner look="bad">
      {t('banner.config', { where })}{' '}
      <a className="link" href="#/settings/advanced">
        {t('banner.configOpen')}
      </a>
    </Banner>
  )
}
